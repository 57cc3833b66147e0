//! One JavaScript environment's client: its objects, its bell, its batches.

use std::cell::RefCell;
use std::collections::HashMap;
use std::panic::{self, AssertUnwindSafe};
use std::rc::Rc;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use napi::bindgen_prelude::{Buffer, BufferSlice, Either, Function, Uint32Array};
use napi::threadsafe_function::{ThreadsafeFunction, ThreadsafeFunctionCallMode};
use napi::{Env, Error, Result, Status};
use napi_derive::napi;
use rustc_hash::FxHashMap;

use super::discovery::{DiscoverOptions, DiscoveryStats, news_text, parse_keys};
use super::options::{
    CastOptions, CasterStats, Fault, InterfaceReport, ListenOptions, ListenerStats, Notice, Opened, Source,
    parse_group,
};
use crate::cast::CastCounters;
use crate::engine::mailbox::{self, BATCH_BYTES, BATCH_MESSAGES};
use crate::engine::{self, ObjectId};

/// A bell that holds one ring, brings what a `take` returns, and does not keep the process alive unless told to.
type Bell = ThreadsafeFunction<(), (), u32, Status, false, true, 1>;

/// How many sources JavaScript may know by number before all numbers are given anew.
const MAX_SOURCES: usize = 16_384;

/// In front of the table that `take` fills: the listener, how many messages it has dropped since the last
/// time, and flags. Then for each message where it ends, and the number of its source.
const TABLE_HEAD: usize = 3;
const FLAG_MORE: u32 = 1;
const FLAG_NOTICES: u32 = 2;
const FLAG_SOURCES_RESET: u32 = 4;

/// What one JavaScript environment has open.
#[napi]
pub struct Client {
    client: Rc<engine::Client>,
    /// Set once it is made.
    bell: Arc<OnceLock<Bell>>,
    handover: Rc<RefCell<Handover>>,
    casts: RefCell<FxHashMap<u32, Arc<CastCounters>>>,
}

/// How batches are handed over to JavaScript.
struct Handover {
    client: Rc<engine::Client>,
    buffer: Buffer,
    table: Uint32Array,
    sources: Sources,
}

/// The sources that JavaScript knows by number.
#[derive(Default)]
struct Sources {
    numbers: HashMap<mailbox::Source, u32>,
    list: Vec<mailbox::Source>,
    /// Most messages come from the source of the one before.
    last: Option<(mailbox::Source, u32)>,
}

#[napi]
impl Client {
    /// `ring` is called when there is something to take: one `take` has been done, and it is given what that
    /// returned.
    ///
    /// Batches are filled into `buffer` (at least BATCH_BYTES) and `table` (at least 3 + 2 x BATCH_MESSAGES):
    /// see `take`.
    #[napi(constructor, catch_unwind)]
    pub fn new(env: Env, buffer: Buffer, table: Uint32Array, ring: Function<'_, u32, ()>) -> Result<Self> {
        if buffer.len() < BATCH_BYTES || table.len() < TABLE_HEAD + 2 * BATCH_MESSAGES {
            return Err(Error::new(Status::InvalidArg, "the buffer or the table is too small"));
        }
        let bell = Arc::new(OnceLock::<Bell>::new());
        let ringer = Arc::clone(&bell);
        let client = Rc::new(engine::Client::new(move || {
            if let Some(bell) = ringer.get() {
                // A full queue is a ring under way. A closing one is an environment at its end.
                bell.call((), ThreadsafeFunctionCallMode::NonBlocking);
            }
        }));
        let sources = Sources::default();
        let handover = Rc::new(RefCell::new(Handover { client: Rc::clone(&client), buffer, table, sources }));
        // Weak, for the client holds the bell.
        let rung = Rc::downgrade(&handover);
        let take = move || Ok(rung.upgrade().map_or(0, |handover| handover.borrow_mut().take()));
        let made =
            ring.build_threadsafe_function::<()>().weak::<true>().max_queue_size::<1>().build_callback(
                move |_| {
                    panic::catch_unwind(AssertUnwindSafe(&take))
                        .unwrap_or_else(|_| Err(Error::from_reason("panic in take")))
                },
            )?;
        // It is made only here.
        let _ = bell.set(made);
        // Hooks run last in, first out: registered after the bell, this one ends the ringing before Node
        // takes the bell away. Weak, for the hook outlives a client that was collected.
        let ending = Rc::downgrade(&client);
        env.add_env_cleanup_hook(ending, |ending| {
            if let Some(client) = ending.upgrade() {
                client.shut_down();
            }
        })?;
        Ok(Self { client, bell, handover, casts: RefCell::default() })
    }

    /// Opens a listener.
    #[napi(catch_unwind)]
    pub fn listen(&self, options: ListenOptions) -> Result<Either<Opened, Fault>> {
        Ok(match self.client.listen(options.try_into()?) {
            Ok(opened) => Either::A(Opened { id: opened.id.0, port: opened.port }),
            Err(error) => Either::B(error.into()),
        })
    }

