//! Listening: sockets shared by port, and who gets what they hear.

use std::collections::{HashMap, HashSet};
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::engine::mailbox::Source;
use crate::engine::timers::Timers;
use crate::engine::{Deadline, Doorbell, Notice, ObjectId};
use crate::error::Fault;
use crate::net::{Datagram, Datagrams, Interface, InterfaceIndex, ListenSocket, Poll, Registered, Selection};

/// How long a socket rests after a read that did not fill a batch, so that a steady flow wakes JavaScript at
/// most 1,000 times a second. The first datagram after a quiet millisecond goes straight through.
const REST: Duration = Duration::from_millis(1);

/// How a listener listens.
#[derive(Clone, Debug)]
pub struct ListenOptions {
    /// The groups to join.
    pub groups: Vec<Ipv4Addr>,
    /// The port; 0 lets the system choose.
    pub port: u16,
    /// On which interfaces.
    pub selection: Selection,
    /// Whether datagrams sent to this host rather than to a group are heard.
    pub direct: bool,
    /// Whether what this process sends is heard.
    pub hears_itself: bool,
    /// How many bytes may wait for JavaScript, see [`crate::engine::mailbox::Mailbox`].
    pub high_water_mark: usize,
    /// The socket's receive buffer to ask for, in bytes.
    pub receive_buffer: usize,
}

impl Default for ListenOptions {
    fn default() -> Self {
        Self {
            groups: vec![Ipv4Addr::new(224, 0, 0, 1)],
            port: 9778,
            selection: Selection::default(),
            direct: true,
            hears_itself: true,
            high_water_mark: 16 << 20,
            receive_buffer: 4 << 20,
        }
    }
}

/// All listeners and their sockets.
pub(crate) struct Listening {
    poll: Arc<Poll>,
    sockets: HashMap<u16, SharedSocket>,
    listeners: HashMap<ObjectId, Listener>,
    datagrams: Datagrams,
}

/// The one socket of a port. A datagram is read once, however many listeners want it.
struct SharedSocket {
    socket: Registered<ListenSocket>,
    listeners: Vec<ObjectId>,
    /// How many listeners want each membership.
    memberships: HashMap<(Ipv4Addr, InterfaceIndex), usize>,
    /// The largest receive buffer asked for, and what the system reports to have granted, in bytes.
    asked_buffer: usize,
    granted_buffer: u64,
    /// When the socket was last read, if that gave something and did not fill a batch.
    emptied: Option<Instant>,
    /// The kernel's count of dropped datagrams, modulo 2^32, when last asked; and in full.
    drops: u32,
    lost: u64,
    /// The error of the last read, so that it is told once.
    failing: Option<i32>,
}

struct Listener {
    client: Arc<Doorbell>,
    port: u16,
    groups: Vec<Ipv4Addr>,
    interfaces: Vec<InterfaceIndex>,
    memberships: Vec<(Ipv4Addr, InterfaceIndex)>,
    selection: Selection,
    direct: bool,
    hears_itself: bool,
    /// What the socket had lost before this listener opened.
    lost_before: u64,
}

/// What a read left behind.
enum Left {
    /// Nothing was there.
    Nothing,
    /// Something was, and now there is nothing.
    Emptied,
    /// Perhaps more.
    More,
}

impl Listening {
    pub(crate) fn new(poll: Arc<Poll>) -> Self {
        Self { poll, sockets: HashMap::new(), listeners: HashMap::new(), datagrams: Datagrams::default() }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.listeners.is_empty()
    }

    /// Opens a listener and says which port it hears. Only the port can be refused; a group that cannot be
    /// joined on some interface is a warning.
    pub(crate) fn open(
        &mut self,
        id: ObjectId,
        client: Arc<Doorbell>,
        options: ListenOptions,
        interfaces: &[Interface],
    ) -> Result<u16, Fault> {
        let ListenOptions { groups, selection, direct, hears_itself, .. } = options;
        let shared = match self.sockets.remove(&options.port) {
            Some(shared) => shared,
            None => self.bind(options.port)?,
        };
        let port = shared.socket.port();
        let shared = self.sockets.entry(port).or_insert(shared);
        shared.listeners.push(id);
        let enlarged = shared.enlarge_buffer(options.receive_buffer).unwrap_or_else(|error| {
            client.notify(Notice::Warning(id, Fault::new("setsockopt", &error)));
            false
        });
        let lost_more = shared.count_lost();
        client.set_socket_stats(id, 0, shared.granted_buffer);
        let listener = Listener {
            interfaces: Vec::new(),
            client,
            port,
            groups: Vec::new(),
            memberships: Vec::new(),
            selection,
            direct,
            hears_itself,
            lost_before: shared.lost,
        };
        self.listeners.insert(id, listener);
        if enlarged || lost_more {
            self.tell_socket_stats(port);
        }
        for group in groups {
            self.join(id, group, interfaces);
        }
        Ok(port)
    }

