//! A JavaScript environment's way to the engine: what it asks, and what it is told.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use super::peers::{DiscoveryStats, PeerNews};
use super::process::{Handle, bury, hold, release};
use super::run::Command;
use super::sync::mpsc::{self, Sender};
use super::sync::{Mutex, lock};
use super::{Doorbell, ListenerStats, Notice, ObjectId, Taken};
use crate::cast::{CastOptions, Target};
use crate::discover::seal::Ring;
use crate::discovering::DiscoverOptions;
use crate::error::Fault;
use crate::listen::ListenOptions;
use crate::report::InterfaceReport;

/// A listener that is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Opened {
    /// Its name from now on.
    pub id: ObjectId,
    /// The port it hears.
    pub port: u16,
}

/// Why an object could not be opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OpenError {
    /// The system refused.
    Refused(Fault),
    /// The engine failed while it was at it; the next call starts a new one.
    EngineFailed,
}

impl From<Fault> for OpenError {
    fn from(fault: Fault) -> Self {
        Self::Refused(fault)
    }
}

/// What one environment (the main thread, or a worker) has open.
pub struct Client {
    doorbell: Arc<Doorbell>,
    /// The engine that this client's objects live in. Commands for an object of an engine that has failed
    /// go nowhere, and the object's [`Notice::EngineFailed`] is on its way.
    engine: Mutex<Option<Arc<Handle>>>,
    /// Where the last cast goes: most go where the one before does, and share it.
    target: Mutex<Option<Arc<Target>>>,
}

impl Client {
    /// A client that `ring` calls, from the engine's thread, when there is something to [`Client::take`].
    /// See [`Doorbell::new`] for what it must not do.
    pub fn new(ring: impl Fn() + Send + Sync + 'static) -> Self {
        Self { doorbell: Arc::new(Doorbell::new(ring)), engine: Mutex::new(None), target: Mutex::new(None) }
    }

    /// What the engine has for this client.
    pub fn doorbell(&self) -> &Doorbell {
        &self.doorbell
    }

    /// Opens a listener and waits until it is bound.
    ///
    /// # Errors
    /// EADDRINUSE from `bind` if the port is another program's that does not share it; EACCES for a port
    /// below 1024 without the right to it; EMFILE.
    pub fn listen(&self, options: ListenOptions) -> Result<Opened, OpenError> {
        let id = new_id();
        self.doorbell.add_listener(id, options.high_water_mark);
        let client = Arc::clone(&self.doorbell);
        let options = Box::new(options);
        self.open_and_wait(id, |reply| Command::Listen { id, client, options, reply })
    }

    /// Hands a command that opens `id` to a running engine, and waits for the reply.
    fn open_and_wait(
        &self,
        id: ObjectId,
        command: impl FnOnce(Sender<Result<Opened, Fault>>) -> Command,
    ) -> Result<Opened, OpenError> {
        let (reply, answer) = mpsc::channel();
        let opened = self
            .open(id, command(reply))
            .map_err(OpenError::from)
            .and_then(|()| answer.recv().map_err(|_| OpenError::EngineFailed)?.map_err(OpenError::from));
        if opened.is_err() {
            self.forget(id);
            self.doorbell.withdraw(id);
        }
        opened
    }

    /// Opens a cast; it sends at once. What the system refuses comes as a [`Notice::Warning`].
    ///
    /// # Errors
    /// EMFILE or EAGAIN if the engine cannot start.
    pub fn cast(&self, mut options: CastOptions) -> Result<ObjectId, OpenError> {
        let mut last = lock(&self.target);
        match &*last {
            Some(last) if *last == options.target => options.target = Arc::clone(last),
            _ => *last = Some(Arc::clone(&options.target)),
        }
        drop(last);
        let id = new_id();
        self.doorbell.add_silent(id);
        let client = Arc::clone(&self.doorbell);
        match self.open(id, Command::Cast { id, client, options }) {
            Ok(()) => Ok(id),
            Err(fault) => {
                self.forget(id);
                Err(fault.into())
            }
        }
    }

    /// Opens a discovery and waits until its port is bound; it begins at once.
    ///
    /// # Errors
    /// As [`Client::listen`].
    pub fn discover(&self, options: DiscoverOptions) -> Result<Opened, OpenError> {
        let id = new_id();
        self.doorbell.add_discovery(id);
        let client = Arc::clone(&self.doorbell);
        let options = Box::new(options);
        self.open_and_wait(id, |reply| Command::Discover { id, client, options, reply })
    }