    /// Opens a cast, which sends at once; gives its id.
    #[napi(catch_unwind)]
    pub fn cast(&self, payload: BufferSlice<'_>, options: CastOptions) -> Result<Either<u32, Fault>> {
        let options = options.with_payload(&payload)?;
        let counters = Arc::clone(&options.counters);
        Ok(match self.client.cast(options) {
            Ok(id) => {
                self.casts.borrow_mut().insert(id.0, counters);
                Either::A(id.0)
            }
            Err(error) => Either::B(error.into()),
        })
    }

    /// Opens a discovery, which begins at once.
    #[napi(catch_unwind)]
    pub fn discover(&self, options: DiscoverOptions) -> Result<Either<Opened, Fault>> {
        let options = options.begin()?;
        let counters = Arc::clone(&options.counters);
        Ok(match self.client.discover(options) {
            Ok(opened) => {
                self.casts.borrow_mut().insert(opened.id.0, counters);
                Either::A(Opened { id: opened.id.0, port: opened.port })
            }
            Err(error) => Either::B(error.into()),
        })
    }

    /// Gives a discovery of this `app` its keys, 32 bytes each, one after another: the first seals, all open. It begins
    /// with that.
    #[napi(catch_unwind)]
    pub fn unlock(&self, id: u32, app: String, keys: BufferSlice<'_>) {
        self.client.unlock(ObjectId(id), parse_keys(&app, &keys));
    }

    /// Changes what a discovery announces: the JSON of an object.
    #[napi(catch_unwind)]
    pub fn announce(&self, id: u32, data: String) {
        self.client.announce(ObjectId(id), data.into());
    }

    /// Has a discovery ask everybody who is there again.
    #[napi(catch_unwind)]
    pub fn ask_everybody(&self, id: u32) {
        self.client.ask_everybody(ObjectId(id));
    }

    /// Takes what is to be told of a discovery's peers, as a notice has said, each as JSON.
    #[napi(catch_unwind)]
    pub fn take_peers(&self, id: u32) -> Vec<String> {
        let name = |interface| self.client.doorbell().interface_name(interface);
        self.client.take_peers(ObjectId(id)).iter().map(|news| news_text(news, name)).collect()
    }

    /// If there was more to tell of them than has been taken, has another notice come.
    #[napi(catch_unwind)]
    pub fn tell_more_peers(&self, id: u32) {
        self.client.tell_more_peers(ObjectId(id));
    }

    /// The counts of a discovery that is open.
    #[napi(catch_unwind)]
    pub fn discovery_stats(&self, id: u32) -> Option<DiscoveryStats> {
        self.client.discovery_stats(ObjectId(id)).map(Into::into)
    }

    /// Joins a group.
    #[napi(catch_unwind)]
    pub fn join(&self, id: u32, group: String) -> Result<()> {
        self.client.join(ObjectId(id), parse_group(&group)?);
        Ok(())
    }

    /// Leaves a group.
    #[napi(catch_unwind)]
    pub fn leave(&self, id: u32, group: String) -> Result<()> {
        self.client.leave(ObjectId(id), parse_group(&group)?);
        Ok(())
    }

    /// Changes what a cast sends. `interval` in milliseconds; without it the interval stays.
    #[napi(catch_unwind)]
    pub fn update(&self, id: u32, payload: BufferSlice<'_>, interval: Option<u32>) {
        let interval = interval.map(|ms| Duration::from_millis(u64::from(ms)));
        self.client.update(ObjectId(id), payload.as_ref().into(), interval);
    }

    /// Sends a cast's payload once, out of turn.
    #[napi(catch_unwind)]
    pub fn send(&self, id: u32) {
        self.client.send(ObjectId(id));
    }

    /// Closes an object; a notice says when it is done.
    #[napi(catch_unwind)]
    pub fn close(&self, id: u32) {
        self.client.close(ObjectId(id));
    }

    /// What an object that is open does with each interface of this host.
    #[napi(catch_unwind)]
    pub fn interfaces(&self, id: u32) -> Vec<InterfaceReport> {
        let report = self.client.report(ObjectId(id)).unwrap_or_default();
        report.into_iter().map(Into::into).collect()
    }

    /// Holds back what a listener hears: it waits, up to the listener's limit, and `take` passes it over.
    #[napi(catch_unwind)]
    pub fn pause(&self, id: u32) {
        self.client.doorbell().pause(ObjectId(id));
    }

    /// Ends what `pause` began.
    #[napi(catch_unwind)]
    pub fn resume(&self, id: u32) {
        self.client.doorbell().resume(ObjectId(id));
    }

    /// The counts of a listener that is open.
    #[napi(catch_unwind)]
    pub fn listener_stats(&self, id: u32) -> Option<ListenerStats> {
        self.client.listener_stats(ObjectId(id)).map(Into::into)
    }

