//! A listening socket of the system.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use super::port::PortId;
use crate::error::Fault;
use crate::net::{Hears, InterfaceIndex, ListenSocket, Poll, Port, Registered, errno};

/// The most that one datagram takes of a receive buffer, in bytes: its own size rounded up to a power of two, and the
/// kernel's bookkeeping.
const MOST_OF_BUFFER: u64 = 2 * 65_536 + 4096;

/// Names a listening socket, to the poller, too: the number of its port, and its own number there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct SocketId(pub(super) usize);

/// More than a process can have open on one port.
const SOCKETS: usize = 1 << 20;

impl SocketId {
    pub(super) fn new(port: PortId, number: usize) -> Self {
        Self(port.0 * SOCKETS + number)
    }

    pub(super) fn port(self) -> PortId {
        PortId(self.0 / SOCKETS)
    }

    /// Whether the port has another socket, which it had before this one.
    pub(super) fn is_further(self) -> bool {
        !self.0.is_multiple_of(SOCKETS)
    }
}

/// A group on an interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Membership {
    pub(super) group: IpAddr,
    pub(crate) interface: InterfaceIndex,
}

/// A socket, with what is known of reading it.
pub(super) struct Socket {
    pub(super) id: SocketId,
    pub(super) socket: Registered<ListenSocket>,
    memberships: usize,
    /// It has as many memberships as the system allows.
    is_full: bool,
    /// When it was last read, if that gave something and did not fill a batch.
    pub(super) emptied: Option<Instant>,
    /// The kernel's count of dropped datagrams, modulo 2^32, when last asked.
    drops: u32,
    /// How many were read since it was last found empty, or nearly so.
    queued: usize,
    /// The error of the last read, so that it is told once.
    pub(super) failing: Option<i32>,
}

/// What became of an attempt to join.
pub(super) enum Joined {
    Yes,
    /// Not here, but perhaps on another socket.
    Full,
    No(i32),
}

impl Socket {
    pub(super) fn bind(port: Port, hears: Hears, id: SocketId, poll: &Arc<Poll>) -> Result<Self, Fault> {
        let refused = |(syscall, error): (&'static str, io::Error)| {
            Fault::new(syscall, &error).at(hears.bound_to(), port.number())
        };
        let socket = ListenSocket::bind(port, hears).map_err(refused)?;
        let socket = poll.register(socket, id.0).map_err(|error| refused(("poll", error)))?;
        Ok(Self {
            id,
            socket,
            memberships: 0,
            is_full: false,
            emptied: None,
            drops: 0,
            queued: 0,
            failing: None,
        })
    }

    pub(super) fn join(&mut self, Membership { group, interface }: Membership) -> Joined {
        if self.is_full {
            return Joined::Full;
        }
        let error = self.socket.join(group, interface).err();
        match error.as_ref().map(errno::of) {
            // EADDRINUSE: it has joined. On macOS a membership outlives the absence of its interface, and could not be
            // ended during it.
            None | Some(errno::EADDRINUSE) => {
                self.memberships += 1;
                Joined::Yes
            }
            // The kernel counts IPv4 memberships (`igmp_max_memberships`), and the memory of IPv6 ones.
            Some(errno::ENOBUFS | errno::ENOMEM) if self.memberships > 0 => {
                self.is_full = true;
                Joined::Full
            }
            Some(errno) => Joined::No(errno),
        }
    }

    pub(super) fn leave(&mut self, Membership { group, interface }: Membership) {
        // EADDRNOTAVAIL: the membership went with its interface, which is what is wanted.
        let _ = self.socket.leave(group, interface);
        self.memberships -= 1;
        self.is_full = false;
    }

    /// Leaves and joins again at once, and says whether it could. Switches hear of the joining alone: the kernel
    /// takes back what it was about to say of the leaving.
    pub(super) fn rejoin(&mut self, membership: Membership) -> bool {
        self.leave(membership);
        matches!(self.join(membership), Joined::Yes)
    }

    /// Whether it is not needed: another hears what is sent straight to this host, and it has joined nothing.
    pub(super) fn is_idle(&self) -> bool {
        self.id.is_further() && self.memberships == 0
    }

    /// Takes in how many datagrams a read gave, and says once it is empty whether what has lain in it may have filled
    /// its buffer of so many bytes: only then has the kernel dropped any, which is not worth asking each time.
    pub(super) fn may_have_been_full(&mut self, read: usize, is_empty: bool, buffer: u64) -> bool {
        self.queued += read;
        let most = self.queued as u64 * MOST_OF_BUFFER;
        if is_empty {
            self.queued = 0;
        }
        is_empty && most >= buffer
    }

    /// Asks the kernel how many datagrams it has dropped here since it was last asked. Where it does not tell,
    /// none are counted.
    pub(super) fn count_lost(&mut self) -> u64 {
        let Ok(drops) = self.socket.drops() else { return 0 };
        u64::from(drops.wrapping_sub(std::mem::replace(&mut self.drops, drops)))
    }
}