    /// Gives a discovery that is to be sealed its keys: until then it says and hears nothing.
    pub fn unlock(&self, id: ObjectId, ring: Ring) {
        self.tell(Command::Unlock { id, ring: Arc::new(ring) });
    }

    /// Changes what a discovery announces.
    pub fn announce(&self, id: ObjectId, data: Box<str>) {
        self.tell(Command::Announce { id, data });
    }

    /// Has a discovery ask everybody who is there again.
    pub fn ask_everybody(&self, id: ObjectId) {
        self.tell(Command::Ask { id });
    }

    /// Takes what is to be told of a discovery's peers. There is nothing else until [`Client::tell_more_peers`] is called.
    pub fn take_peers(&self, id: ObjectId) -> Vec<PeerNews> {
        self.doorbell.take_peers(id)
    }

    /// Has more be told of them, if there was more than has been taken.
    pub fn tell_more_peers(&self, id: ObjectId) {
        if self.doorbell.take_more_peers(id) {
            self.tell(Command::Tell { id });
        }
    }

    /// The counts of a discovery that is open.
    pub fn discovery_stats(&self, id: ObjectId) -> Option<DiscoveryStats> {
        self.doorbell.discovery_stats(id)
    }

    /// Joins a group, on the listener's interfaces, and waits until it has: what is sent there from now on is
    /// heard.
    pub fn join(&self, id: ObjectId, group: IpAddr) {
        self.ask(|reply| Command::Join { id, group, reply });
    }

    /// Leaves a group, and waits until it has: what is sent there from now on is not heard.
    pub fn leave(&self, id: ObjectId, group: IpAddr) {
        self.ask(|reply| Command::Leave { id, group, reply });
    }

    /// Changes what a cast sends, and how often; the new payload goes out at once.
    pub fn update(&self, id: ObjectId, payload: Box<[u8]>, interval: Option<Duration>) {
        self.tell(Command::Update { id, payload, interval });
    }

    /// Sends a cast's payload once, out of turn.
    pub fn send(&self, id: ObjectId) {
        self.tell(Command::Send { id });
    }

    /// What an object that is open does with each interface of the host.
    pub fn report(&self, id: ObjectId) -> Option<Vec<InterfaceReport>> {
        self.ask(|reply| Command::Report { id, reply }).flatten()
    }

    /// Closes an object; [`Notice::Closed`] says when its sockets are free.
    pub fn close(&self, id: ObjectId) {
        self.tell(Command::Close { id });
    }

    /// The counts of a listener that is open.
    pub fn listener_stats(&self, id: ObjectId) -> Option<ListenerStats> {
        self.doorbell.listener_stats(id)
    }

    /// See [`Doorbell::take`].
    pub fn take(&self) -> Taken {
        self.doorbell.take()
    }

    /// Takes the notices that wait. An object that is told of its end is gone with that.
    pub fn take_notices(&self) -> Vec<Notice> {
        let notices = self.doorbell.take_notices();
        for notice in &notices {
            match notice {
                Notice::Closed(id) | Notice::EngineFailed(id, _) => self.forget(*id),
                Notice::Warning(..)
                | Notice::NoInterface(..)
                | Notice::Interfaces(_)
                | Notice::Unresolved(..)
                | Notice::Peers(_)
                | Notice::IdConflict(_)
                | Notice::TableFull(_)
                | Notice::Unauthenticated(_)
                | Notice::ClockSkew(..) => {}
            }
        }
        notices
    }

    /// Closes everything this client has open and waits until it is done; nothing rings afterwards.
    pub fn shut_down(&self) {
        self.doorbell.set_closing(true);
        let handle = lock(&self.engine).take();
        if let Some(handle) = handle {
            let (reply, done) = mpsc::channel();
            handle.tell(Command::CloseAll { client: Arc::clone(&self.doorbell), reply });
            // An engine that fails before it answers has closed everything, too.
            let _ = done.recv();
        }
        // Nothing of ours is known any more: nothing rings.
        release(self.doorbell.remove_all());
        self.doorbell.set_closing(false);
    }

