//! A listening socket and what its listeners share: memberships, buffer, what was lost.

use std::collections::HashMap;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use crate::engine::ObjectId;
use crate::error::Fault;
use crate::net::{Hears, InterfaceIndex, ListenSocket, Poll, Port, Registered};

/// Names a listening socket, to the poller, too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct SocketId(pub(super) usize);

/// Which sockets can be shared: those of one port that hear the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct SocketKey {
    pub(super) port: u16,
    pub(super) hears: Hears,
}

/// A group on an interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Membership {
    pub(super) group: IpAddr,
    pub(super) interface: InterfaceIndex,
}

/// A socket. A datagram is read once, however many listeners want it.
pub(super) struct SharedSocket {
    pub(super) socket: Registered<ListenSocket>,
    pub(super) listeners: Vec<ObjectId>,
    /// How many listeners want each membership.
    memberships: HashMap<Membership, usize>,
    /// The largest receive buffer asked for, and what the system reports to have granted, in bytes.
    asked_buffer: usize,
    granted_buffer: u64,
    /// When the socket was last read, if that gave something and did not fill a batch.
    pub(super) emptied: Option<Instant>,
    /// The kernel's count of dropped datagrams, modulo 2^32, when last asked; and in full.
    drops: u32,
    lost: u64,
    /// The error of the last read, so that it is told once.
    pub(super) failing: Option<i32>,
}

impl SharedSocket {
    pub(super) fn bind(port: Port, hears: Hears, id: SocketId, poll: &Arc<Poll>) -> Result<Self, Fault> {
        let refused = |(syscall, error): (&'static str, io::Error)| {
            Fault::new(syscall, &error).at(hears.bound_to(), port.number())
        };
        let socket = ListenSocket::bind(port, hears).map_err(refused)?;
        let granted = socket.receive_buffer().map_err(|error| refused(("getsockopt", error)))?;
        let socket = poll.register(socket, id.0).map_err(|error| refused(("epoll_ctl", error)))?;
        Ok(Self {
            socket,
            listeners: Vec::new(),
            memberships: HashMap::new(),
            asked_buffer: 0,
            granted_buffer: granted as u64,
            emptied: None,
            drops: 0,
            lost: 0,
            failing: None,
        })
    }

    pub(super) fn key(&self) -> SocketKey {
        SocketKey { port: self.socket.port(), hears: self.socket.hears() }
    }

    /// One listener more wants a membership.
    pub(super) fn join(&mut self, membership: Membership) -> io::Result<()> {
        let users = self.memberships.get(&membership).copied().unwrap_or(0);
        if users == 0 {
            self.socket.join(membership.group, membership.interface)?;
        }
        self.memberships.insert(membership, users + 1);
        Ok(())
    }

    /// One listener less wants a membership.
    pub(super) fn leave(&mut self, membership: Membership) {
        let Some(users) = self.memberships.get_mut(&membership) else { return };
        *users -= 1;
        if *users == 0 {
            self.memberships.remove(&membership);
            // EADDRNOTAVAIL: the membership went with its interface, which is what is wanted.
            let _ = self.socket.leave(membership.group, membership.interface);
        }
    }

    /// Makes the receive buffer as large as the neediest listener asks; says whether it was not before.
    pub(super) fn enlarge_buffer(&mut self, bytes: usize) -> io::Result<bool> {
        let enlarge = bytes > self.asked_buffer;
        if enlarge {
            self.socket.set_receive_buffer(bytes)?;
            self.asked_buffer = bytes;
            self.granted_buffer = self.socket.receive_buffer()? as u64;
        }
        Ok(enlarge)
    }

    pub(super) fn granted_buffer(&self) -> u64 {
        self.granted_buffer
    }

    /// Asks the kernel how many datagrams it has dropped here, and says whether there are more than before.
    /// Where it does not tell, none are counted.
    pub(super) fn count_lost(&mut self) -> bool {
        let Ok(drops) = self.socket.drops() else { return false };
        let more = drops.wrapping_sub(self.drops);
        self.drops = drops;
        self.lost += u64::from(more);
        more > 0
    }

    /// How many datagrams the kernel had dropped here when last asked.
    pub(super) fn lost(&self) -> u64 {
        self.lost
    }
}
