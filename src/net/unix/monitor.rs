//! Notices that interfaces and addresses change: a socket on which the kernel tells of it.

use std::io::{self, Read};
use std::sync::Arc;

use socket2::Socket;

use crate::net::faults::{self, Call};
use crate::net::imp::{subscribe, take_in};
use crate::net::{Changes, Poll, Registered};

/// The most messages that one call reads, so that a flood of them leaves the others their turn.
const READS: usize = 64;

/// Tells of changes through the poller.
pub struct Monitor {
    socket: Registered<Socket>,
    buffer: Box<[u8]>,
}

impl Monitor {
    /// Begins to notice changes: from now on `key` is reported as readable when there are some. On failure says
    /// which call failed.
    pub fn open(poll: &Arc<Poll>, key: usize) -> Result<Self, (&'static str, io::Error)> {
        faults::at(Call::Watch, None).map_err(|error| ("socket", error))?;
        let socket = subscribe()?;
        socket.set_nonblocking(true).map_err(|error| ("fcntl", error))?;
        let socket = poll.register(socket, key).map_err(|error| ("epoll_ctl", error))?;
        // Links of Linux with many virtual functions have messages of several KiB. Of one that is longer still the
        // rest is cut, and not missed.
        Ok(Self { socket, buffer: vec![0; 32 << 10].into_boxed_slice() })
    }

    /// Adds what has changed since the last time, without waiting.
    pub fn read(&mut self, changes: &mut Changes) -> io::Result<()> {
        for _ in 0..READS {
            let read = faults::at(Call::Changes, None).and_then(|()| (&*self.socket).read(&mut self.buffer));
            match read {
                Ok(length) => take_in(&self.buffer[..length], changes),
                Err(error) => match error.raw_os_error() {
                    // Older messages were dropped for want of room: anything may have happened.
                    Some(libc::ENOBUFS) => changes.missed = true,
                    _ if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                    _ if error.kind() == io::ErrorKind::Interrupted => {}
                    _ => return Err(error),
                },
            }
        }
        Ok(())
    }
}