    /// The counts of what a cast, or a discovery, that is open has sent.
    #[napi(catch_unwind)]
    pub fn caster_stats(&self, id: u32) -> Option<CasterStats> {
        self.casts.borrow().get(&id).map(|counters| (&**counters).into())
    }

    /// Takes one batch: payloads into the buffer, the rest into the table. Returns the number of messages.
    ///
    /// The table: [listener, dropped since the last time, flags], then for each message [end of its payload
    /// in the buffer, number of its source]. Flags: 1 = take again, 2 = notices wait, 4 = the sources have
    /// new numbers.
    #[napi(catch_unwind)]
    pub fn take(&self) -> u32 {
        self.handover.borrow_mut().take()
    }

    /// Takes the notices that wait.
    #[napi(catch_unwind)]
    pub fn take_notices(&self) -> Vec<Notice> {
        let notices = self.client.take_notices();
        for notice in &notices {
            if let engine::Notice::Closed(id) | engine::Notice::EngineFailed(id, _) = notice {
                self.casts.borrow_mut().remove(&id.0);
            }
        }
        notices.into_iter().map(Into::into).collect()
    }

    /// Describes the source with this number.
    #[napi(catch_unwind)]
    pub fn source(&self, number: u32) -> Result<Source> {
        let handover = self.handover.borrow();
        let source =
            handover.sources.list.get(number as usize).ok_or_else(|| {
                Error::new(Status::InvalidArg, format!("no source has the number {number}"))
            })?;
        let name = self.client.doorbell().interface_name(source.interface);
        Ok(Source::describe(source, name.as_deref().unwrap_or_default()))
    }

    /// Keeps the process alive, until `unref`.
    #[napi(js_name = "ref", catch_unwind)]
    pub fn reference(&self, env: Env) -> Result<()> {
        // SAFETY: on JavaScript's thread, with a function that lives as long as this.
        check(unsafe { napi::sys::napi_ref_threadsafe_function(env.raw(), self.raw_bell()) })
    }

    /// Lets the process end.
    #[napi(js_name = "unref", catch_unwind)]
    pub fn unreference(&self, env: Env) -> Result<()> {
        // SAFETY: as above.
        check(unsafe { napi::sys::napi_unref_threadsafe_function(env.raw(), self.raw_bell()) })
    }

    /// Closes everything and waits for it. Nothing rings afterwards.
    #[napi(catch_unwind)]
    pub fn shut_down(&self) {
        self.client.shut_down();
    }
}

impl Client {
    fn raw_bell(&self) -> napi::sys::napi_threadsafe_function {
        self.bell.get().map_or(std::ptr::null_mut(), Bell::raw)
    }
}

impl Handover {
    /// See [`Client::take`].
    fn take(&mut self) -> u32 {
        let Self { client, buffer, table, sources } = self;
        // SAFETY: JavaScript made the table for this, and waits.
        let table = unsafe { table.as_mut() };
        let taken = client.take();
        let mut flags = 0;
        let mut count = 0;
        if taken.renamed {
            *sources = Sources::default();
            flags |= FLAG_SOURCES_RESET;
        }
        (table[0], table[1]) = (0, 0);
        if let Some((id, batch, dropped)) = taken.messages {
            (table[0], table[1]) = (id.0, u32::try_from(dropped).unwrap_or(u32::MAX));
            if let Some(batch) = batch {
                if sources.make_room() {
                    flags |= FLAG_SOURCES_RESET;
                }
                buffer[..batch.bytes().len()].copy_from_slice(batch.bytes());
                for ((source, end), row) in batch.messages().zip(table[TABLE_HEAD..].as_chunks_mut::<2>().0) {
                    // At most BATCH_BYTES.
                    *row = [end as u32, sources.number(source)];
                }
                count = batch.len() as u32;
                client.doorbell().recycle(id, batch);
            }
        }
        if taken.more {
            flags |= FLAG_MORE;
        }
        if taken.notices {
            flags |= FLAG_NOTICES;
        }
        table[2] = flags;
        count
    }
}

impl Sources {
    /// Starts again from zero if one more batch could be too many; says whether it did.
    fn make_room(&mut self) -> bool {
        let full = self.list.len() + BATCH_MESSAGES > MAX_SOURCES;
        if full {
            *self = Self::default();
        }
        full
    }

    fn number(&mut self, source: &mailbox::Source) -> u32 {
        if let Some((last, number)) = &self.last
            && last == source
        {
            return *number;
        }
        let list = &mut self.list;
        let number = *self.numbers.entry(*source).or_insert_with(|| {
            list.push(*source);
            // At most MAX_SOURCES.
            (list.len() - 1) as u32
        });
        self.last = Some((*source, number));
        number
    }
}

fn check(status: napi::sys::napi_status) -> Result<()> {
    match Status::from(status) {
        Status::Ok => Ok(()),
        status => Err(Error::new(status, "the environment is closing")),
    }
}
