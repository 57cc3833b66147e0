//! Listening: who hears what.

mod following;
mod port;
mod reading;
mod socket;

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Instant;

use rustc_hash::{FxHashMap, FxHashSet};

use crate::engine::backoff::Backoff;
use crate::engine::timers::Timers;
use crate::engine::{Deadline, Doorbell, Notice, ObjectId};
use crate::error::Fault;
use crate::net::{Datagrams, Family, Hears, Interface, InterfaceIndex, Poll, Port, Selection, errno};

use port::{PortId, PortKey, SharedPort};
use socket::Membership;
pub(crate) use socket::SocketId;

/// How often a free port is looked for that is free in both families.
const PORT_TRIES: usize = 32;

/// How a listener listens.
#[derive(Clone, Debug)]
pub struct ListenOptions {
    /// The groups to join.
    pub groups: Vec<IpAddr>,
    /// The port; 0 lets the system choose.
    pub port: u16,
    /// On which interfaces.
    pub selection: Selection,
    /// The only sender that is heard, if any.
    pub source: Option<Ipv4Addr>,
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
            groups: vec![[224, 0, 0, 1].into()],
            port: 9778,
            selection: Selection::default(),
            source: None,
            direct: true,
            hears_itself: true,
            high_water_mark: 16 << 20,
            receive_buffer: 4 << 20,
        }
    }
}

/// All listeners and their ports.
pub(crate) struct Listening {
    poll: Arc<Poll>,
    ports: FxHashMap<PortId, SharedPort>,
    ids: FxHashMap<PortKey, PortId>,
    next: usize,
    listeners: FxHashMap<ObjectId, Listener>,
    /// The IPv4 broadcast addresses of this host's networks.
    broadcast: FxHashSet<IpAddr>,
    datagrams: Datagrams,
}

struct Listener {
    client: Arc<Doorbell>,
    port: u16,
    ports: Vec<Attached>,
    groups: Vec<IpAddr>,
    /// Where what is sent to this host rather than to a group is heard.
    interfaces: Vec<(Family, InterfaceIndex)>,
    memberships: Vec<(PortId, Membership)>,
    /// The groups that could not be joined on an interface, and why.
    failing: Vec<(Membership, Fault)>,
    retries: Backoff,
    selection: Selection,
    source: Option<Ipv4Addr>,
    direct: bool,
    hears_itself: bool,
    receive_buffer: usize,
    /// What was lost on ports that it uses no longer.
    lost: u64,
}

/// A port that a listener uses.
#[derive(Clone, Copy)]
struct Attached {
    port: PortId,
    /// What the port had lost before.
    lost_before: u64,
}

impl Listening {
    pub(crate) fn new(poll: Arc<Poll>) -> Self {
        Self {
            poll,
            ports: FxHashMap::default(),
            ids: FxHashMap::default(),
            next: 0,
            listeners: FxHashMap::default(),
            broadcast: FxHashSet::default(),
            datagrams: Datagrams::default(),
        }
    }

    /// Opens a listener and says which port it hears. Only the port can be refused; a group that cannot be
    /// joined on some interface is a warning.
    pub(crate) fn open(
        &mut self,
        id: ObjectId,
        client: Arc<Doorbell>,
        options: ListenOptions,
        interfaces: &[Interface],
        now: Instant,
        timers: &mut Timers<Deadline>,
    ) -> Result<u16, Fault> {
        let ListenOptions { groups, port, selection, source, direct, hears_itself, receive_buffer, .. } =
            options;
        let listener = Listener {
            client,
            port,
            ports: Vec::new(),
            groups: Vec::new(),
            interfaces: Vec::new(),
            memberships: Vec::new(),
            failing: Vec::new(),
            retries: Backoff::default(),
            selection,
            source,
            direct,
            hears_itself,
            receive_buffer,
            lost: 0,
        };
        self.listeners.insert(id, listener);
        let bound = match self.bind(id, port, &groups, timers) {
            Ok(bound) => bound,
            Err(fault) => {
                self.close(id, timers);
                return Err(fault);
            }
        };
        if let Some(listener) = self.listeners.get_mut(&id) {
            // A system without IPv6 is one of which no interface has an IPv6 address: nothing to tell, unless
            // nothing else is heard.
            let v6 = PortKey { port: bound, hears: Hears::Groups(Family::V6) };
            if groups.iter().all(IpAddr::is_ipv6) && !self.ids.contains_key(&v6) {
                let fault = Fault::of("socket", errno::EAFNOSUPPORT).at(Family::V6.unspecified(), bound);
                listener.client.notify(Notice::Warning(id, fault));
            }
            (listener.port, listener.groups) = (bound, groups);
        }
        self.follow(id, interfaces, now, timers);
        Ok(bound)
    }