    /// Closes a listener, and the socket with its last one. Says whose it was.
    pub(crate) fn close(&mut self, id: ObjectId, timers: &mut Timers<Deadline>) -> Option<Arc<Doorbell>> {
        for group in self.listeners.get(&id)?.groups.clone() {
            self.leave(id, group);
        }
        let listener = self.listeners.remove(&id)?;
        if let Some(shared) = self.sockets.get_mut(&listener.port) {
            shared.listeners.retain(|other| *other != id);
            if shared.listeners.is_empty() {
                self.sockets.remove(&listener.port);
                timers.cancel(Deadline::Rest(listener.port));
            }
        }
        Some(listener.client)
    }

    /// The listeners of one client.
    pub(crate) fn opened_by(&self, client: &Arc<Doorbell>) -> Vec<ObjectId> {
        let of_client = |(_, listener): &(&ObjectId, &Listener)| Arc::ptr_eq(&listener.client, client);
        self.listeners.iter().filter(of_client).map(|(id, _)| *id).collect()
    }

    /// Whose listener it is.
    pub(crate) fn client(&self, id: ObjectId) -> Option<Arc<Doorbell>> {
        self.listeners.get(&id).map(|listener| Arc::clone(&listener.client))
    }

    /// Joins a group on the listener's interfaces, as they are now.
    pub(crate) fn join(&mut self, id: ObjectId, group: Ipv4Addr, interfaces: &[Interface]) {
        let Some(listener) = self.listeners.get_mut(&id) else { return };
        let Some(shared) = self.sockets.get_mut(&listener.port) else { return };
        if !listener.groups.contains(&group) {
            listener.groups.push(group);
        }
        let chosen = listener.selection.listening(interfaces);
        listener.interfaces = chosen.iter().map(|one| one.index).collect();
        for chosen in chosen {
            let membership = (group, chosen.index);
            if listener.memberships.contains(&membership) {
                continue;
            }
            match shared.join(membership) {
                Ok(()) => listener.memberships.push(membership),
                Err(error) => {
                    let mut fault = Fault::new("join", &error).at(group.into(), listener.port);
                    if let Some(interface) = interfaces.iter().find(|one| one.index == chosen.index) {
                        fault = fault.on(Arc::clone(&interface.name));
                    }
                    listener.client.notify(Notice::Warning(id, fault));
                }
            }
        }
    }

    /// Leaves a group wherever the listener has joined it.
    pub(crate) fn leave(&mut self, id: ObjectId, group: Ipv4Addr) {
        let Some(listener) = self.listeners.get_mut(&id) else { return };
        let Some(shared) = self.sockets.get_mut(&listener.port) else { return };
        listener.groups.retain(|joined| *joined != group);
        listener.memberships.retain(|membership| {
            let leaving = membership.0 == group;
            if leaving {
                shared.leave(*membership);
            }
            !leaving
        });
    }

    /// The poller says that the socket with this key has something to read.
    pub(crate) fn readable(
        &mut self,
        key: usize,
        now: Instant,
        own: &HashSet<SocketAddr>,
        timers: &mut Timers<Deadline>,
    ) {
        let Ok(port) = u16::try_from(key) else { return };
        let Some(shared) = self.sockets.get_mut(&port) else { return };
        let rested = shared.emptied.map(|at| at + REST).filter(|at| *at > now);
        let read_at = match rested {
            Some(at) => Some(at),
            None => match self.read(port, now, own) {
                Left::More => Some(now),
                Left::Emptied | Left::Nothing => None,
            },
        };
        // A socket that cannot be paused is read at every turn instead: dearer, and as right.
        if let Some(at) = read_at
            && self.sockets.get(&port).is_some_and(|shared| shared.socket.pause().is_ok())
        {
            timers.set(Deadline::Rest(port), at);
        }
    }

    /// A socket has rested: it is read, and watched again once it has nothing.
    pub(crate) fn rested(
        &mut self,
        port: u16,
        now: Instant,
        own: &HashSet<SocketAddr>,
        timers: &mut Timers<Deadline>,
    ) {
        match self.read(port, now, own) {
            // Later than `now`, so that it waits for the next turn and the others have theirs.
            Left::More => timers.set(Deadline::Rest(port), now + Duration::from_nanos(1)),
            Left::Emptied => timers.set(Deadline::Rest(port), now + REST),
            Left::Nothing => {
                let resumed = self.sockets.get(&port).map(|shared| shared.socket.resume());
                if let Some(Err(_)) = resumed {
                    timers.set(Deadline::Rest(port), now + REST);
                }
            }
        }
    }

