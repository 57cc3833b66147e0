//! Listening: who hears what.

mod reading;
mod socket;

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use crate::engine::timers::Timers;
use crate::engine::{Deadline, Doorbell, Notice, ObjectId};
use crate::error::Fault;
use crate::net::{
    Chosen, Datagrams, Family, Hears, Interface, InterfaceIndex, Poll, Port, Selection, Skipped,
};
use crate::report::{InterfaceReport, Usage, report};

pub(crate) use socket::SocketId;
use socket::{Membership, SharedSocket, SocketKey};

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

/// All listeners and their sockets.
pub(crate) struct Listening {
    poll: Arc<Poll>,
    sockets: HashMap<SocketId, SharedSocket>,
    ids: HashMap<SocketKey, SocketId>,
    next: usize,
    listeners: HashMap<ObjectId, Listener>,
    datagrams: Datagrams,
}

struct Listener {
    client: Arc<Doorbell>,
    port: u16,
    sockets: Vec<Attached>,
    groups: Vec<IpAddr>,
    /// Where what is sent to this host rather than to a group is heard.
    interfaces: Vec<(Family, InterfaceIndex)>,
    memberships: Vec<(SocketId, Membership)>,
    /// The groups that could not be joined on an interface.
    failing: Vec<(Membership, Fault)>,
    selection: Selection,
    source: Option<Ipv4Addr>,
    direct: bool,
    hears_itself: bool,
    receive_buffer: usize,
    /// What was lost on sockets that it uses no longer.
    lost: u64,
}

/// A socket that a listener uses.
#[derive(Clone, Copy)]
struct Attached {
    socket: SocketId,
    /// What the socket had lost before.
    lost_before: u64,
}

impl Listening {
    pub(crate) fn new(poll: Arc<Poll>) -> Self {
        Self {
            poll,
            sockets: HashMap::new(),
            ids: HashMap::new(),
            next: 0,
            listeners: HashMap::new(),
            datagrams: Datagrams::default(),
        }
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
        timers: &mut Timers<Deadline>,
    ) -> Result<u16, Fault> {
        let ListenOptions { groups, port, selection, source, direct, hears_itself, receive_buffer, .. } =
            options;
        let listener = Listener {
            client,
            port,
            sockets: Vec::new(),
            groups: Vec::new(),
            interfaces: Vec::new(),
            memberships: Vec::new(),
            failing: Vec::new(),
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
            listener.port = bound;
        }
        for group in groups {
            self.join(id, group, interfaces);
        }
        Ok(bound)
    }

