//! What a client, its bell and the engine's beginning and end do together, in every order in which their threads can
//! run. `scripts/models` runs it; loom finds the orders, and says so if all threads wait for each other.
//!
//! The client, the doorbell and the mailbox are the real ones. The engine is a stand-in that takes the same commands,
//! and hears a message now and then.

pub(super) mod channel;

use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use loom::sync::{Condvar, Mutex};
use loom::thread;

use super::mailbox::Source;
use super::process::{is_at_rest, make_the_engine_panic};
use super::run::Command;
use super::{Client, Doorbell, Notice, ObjectId, OpenError, Opened};
use crate::cast::LookUp;
use crate::listen::ListenOptions;
use crate::net::{InterfaceIndex, Poll};

/// Instead of the engine. When a listener is opened all hear a message, and then the first another.
pub(super) struct Engine {
    commands: channel::Receiver<Command>,
    objects: Vec<(ObjectId, Arc<Doorbell>)>,
}

impl Engine {
    pub(super) fn new(_: Arc<Poll>, commands: channel::Receiver<Command>, _: LookUp) -> Self {
        Self { commands, objects: Vec::new() }
    }

    pub(super) fn run(&mut self) -> io::Result<()> {
        while let Ok(command) = self.commands.recv() {
            match command {
                Command::Listen { id, client, reply, .. } => {
                    self.objects.push((id, Arc::clone(&client)));
                    let _ = reply.send(Ok(Opened { id, port: 1 }));
                    for (id, client) in [&self.objects[..], &self.objects[..1]].concat() {
                        let address = ([127, 0, 0, 1], 1).into();
                        let source = Source { address, interface: InterfaceIndex(1), group: None };
                        client.deliver(id, [(source, &b"heard"[..])].into_iter());
                    }
                }
                Command::Close { id } => {
                    if let Some(at) = self.objects.iter().position(|(other, _)| *other == id) {
                        self.objects.remove(at).1.notify(Notice::Closed(id));
                    }
                }
                Command::CloseAll { client, reply } => {
                    self.objects.retain(|(_, other)| !Arc::ptr_eq(other, &client));
                    let _ = reply.send(());
                }
                Command::Stop => return Ok(()),
                // Loom runs all threads on one, which is not to panic: this is the other way to fail.
                Command::Panic => return Err(io::Error::other("planted")),
                _ => unreachable!("the models do not ask for more"),
            }
        }
        unreachable!("who starts an engine stops it")
    }
}

/// A thread of JavaScript: what Node gives, and what lib/environment.js does.
struct Environment {
    client: Client,
    bell: Arc<Bell>,
    heard: HashMap<ObjectId, usize>,
    ended: Vec<Notice>,
}

/// A threadsafe function whose queue holds one call.
#[derive(Default)]
struct Bell {
    called: Mutex<bool>,
    changed: Condvar,
    rung_twice: AtomicBool,
    /// The environment is no more, and neither is what rings it.
    gone: AtomicBool,
    rung_when_gone: AtomicBool,
}

impl Bell {
    fn ring(&self) {
        let mut called = self.called.lock().unwrap();
        // Noted only: the engine catches its panics.
        self.rung_twice.fetch_or(*called, Ordering::SeqCst);
        self.rung_when_gone.fetch_or(self.gone.load(Ordering::SeqCst), Ordering::SeqCst);
        *called = true;
        self.changed.notify_one();
    }

    fn wait(&self) {
        let mut called = self.called.lock().unwrap();
        while !*called {
            called = self.changed.wait(called).unwrap();
        }
        *called = false;
    }
}

impl Environment {
    fn new() -> Self {
        let bell = Arc::new(Bell::default());
        let ringer = Arc::clone(&bell);
        let client = Client::new(move || ringer.ring());
        Self { client, bell, heard: HashMap::new(), ended: Vec::new() }
    }

    fn listen(&self) -> Result<ObjectId, OpenError> {
        self.client.listen(ListenOptions::default()).map(|opened| opened.id)
    }

    /// Answers the bell until something is so.
    fn until(&mut self, so: impl Fn(&Self) -> bool) {
        while !so(self) {
            self.bell.wait();
            if self.answer() {
                // In a later turn of the event loop; until then nobody else need call.
                self.bell.ring();
            }
        }
    }