    /// Hands a command that opens `id` to a running engine.
    fn open(&self, id: ObjectId, command: Command) -> Result<(), Fault> {
        let mut command = command;
        loop {
            // What is held now is released when `id` is forgotten.
            let handle = match hold(&self.doorbell) {
                Ok(handle) => handle,
                Err(error) => {
                    self.doorbell.remove(id);
                    return Err(Fault::new("start", &error));
                }
            };
            // An engine before this one, in its end, may have told of this object, which it never had.
            self.doorbell.withdraw(id);
            *lock(&self.engine) = Some(Arc::clone(&handle));
            match handle.commands.send(command) {
                Ok(()) => {
                    handle.wake();
                    return Ok(());
                }
                // That engine has failed. Once its end is over, the next round starts another.
                Err(mpsc::SendError(returned)) => {
                    command = returned;
                    bury(&handle);
                    release(1);
                }
            }
        }
    }

    /// Tells a command and waits for the reply. There is none from an engine that has failed; its objects are
    /// told of their end.
    fn ask<T>(&self, command: impl FnOnce(Sender<T>) -> Command) -> Option<T> {
        let (reply, answer) = mpsc::channel();
        self.tell(command(reply));
        answer.recv().ok()
    }

    fn tell(&self, command: Command) {
        if let Some(handle) = &*lock(&self.engine) {
            handle.tell(command);
        }
    }

    /// Lets go of an object that is open no longer.
    fn forget(&self, id: ObjectId) {
        if self.doorbell.remove(id) {
            if self.doorbell.is_empty() {
                // Or its descriptors would outlive the engine.
                *lock(&self.engine) = None;
            }
            release(1);
        }
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.shut_down();
    }
}

fn new_id() -> ObjectId {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    ObjectId(NEXT.fetch_add(1, Ordering::Relaxed))
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{self, Receiver};
    use std::thread;
    use std::time::Instant;

    use super::super::process::{is_at_rest, make_the_engine_panic};
    use super::*;
    use crate::net::Selection;

    fn client() -> (Client, Receiver<()>) {
        let (ring, rung) = mpsc::channel();
        let ring = move || ring.send(()).unwrap_or_default();
        (Client::new(ring), rung)
    }

    fn try_listen(client: &Client) -> Result<Opened, OpenError> {
        let selection = Selection::parse(["127.0.0.1"]).unwrap();
        client.listen(ListenOptions { port: 0, selection, ..ListenOptions::default() })
    }

    fn listen(client: &Client) -> Opened {
        try_listen(client).unwrap()
    }

    /// What must not happen to a host: a fault of the engine is told, and the next call works again.
    #[test]
    fn a_panic_ends_every_object_and_the_next_call_starts_anew() {
        let deadline = Duration::from_secs(20);
        let (first, first_rung) = client();
        let (second, second_rung) = client();
        let one = listen(&first);
        let two = listen(&second);
        make_the_engine_panic();
        for (client, rung, opened) in [(&first, first_rung, one), (&second, second_rung, two)] {
            rung.recv_timeout(deadline).unwrap();
            assert!(client.take().notices);
            let reason = "the test asked for it".into();
            assert_eq!(client.take_notices(), [Notice::EngineFailed(opened.id, reason)]);
            assert_eq!(client.listener_stats(opened.id), None);
        }

        let again = listen(&first);
        assert_eq!(first.take_notices(), [], "the new object is not told of the old engine");
        make_the_engine_panic();
        // Without waiting for the news of the end: whoever comes too early is told so, and the next succeeds.
        let third = loop {
            match try_listen(&second) {
                Ok(opened) => break opened,
                Err(error) => assert_eq!(error, OpenError::EngineFailed),
            }
        };
        second.close(third.id);
        closes(&second, third.id);
        first.shut_down();
        second.shut_down();
        assert_eq!(first.listener_stats(again.id), None);
        assert!(is_at_rest());
    }

    /// Waits until the object is told of its end, and nothing else is.
    fn closes(client: &Client, id: ObjectId) {
        let deadline = Instant::now() + Duration::from_secs(20);
        while Instant::now() < deadline {
            match client.take_notices().as_slice() {
                [] => thread::yield_now(),
                notices => return assert_eq!(notices, [Notice::Closed(id)]),
            }
        }
        panic!("the object of the new engine did not close");
    }
}