    /// Closes a listener, and the sockets with their last one. Says whose it was.
    pub(crate) fn close(&mut self, id: ObjectId, timers: &mut Timers<Deadline>) -> Option<Arc<Doorbell>> {
        for group in self.listeners.get(&id)?.groups.clone() {
            self.leave(id, group, timers);
        }
        self.detach_all(id, timers);
        self.listeners.remove(&id).map(|listener| listener.client)
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
    pub(crate) fn join(&mut self, id: ObjectId, group: IpAddr, interfaces: &[Interface]) {
        let Some(listener) = self.listeners.get_mut(&id) else { return };
        let family = Family::of(group);
        if !listener.groups.contains(&group) {
            listener.groups.push(group);
        }
        let hears = match (group, listener.source) {
            (IpAddr::V4(group), Some(source)) => Hears::Source { group, source },
            _ => Hears::Groups(family),
        };
        let port = listener.port;
        let chosen: Vec<Chosen> =
            listener.selection.listening(interfaces, family).into_iter().flatten().collect();
        listener.interfaces.retain(|(of, _)| *of != family);
        listener.interfaces.extend(chosen.iter().map(|one| (family, one.index)));
        let attached = self.attach(id, Port::Named(port), hears);
        let Some(listener) = self.listeners.get_mut(&id) else { return };
        let socket = match attached {
            Ok(socket) => socket,
            Err(fault) => {
                listener.cannot_hear(id, group, &chosen, fault);
                return;
            }
        };
        let Some(shared) = self.sockets.get_mut(&socket) else { return };
        for one in chosen {
            let membership = Membership { group, interface: one.index };
            listener.failing.retain(|(failing, _)| *failing != membership);
            let joined = listener.memberships.iter().any(|(_, joined)| *joined == membership);
            if joined || !one.multicast {
                continue;
            }
            match shared.join(membership) {
                Ok(()) => listener.memberships.push((socket, membership)),
                Err(error) => {
                    let fault = Fault::new("join", &error).at(group, port).on(one.name);
                    listener.failing.push((membership, fault.clone()));
                    listener.client.notify(Notice::Warning(id, fault));
                }
            }
        }
    }

    /// Leaves a group wherever the listener has joined it.
    pub(crate) fn leave(&mut self, id: ObjectId, group: IpAddr, timers: &mut Timers<Deadline>) {
        let Some(listener) = self.listeners.get_mut(&id) else { return };
        listener.groups.retain(|joined| *joined != group);
        listener.failing.retain(|(membership, _)| membership.group != group);
        listener.memberships.retain(|(socket, membership)| {
            let leaving = membership.group == group;
            if leaving && let Some(shared) = self.sockets.get_mut(socket) {
                shared.leave(*membership);
            }
            !leaving
        });
        // A socket for this group alone has nothing more to hear.
        let for_group = |attached: &&Attached| {
            let hears = self.sockets.get(&attached.socket).map(|shared| shared.key().hears);
            matches!(hears, Some(Hears::Source { group: only, .. }) if IpAddr::V4(only) == group)
        };
        if let Some(socket) = listener.sockets.iter().find(for_group).map(|attached| attached.socket) {
            self.detach(id, socket, timers);
        }
    }

    /// What a listener does with each interface.
    pub(crate) fn report(&self, id: ObjectId, interfaces: &[Interface]) -> Option<Vec<InterfaceReport>> {
        let listener = self.listeners.get(&id)?;
        let verdicts = Family::ALL.map(|family| listener.selection.listening(interfaces, family));
        Some(report(interfaces, |i, family| {
            let interface = &interfaces[i];
            let is_here = |membership: &Membership| {
                membership.interface == interface.index && Family::of(membership.group) == family
            };
            if let Some((_, fault)) = listener.failing.iter().find(|(membership, _)| is_here(membership)) {
                return Usage::Failing(fault.clone());
            }
            if listener.memberships.iter().any(|(_, membership)| is_here(membership)) {
                return Usage::Joined;
            }
            if !listener.groups.iter().any(|group| Family::of(*group) == family) {
                return Usage::Skipped(Skipped::NoGroup(family));
            }
            Usage::Skipped(match &verdicts[family as usize][i] {
                Err(skipped) => skipped.clone(),
                Ok(chosen) if !chosen.multicast => Skipped::LoopbackV6,
                Ok(_) => Skipped::NotThen,
            })
        }))
    }

    /// Binds a socket for each family of the groups, all to one port, which it returns. If the system has no
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
                Err(fault) if port == 0 && fault.errno == libc::EADDRINUSE => self.detach_all(id, timers),
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
                Ok(socket) => bound = self.port(socket),
                // That is told, if at all, when the groups are joined.
                Err(fault) if fault.errno == libc::EAFNOSUPPORT => {}
                Err(fault) => return Err(fault),
            }
        }
        if bound.is_none() {
            let port = if wanted == 0 { Port::Free(0) } else { Port::Named(wanted) };
            let socket = self.attach(id, port, Hears::Groups(Family::V4))?;
            bound = self.port(socket);
        }
        Ok(bound.unwrap_or(wanted))
    }

    fn port(&self, socket: SocketId) -> Option<u16> {
        self.sockets.get(&socket).map(|shared| shared.key().port)
    }

    /// Makes a listener a user of a socket, which is bound if it is not there yet.
    fn attach(&mut self, id: ObjectId, port: Port, hears: Hears) -> Result<SocketId, Fault> {
        let known = match port {
            Port::Named(port) => self.ids.get(&SocketKey { port, hears }),
            Port::Free(_) => None,
        };
        let socket = match known {
            Some(socket) => *socket,
            None => {
                let socket = SocketId(self.next);
                let shared = SharedSocket::bind(port, hears, socket, &self.poll)?;
                self.next += 1;
                self.ids.insert(shared.key(), socket);
                self.sockets.insert(socket, shared);
                socket
            }
        };
        let (Some(listener), Some(shared)) = (self.listeners.get_mut(&id), self.sockets.get_mut(&socket))
        else {
            return Ok(socket);
        };
        if listener.sockets.iter().all(|attached| attached.socket != socket) {
            shared.listeners.push(id);
            if let Err(error) = shared.enlarge_buffer(listener.receive_buffer) {
                listener.client.notify(Notice::Warning(id, Fault::new("setsockopt", &error)));
            }
            shared.count_lost();
            listener.sockets.push(Attached { socket, lost_before: shared.lost() });
            self.tell_socket_stats(socket);
        }
        Ok(socket)
    }

    /// Ends a listener's use of a socket, which is closed with its last user.
    fn detach(&mut self, id: ObjectId, socket: SocketId, timers: &mut Timers<Deadline>) {
        let (Some(listener), Some(shared)) = (self.listeners.get_mut(&id), self.sockets.get_mut(&socket))
        else {
            return;
        };
        if let Some(position) = listener.sockets.iter().position(|attached| attached.socket == socket) {
            let attached = listener.sockets.swap_remove(position);
            listener.lost += shared.lost() - attached.lost_before;
        }
        shared.listeners.retain(|other| *other != id);
        if shared.listeners.is_empty() {
            self.ids.remove(&shared.key());
            self.sockets.remove(&socket);
            timers.cancel(Deadline::Rest(socket));
        }
    }

    fn detach_all(&mut self, id: ObjectId, timers: &mut Timers<Deadline>) {
        let sockets = self.listeners.get(&id).map(|listener| listener.sockets.clone()).unwrap_or_default();
        for attached in sockets {
            self.detach(id, attached.socket, timers);
        }
    }

    /// Writes what the kernel says of a socket into the stats of its listeners.
    fn tell_socket_stats(&self, socket: SocketId) {
        let Some(shared) = self.sockets.get(&socket) else { return };
        for id in &shared.listeners {
            let Some(listener) = self.listeners.get(id) else { continue };
            let mut lost = listener.lost;
            let mut buffer = u64::MAX;
            for attached in &listener.sockets {
                let Some(shared) = self.sockets.get(&attached.socket) else { continue };
                lost += shared.lost() - attached.lost_before;
                buffer = buffer.min(shared.granted_buffer());
            }
            listener.client.set_socket_stats(*id, lost, buffer);
        }
    }
}

impl Listener {
    /// There is no socket for a group.
    fn cannot_hear(&mut self, id: ObjectId, group: IpAddr, chosen: &[Chosen], fault: Fault) {
        for one in chosen {
            let membership = Membership { group, interface: one.index };
            self.failing.retain(|(failing, _)| *failing != membership);
            self.failing.push((membership, fault.clone()));
        }
        // A system without IPv6 is one of which no interface has an IPv6 address: nothing to tell, unless
        // nothing else is heard.
        if fault.errno != libc::EAFNOSUPPORT || self.groups.iter().all(IpAddr::is_ipv6) {
            self.client.notify(Notice::Warning(id, fault));
        }
    }
}
