//! The poller and the sources registered with it.

use std::io;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::time::Duration;

use socket2::Socket;

use super::faults::{self, Call};
use super::imp::Poller;

/// Waits for sockets, for a notice from another thread, and for the time, on one thread.
///
/// Level-triggered: a socket that still holds datagrams is reported again.
pub struct Poll {
    pub(super) poller: Poller,
}

impl Poll {
    /// Makes a poller with nothing registered.
    pub fn new() -> io::Result<Self> {
        Ok(Self { poller: Poller::new()? })
    }

    /// Waits until a registered source is readable, [`Poll::notify`] is called, or `timeout` has passed;
    /// `None` waits for ever. The keys of the readable sources replace what `ready` held.
    pub fn wait(&self, ready: &mut Vec<usize>, timeout: Option<Duration>) -> io::Result<()> {
        ready.clear();
        self.poller.wait(ready, timeout)
    }

    /// Ends the current wait, or the next one if none is under way.
    pub fn notify(&self) -> io::Result<()> {
        self.poller.notify()
    }

    /// Hands `source` to the poller until the returned guard is dropped.
    pub fn register<S: Watched>(self: &Arc<Self>, source: S, key: usize) -> io::Result<Registered<S>> {
        faults::at(Call::Register, None)?;
        self.poller.add(source.socket(), key)?;
        Ok(Registered { source, poll: Arc::clone(self), key })
    }
}

/// What a poller can watch.
pub trait Watched {
    /// The socket that is watched: the same one, as long as this lives.
    fn socket(&self) -> &Socket;
}

impl Watched for Socket {
    fn socket(&self) -> &Socket {
        self
    }
}

/// A source that the poller watches for as long as this lives.
pub struct Registered<S: Watched> {
    source: S,
    poll: Arc<Poll>,
    key: usize,
}

impl<S: Watched> Registered<S> {
    /// Stops reporting the source as readable.
    pub fn pause(&self) -> io::Result<()> {
        self.poll.poller.report(self.source.socket(), self.key, false)
    }

    /// Reports the source as readable again.
    pub fn resume(&self) -> io::Result<()> {
        self.poll.poller.report(self.source.socket(), self.key, true)
    }
}

impl<S: Watched> Deref for Registered<S> {
    type Target = S;

    fn deref(&self) -> &S {
        &self.source
    }
}

impl<S: Watched> DerefMut for Registered<S> {
    fn deref_mut(&mut self) -> &mut S {
        &mut self.source
    }
}

impl<S: Watched> Drop for Registered<S> {
    fn drop(&mut self) {
        // Fails only if the source is not registered, which is what is wanted here.
        let _ = self.poll.poller.delete(self.source.socket());
    }
}
