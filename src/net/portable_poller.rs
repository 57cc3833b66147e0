//! The poller, by the crate polling.

use std::io;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use polling::{Event, Events, PollMode};
use socket2::Socket;

/// Waits for sockets, for the time, and for notices of other threads.
pub(in crate::net) struct Poller {
    pub(in crate::net) poller: polling::Poller,
    /// What the last wait reported; kept for its memory.
    events: Mutex<Events>,
}

impl Poller {
    pub(in crate::net) fn new() -> io::Result<Self> {
        Ok(Self { poller: polling::Poller::new()?, events: Mutex::new(Events::new()) })
    }

    /// See [`Poll::wait`](crate::net::Poll::wait); adds to `ready`.
    pub(in crate::net) fn wait(&self, ready: &mut Vec<usize>, timeout: Option<Duration>) -> io::Result<()> {
        // Only one thread waits; whoever panicked left nothing that is not cleared.
        let mut events = self.events.lock().unwrap_or_else(PoisonError::into_inner);
        events.clear();
        match self.poller.wait(&mut events, timeout) {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error),
            _ => {}
        }
        ready.extend(events.iter().map(|event| event.key));
        Ok(())
    }

    pub(in crate::net) fn notify(&self) -> io::Result<()> {
        self.poller.notify()
    }

    pub(in crate::net) fn add(&self, socket: &Socket, key: usize) -> io::Result<()> {
        // SAFETY: a source must be deleted from the poller before it is closed. `Registered` owns the source and
        // deletes it when dropped, before the source is dropped.
        unsafe { self.poller.add_with_mode(socket, Event::readable(key), PollMode::Level) }
    }

    /// Reports a source that was added, or stops doing so.
    pub(in crate::net) fn report(&self, socket: &Socket, key: usize, reports: bool) -> io::Result<()> {
        let event = if reports { Event::readable(key) } else { Event::none(key) };
        self.poller.modify_with_mode(socket, event, PollMode::Level)
    }

    pub(in crate::net) fn delete(&self, socket: &Socket) -> io::Result<()> {
        self.poller.delete(socket)
    }
}