    fn bind(&self, port: u16) -> Result<SharedSocket, Fault> {
        let refused = |(syscall, error): (&'static str, io::Error)| {
            Fault::new(syscall, &error).at(Ipv4Addr::UNSPECIFIED.into(), port)
        };
        let socket = ListenSocket::bind(port).map_err(refused)?;
        let granted = socket.receive_buffer().map_err(|error| refused(("getsockopt", error)))?;
        let key = usize::from(socket.port());
        let socket = self.poll.register(socket, key).map_err(|error| refused(("epoll_ctl", error)))?;
        Ok(SharedSocket {
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

    /// Reads one batch and gives it to those it is for.
    fn read(&mut self, port: u16, now: Instant, own: &HashSet<SocketAddr>) -> Left {
        let Some(shared) = self.sockets.get_mut(&port) else { return Left::Nothing };
        if let Err(error) = self.datagrams.receive(&*shared.socket) {
            return self.read_failed(port, now, &error);
        }
        shared.failing = None;
        for id in &shared.listeners {
            let Some(listener) = self.listeners.get(id) else { continue };
            let messages = self.datagrams.iter().filter_map(|datagram| {
                listener.source_if_wanted(&datagram, own).map(|source| (source, datagram.payload))
            });
            listener.client.deliver(*id, messages);
        }
        if self.datagrams.is_full() {
            shared.emptied = None;
            return Left::More;
        }
        // Finding nothing ends the rest: what comes next goes straight through.
        shared.emptied = (!self.datagrams.is_empty()).then_some(now);
        if shared.count_lost() {
            self.tell_socket_stats(port);
        }
        if self.datagrams.is_empty() { Left::Nothing } else { Left::Emptied }
    }

    /// Writes what the kernel says of a port's socket into the stats of its listeners.
    fn tell_socket_stats(&self, port: u16) {
        let Some(shared) = self.sockets.get(&port) else { return };
        for id in &shared.listeners {
            if let Some(listener) = self.listeners.get(id) {
                let lost = shared.lost - listener.lost_before;
                listener.client.set_socket_stats(*id, lost, shared.granted_buffer);
            }
        }
    }

    /// Tells an error of reading once; the socket rests before it is tried again.
    fn read_failed(&mut self, port: u16, now: Instant, error: &io::Error) -> Left {
        let Some(shared) = self.sockets.get_mut(&port) else { return Left::Nothing };
        shared.emptied = Some(now);
        let fault = Fault::new("recvmsg", error).at(Ipv4Addr::UNSPECIFIED.into(), port);
        if shared.failing.replace(fault.errno) != Some(fault.errno) {
            for id in &shared.listeners {
                if let Some(listener) = self.listeners.get(id) {
                    listener.client.notify(Notice::Warning(*id, fault.clone()));
                }
            }
        }
        Left::Emptied
    }
}

impl SharedSocket {
    fn join(&mut self, membership: (Ipv4Addr, InterfaceIndex)) -> io::Result<()> {
        let users = self.memberships.get(&membership).copied().unwrap_or(0);
        if users == 0 {
            self.socket.join(membership.0, membership.1)?;
        }
        self.memberships.insert(membership, users + 1);
        Ok(())
    }

    fn leave(&mut self, membership: (Ipv4Addr, InterfaceIndex)) {
        let Some(users) = self.memberships.get_mut(&membership) else { return };
        *users -= 1;
        if *users == 0 {
            self.memberships.remove(&membership);
            // EADDRNOTAVAIL: the membership went with its interface, which is what is wanted.
            let _ = self.socket.leave(membership.0, membership.1);
        }
    }

    /// Makes the receive buffer as large as the neediest listener asks; says whether it was not before.
    fn enlarge_buffer(&mut self, bytes: usize) -> io::Result<bool> {
        let enlarge = bytes > self.asked_buffer;
        if enlarge {
            self.socket.set_receive_buffer(bytes)?;
            self.asked_buffer = bytes;
            self.granted_buffer = self.socket.receive_buffer()? as u64;
        }
        Ok(enlarge)
    }

    /// Asks the kernel how many datagrams it has dropped here, and says whether there are more than before.
    /// Where it does not tell, none are counted.
    fn count_lost(&mut self) -> bool {
        let Ok(drops) = self.socket.drops() else { return false };
        let more = drops.wrapping_sub(self.drops);
        self.drops = drops;
        self.lost += u64::from(more);
        more > 0
    }
}

impl Listener {
    /// What to say of a datagram's origin, if this listener wants it.
    fn source_if_wanted(&self, datagram: &Datagram<'_>, own: &HashSet<SocketAddr>) -> Option<Source> {
        let &Datagram { source, destination, interface, .. } = datagram;
        let group = match destination {
            IpAddr::V4(group) if group.is_multicast() => Some(group),
            _ => None,
        };
        let for_us = match group {
            Some(group) => self.memberships.contains(&(group, interface)),
            None => self.direct && self.interfaces.contains(&interface),
        };
        if !for_us || (!self.hears_itself && own.contains(&source)) {
            return None;
        }
        Some(Source { address: source, interface, group: group.map(IpAddr::V4) })
    }
}
