//! What the listeners of one port share.

use std::io;
use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::socket::{Joined, Membership, Socket, SocketId};
use crate::engine::ObjectId;
use crate::error::Fault;
use crate::net::{Hears, Poll, Port, errno};

/// Names a [`SharedPort`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct PortId(pub(super) usize);

/// Who can share: those of one port that hear the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct PortKey {
    pub(super) port: u16,
    pub(super) hears: Hears,
}

/// A port as some listeners share it: each datagram is read once, however many of them want it, and each
/// membership is held once. It has one socket, and further ones for memberships that the system does not let one
/// socket have: Linux allows 20 over IPv4 (`net.ipv4.igmp_max_memberships`), counting each group on each
/// interface.
pub(super) struct SharedPort {
    id: PortId,
    pub(super) key: PortKey,
    pub(super) listeners: Vec<ObjectId>,
    /// The first lives as long as this.
    sockets: Vec<Socket>,
    memberships: FxHashMap<Membership, Held>,
    /// The largest receive buffer asked for, for each socket, in bytes.
    asked_buffer: usize,
    /// What the system reports to have granted to the first socket, in bytes.
    granted_buffer: u64,
    /// How many datagrams the kernel had dropped at the sockets when last asked.
    lost: u64,
}

/// A membership: where it is held, and how many listeners want it.
struct Held {
    socket: SocketId,
    users: usize,
}

impl SharedPort {
    /// Binds the first socket.
    pub(super) fn bind(port: Port, hears: Hears, id: PortId, poll: &Arc<Poll>) -> Result<Self, Fault> {
        let first = Socket::bind(port, hears, SocketId::new(id, 0), poll)?;
        let key = PortKey { port: first.socket.port(), hears };
        let refused = |error| Fault::new("getsockopt", &error).at(hears.bound_to(), key.port);
        Ok(Self {
            id,
            key,
            listeners: Vec::new(),
            granted_buffer: first.socket.receive_buffer().map_err(refused)? as u64,
            sockets: vec![first],
            memberships: FxHashMap::default(),
            asked_buffer: 0,
            lost: 0,
        })
    }

    pub(super) fn socket(&mut self, id: SocketId) -> Option<&mut Socket> {
        self.sockets.iter_mut().find(|socket| socket.id == id)
    }

    pub(super) fn sockets(&self) -> impl Iterator<Item = SocketId> {
        self.sockets.iter().map(|socket| socket.id)
    }

    /// One listener more wants a membership.
    pub(super) fn join(&mut self, membership: Membership, poll: &Arc<Poll>) -> Result<(), Fault> {
        if let Some(held) = self.memberships.get_mut(&membership) {
            held.users += 1;
            return Ok(());
        }
        let refused = |errno| Fault::of("join", errno).at(membership.group, self.key.port);
        for socket in &mut self.sockets {
            match socket.join(membership) {
                Joined::Yes => {
                    self.memberships.insert(membership, Held { socket: socket.id, users: 1 });
                    return Ok(());
                }
                Joined::Full => {}
                Joined::No(errno) => return Err(refused(errno)),
            }
        }
        let mut further = self.bind_further(poll)?;
        match further.join(membership) {
            Joined::Yes => {
                self.memberships.insert(membership, Held { socket: further.id, users: 1 });
                self.sockets.push(further);
                Ok(())
            }
            Joined::Full => Err(refused(errno::ENOBUFS)),
            Joined::No(errno) => Err(refused(errno)),
        }
    }

    fn bind_further(&self, poll: &Arc<Poll>) -> Result<Socket, Fault> {
        let is_free = |number: &usize| {
            let id = SocketId::new(self.id, *number);
            self.sockets.iter().all(|socket| socket.id != id)
        };
        let number = (1..).find(is_free).expect("there are fewer sockets than numbers");
        let PortKey { port, hears } = self.key;
        let further = Socket::bind(Port::Named(port), hears, SocketId::new(self.id, number), poll)?;
        let refused = |error| Fault::new("setsockopt", &error).at(hears.bound_to(), port);
        further.socket.set_receive_buffer(self.asked_buffer).map_err(refused)?;
        Ok(further)
    }

    /// One listener less wants a membership.
    pub(super) fn leave(&mut self, membership: Membership) {
        let Some(held) = self.memberships.get_mut(&membership) else { return };
        held.users -= 1;
        if held.users == 0
            && let Some(Held { socket, .. }) = self.memberships.remove(&membership)
            && let Some(socket) = self.socket(socket)
        {
            socket.leave(membership);
        }
    }

    /// Closes the further sockets that have joined nothing, and says which they were.
    pub(super) fn close_idle(&mut self) -> Vec<SocketId> {
        self.sockets.extract_if(.., |socket| socket.is_idle()).map(|socket| socket.id).collect()
    }

    /// Leaves some memberships and joins them again. Gives those that could not be joined again, which nobody has
    /// any more.
    pub(super) fn rejoin(&mut self, wanted: impl Fn(&Membership) -> bool) -> Vec<Membership> {
        let Self { sockets, memberships, .. } = self;
        let is_lost = |membership: &Membership, held: &mut Held| {
            wanted(membership)
                && sockets
                    .iter_mut()
                    .find(|socket| socket.id == held.socket)
                    .is_none_or(|socket| !socket.rejoin(*membership))
        };
        memberships.extract_if(is_lost).map(|(membership, _)| membership).collect()
    }

    /// Whether some membership is such.
    pub(super) fn has(&self, wanted: impl Fn(&Membership) -> bool) -> bool {
        self.memberships.keys().any(wanted)
    }

    /// Makes the receive buffers as large as the neediest listener asks.
    pub(super) fn enlarge_buffer(&mut self, bytes: usize) -> io::Result<()> {
        if bytes > self.asked_buffer {
            self.asked_buffer = bytes;
            for socket in &self.sockets {
                socket.socket.set_receive_buffer(bytes)?;
            }
            self.granted_buffer = self.sockets[0].socket.receive_buffer()? as u64;
        }
        Ok(())
    }

    pub(super) fn granted_buffer(&self) -> u64 {
        self.granted_buffer
    }

    /// Asks the kernel what it has dropped, and says whether that is more than before.
    pub(super) fn count_lost(&mut self) -> bool {
        let more: u64 = self.sockets.iter_mut().map(Socket::count_lost).sum();
        self.lost += more;
        more > 0
    }

    /// How many datagrams the kernel had dropped here when last asked.
    pub(super) fn lost(&self) -> u64 {
        self.lost
    }
}