    /// Closes a listener, and the sockets with their last one. Says whose it was.
    pub(crate) fn close(&mut self, id: ObjectId, timers: &mut Timers<Deadline>) -> Option<Arc<Doorbell>> {
        timers.cancel(Deadline::Retry(id));
        self.detach_all(id, timers);
        self.listeners.remove(&id).map(|listener| listener.client)
    }

    /// All listeners.
    pub(crate) fn ids(&self) -> impl Iterator<Item = ObjectId> {
        self.listeners.keys().copied()
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

    /// Joins a group on the listener's interfaces.
    pub(crate) fn join(
        &mut self,
        id: ObjectId,
        group: IpAddr,
        interfaces: &[Interface],
        now: Instant,
        timers: &mut Timers<Deadline>,
    ) {
        let Some(listener) = self.listeners.get_mut(&id) else { return };
        if !listener.groups.contains(&group) {
            listener.groups.push(group);
        }
        self.follow(id, interfaces, now, timers);
    }

    /// Leaves a group wherever the listener has joined it.
    pub(crate) fn leave(
        &mut self,
        id: ObjectId,
        group: IpAddr,
        interfaces: &[Interface],
        now: Instant,
        timers: &mut Timers<Deadline>,
    ) {
        let Some(listener) = self.listeners.get_mut(&id) else { return };
        listener.groups.retain(|joined| *joined != group);
        // Sockets for this group alone have nothing more to hear.
        let for_group = |attached: &&Attached| {
            let hears = self.ports.get(&attached.port).map(|shared| shared.key.hears);
            matches!(hears, Some(Hears::Source { group: only, .. }) if IpAddr::V4(only) == group)
        };
        if let Some(port) = listener.ports.iter().find(for_group).map(|attached| attached.port) {
            self.detach(id, port, timers);
        }
        self.follow(id, interfaces, now, timers);
    }

    /// Binds a port for each family of the groups, all with one number, which it returns. If the system has no
    /// IPv6 and there is no other group, the port is had over IPv4.
    fn bind(
        &mut self,
        id: ObjectId,
        port: u16,
        groups: &[IpAddr],
        timers: &mut Timers<Deadline>,
    ) -> Result<u16, Fault> {
        for _ in 1..PORT_TRIES {
            match self.try_bind(id, port, groups) {
                // The port that was free in one family is another program's in the other.
                Err(fault) if port == 0 && fault.errno == errno::EADDRINUSE => self.detach_all(id, timers),
                bound => return bound,
            }
        }
        self.try_bind(id, port, groups)
    }

    fn try_bind(&mut self, id: ObjectId, wanted: u16, groups: &[IpAddr]) -> Result<u16, Fault> {
        let mut bound = None;
        for family in Family::ALL {
            if !groups.iter().any(|group| Family::of(*group) == family) {
                continue;
            }
            let port = if wanted == 0 { Port::Free(bound.unwrap_or(0)) } else { Port::Named(wanted) };
            match self.attach(id, port, Hears::Groups(family)) {
                Ok(port) => bound = self.number(port),
                // That is told, if at all, when the groups are joined.
                Err(fault) if fault.errno == errno::EAFNOSUPPORT => {}
                Err(fault) => return Err(fault),
            }
        }
        if bound.is_none() {
            let port = if wanted == 0 { Port::Free(0) } else { Port::Named(wanted) };
            let port = self.attach(id, port, Hears::Groups(Family::V4))?;
            bound = self.number(port);
        }
        Ok(bound.unwrap_or(wanted))
    }

    fn number(&self, port: PortId) -> Option<u16> {
        self.ports.get(&port).map(|shared| shared.key.port)
    }

    /// Makes a listener a user of a port, which is bound if it is not there yet.
    fn attach(&mut self, id: ObjectId, port: Port, hears: Hears) -> Result<PortId, Fault> {
        let known = match port {
            Port::Named(port) => self.ids.get(&PortKey { port, hears }),
            Port::Free(_) => None,
        };
        let port = match known {
            Some(known) => *known,
            None => {
                let new = PortId(self.next);
                let shared = SharedPort::bind(port, hears, new, &self.poll)?;
                self.next += 1;
                self.ids.insert(shared.key, new);
                self.ports.insert(new, shared);
                new
            }
        };
        let (Some(listener), Some(shared)) = (self.listeners.get_mut(&id), self.ports.get_mut(&port)) else {
            return Ok(port);
        };
        if listener.ports.iter().all(|attached| attached.port != port) {
            shared.listeners.push(id);
            if let Err(error) = shared.enlarge_buffer(listener.receive_buffer) {
                listener.client.notify(Notice::Warning(id, Fault::new("setsockopt", &error)));
            }
            shared.count_lost();
            listener.ports.push(Attached { port, lost_before: shared.lost() });
            self.tell_socket_stats(port);
        }
        Ok(port)
    }

    /// Ends a listener's use of a port, which is closed with its last user.
    fn detach(&mut self, id: ObjectId, port: PortId, timers: &mut Timers<Deadline>) {
        let (Some(listener), Some(shared)) = (self.listeners.get_mut(&id), self.ports.get_mut(&port)) else {
            return;
        };
        listener.memberships.retain(|(of, membership)| {
            if *of == port {
                shared.leave(*membership);
            }
            *of != port
        });
        if let Some(position) = listener.ports.iter().position(|attached| attached.port == port) {
            let attached = listener.ports.swap_remove(position);
            listener.lost += shared.lost() - attached.lost_before;
        }
        shared.listeners.retain(|other| *other != id);
        if !shared.listeners.is_empty() {
            self.close_idle(port, timers);
            return;
        }
        for socket in shared.sockets() {
            timers.cancel(Deadline::Rest(socket));
        }
        self.ids.remove(&shared.key);
        self.ports.remove(&port);
    }

    fn detach_all(&mut self, id: ObjectId, timers: &mut Timers<Deadline>) {
        let ports = self.listeners.get(&id).map(|listener| listener.ports.clone()).unwrap_or_default();
        for attached in ports {
            self.detach(id, attached.port, timers);
        }
    }

    /// Closes the sockets of a port that it does not need any more.
    fn close_idle(&mut self, port: PortId, timers: &mut Timers<Deadline>) {
        let closed = self.ports.get_mut(&port).map(SharedPort::close_idle).unwrap_or_default();
        for socket in closed {
            timers.cancel(Deadline::Rest(socket));
        }
    }

    /// Writes what the kernel says of a port's sockets into the stats of its listeners.
    fn tell_socket_stats(&self, port: PortId) {
        let Some(shared) = self.ports.get(&port) else { return };
        for id in &shared.listeners {
            let Some(listener) = self.listeners.get(id) else { continue };
            let mut lost = listener.lost;
            let mut buffer = u64::MAX;
            for attached in &listener.ports {
                let Some(shared) = self.ports.get(&attached.port) else { continue };
                lost += shared.lost() - attached.lost_before;
                buffer = buffer.min(shared.granted_buffer());
            }
            listener.client.set_socket_stats(*id, lost, buffer);
        }
    }
}