    /// Says whether more is waiting.
    fn answer(&mut self) -> bool {
        let taken = self.client.take();
        if let Some((id, batch, dropped)) = taken.messages {
            assert!(!self.has_ended(id), "a message after the end");
            assert_eq!(dropped, 0);
            *self.heard.entry(id).or_default() += batch.map_or(0, |batch| batch.len());
        }
        if taken.notices {
            for notice in self.client.take_notices() {
                let (Notice::Closed(id) | Notice::EngineFailed(id, _)) = notice else { unreachable!() };
                assert!(!self.has_ended(id), "ended twice");
                self.ended.push(notice);
            }
        }
        taken.more
    }

    fn has_ended(&self, id: ObjectId) -> bool {
        self.ended.iter().any(
            |notice| matches!(notice, Notice::Closed(ended) | Notice::EngineFailed(ended, _) if *ended == id),
        )
    }

    fn has_heard(&self, id: ObjectId, messages: usize) -> bool {
        self.heard.get(&id) == Some(&messages)
    }

    fn close(&mut self, id: ObjectId) {
        self.client.close(id);
        self.until(|environment| environment.has_ended(id));
    }

    /// As when Node takes the environment down.
    fn shut_down(self) -> Arc<Bell> {
        self.client.shut_down();
        self.bell.gone.store(true, Ordering::SeqCst);
        Arc::clone(&self.bell)
    }
}

/// Runs a model in every order; each run ends with nothing open, and with no bell rung as it should not be.
fn in_every_order(model: impl Fn() -> Vec<Arc<Bell>> + Send + Sync + 'static) {
    loom::model(move || {
        let bells = model();
        assert!(is_at_rest(), "an object or an engine is left");
        for bell in bells {
            assert!(!bell.rung_twice.load(Ordering::SeqCst), "rung twice");
            assert!(!bell.rung_when_gone.load(Ordering::SeqCst), "rung after the end");
        }
    });
}

#[test]
fn every_message_is_told_and_none_after_the_end() {
    in_every_order(|| {
        let mut environment = Environment::new();
        let one = environment.listen().unwrap();
        let two = environment.listen().unwrap();
        environment.until(|environment| environment.has_heard(one, 4) && environment.has_heard(two, 1));
        environment.close(one);
        environment.close(two);
        vec![environment.shut_down()]
    });
}

#[test]
fn what_is_heard_in_a_pause_is_told_after_it() {
    in_every_order(|| {
        let mut environment = Environment::new();
        let id = environment.listen().unwrap();
        environment.client.doorbell().pause(id);
        environment.client.doorbell().resume(id);
        environment.until(|environment| environment.has_heard(id, 2));
        vec![environment.shut_down()]
    });
}

#[test]
fn an_object_is_closed_amid_its_messages() {
    in_every_order(|| {
        let mut environment = Environment::new();
        let id = environment.listen().unwrap();
        environment.close(id);
        vec![environment.shut_down()]
    });
}

#[test]
fn nothing_rings_after_the_end_of_the_environment() {
    in_every_order(|| {
        let environment = Environment::new();
        environment.listen().unwrap();
        vec![environment.shut_down()]
    });
}

#[test]
fn environments_begin_and_end_beside_each_other() {
    in_every_order(|| {
        let live = || {
            let environment = Environment::new();
            environment.listen().unwrap();
            environment.shut_down()
        };
        let other = thread::spawn(live);
        vec![live(), other.join().unwrap()]
    });
}

#[test]
fn a_failure_is_told_and_the_next_call_works() {
    in_every_order(|| {
        let mut environment = Environment::new();
        let id = environment.listen().unwrap();
        make_the_engine_panic();
        // Early or late, it is told; and a call before that is refused at worst.
        let again = loop {
            match environment.listen() {
                Ok(again) => break again,
                Err(error) => assert_eq!(error, OpenError::EngineFailed),
            }
        };
        environment.until(|environment| environment.has_ended(id));
        environment.until(|environment| environment.has_heard(again, 2));
        environment.close(again);
        assert!(matches!(environment.ended[..], [Notice::EngineFailed(..), Notice::Closed(_)]));
        vec![environment.shut_down()]
    });
}

#[test]
fn an_environment_ends_while_the_engine_fails() {
    in_every_order(|| {
        let mut first = Environment::new();
        let id = first.listen().unwrap();
        let other = thread::spawn(|| {
            let second = Environment::new();
            // Refused if the engine fails just then.
            let _ = second.listen();
            second.shut_down()
        });
        make_the_engine_panic();
        first.until(|first| first.has_ended(id));
        vec![first.shut_down(), other.join().unwrap()]
    });
}
