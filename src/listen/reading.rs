//! Reading the sockets: when, how much at once, and for whom each datagram is.

use std::io;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use super::port::{PortId, PortKey, SharedPort};
use super::socket::Socket;
use super::{Listener, Listening, Membership, SocketId};
use crate::cast::{Casting, Own};
use crate::discover::peer::{self, To};
use crate::discovering::Discovering;
use crate::engine::mailbox::Source;
use crate::engine::timers::Timers;
use crate::engine::{Deadline, Notice, ObjectId};
use crate::error::Fault;
use crate::net::{Datagram, Datagrams, Family};

/// How long a socket rests after a read that did not fill a batch, so that a steady flow wakes JavaScript at
/// most 1,000 times a second. The first datagram after a quiet millisecond goes straight through.
const REST: Duration = Duration::from_millis(1);

/// So many batches are all that has come: more than a receive buffer holds.
const BATCHES: usize = 128;

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
    /// The poller says that a socket has something to read.
    pub(crate) fn readable(
        &mut self,
        key: usize,
        now: Instant,
        casting: &Casting,
        discovering: &mut Discovering,
        timers: &mut Timers<Deadline>,
    ) {
        let socket = SocketId(key);
        let Some(read) = self.socket(socket) else { return };
        let rested = read.emptied.map(|at| at + REST).filter(|at| *at > now);
        let read_at = match rested {
            Some(at) => Some(at),
            None => match self.read(socket, now, casting, discovering) {
                Left::More => Some(now),
                Left::Emptied | Left::Nothing => None,
            },
        };
        // A socket that cannot be paused is read at every turn instead: dearer, and as right.
        if let Some(at) = read_at
            && self.socket(socket).is_some_and(|read| read.socket.pause().is_ok())
        {
            timers.set(Deadline::Rest(socket), at);
        }
    }

    /// A socket has rested: it is read, and watched again once it has nothing.
    pub(crate) fn rested(
        &mut self,
        socket: SocketId,
        now: Instant,
        casting: &Casting,
        discovering: &mut Discovering,
        timers: &mut Timers<Deadline>,
    ) {
        match self.read(socket, now, casting, discovering) {
            // Later than `now`, so that it waits for the next turn and the others have theirs.
            Left::More => timers.set(Deadline::Rest(socket), now + Duration::from_nanos(1)),
            Left::Emptied => timers.set(Deadline::Rest(socket), now + REST),
            Left::Nothing => {
                let resumed = self.socket(socket).map(|read| read.socket.resume());
                if let Some(Err(_)) = resumed {
                    timers.set(Deadline::Rest(socket), now + REST);
                }
            }
        }
    }

    /// Where datagrams are read to. Others may use it, too: from one read to the next it keeps nothing.
    pub(crate) fn receive_buffer(&mut self) -> &mut Datagrams {
        &mut self.datagrams
    }

    fn socket(&mut self, id: SocketId) -> Option<&mut Socket> {
        self.ports.get_mut(&id.port())?.socket(id)
    }

    /// Reads all that has come to a listener.
    pub(crate) fn read_all(
        &mut self,
        id: ObjectId,
        now: Instant,
        casting: &Casting,
        discovering: &mut Discovering,
    ) {
        let ports = self.listeners.get(&id).map(|listener| listener.ports.clone()).unwrap_or_default();
        let sockets = ports.iter().filter_map(|attached| self.ports.get(&attached.port));
        let sockets: Vec<_> = sockets.flat_map(SharedPort::sockets).collect();
        for socket in sockets {
            let mut batches = 0;
            while batches < BATCHES && matches!(self.read(socket, now, casting, discovering), Left::More) {
                batches += 1;
            }
        }
    }

    /// Reads one batch and gives it to those it is for.
    fn read(&mut self, id: SocketId, now: Instant, casting: &Casting, discovering: &mut Discovering) -> Left {
        let Some(shared) = self.ports.get_mut(&id.port()) else { return Left::Nothing };
        let Some(socket) = shared.socket(id) else { return Left::Nothing };
        if let Err(error) = self.datagrams.receive(&*socket.socket) {
            return self.read_failed(id, now, &error);
        }
        socket.failing = None;
        // Finding nothing ends the rest: what comes next goes straight through.
        socket.emptied = (!self.datagrams.is_full() && !self.datagrams.is_empty()).then_some(now);
        // Every socket of a port gets what is sent to everybody; once is enough.
        let is_repeated =
            |datagram: &Datagram<'_>| id.is_further() && self.broadcast.contains(&datagram.destination);
        for listening in &shared.listeners {
            let Some(listener) = self.listeners.get(listening) else { continue };
            let datagrams = self.datagrams.iter().filter(|datagram| !is_repeated(datagram));
            let messages = datagrams.filter_map(|datagram| {
                let source = listener.source_if_wanted(id.port(), &datagram, casting.own())?;
                Some((source, datagram))
            });
            if discovering.has(*listening) {
                let heard = messages.map(|(Source { address, interface, group }, datagram)| {
                    let to_all = group.is_some() || self.broadcast.contains(&datagram.destination);
                    let to = if to_all { To::Group } else { To::Port };
                    (peer::Source { socket: address, interface }, to, datagram.payload)
                });
                discovering.hear(*listening, heard, casting, now);
            } else {
                let messages = messages.map(|(source, datagram)| (source, datagram.payload));
                listener.client.deliver(*listening, messages);
            }
        }
        let is_full = self.datagrams.is_full();
        let buffer = shared.granted_buffer();
        let may_have_lost = shared
            .socket(id)
            .is_some_and(|socket| socket.may_have_been_full(self.datagrams.len(), !is_full, buffer));
        if may_have_lost && shared.count_lost() {
            self.tell_socket_stats(id.port());
        }
        if is_full {
            return Left::More;
        }
        if self.datagrams.is_empty() { Left::Nothing } else { Left::Emptied }
    }

    /// Tells an error of reading once; the socket rests before it is tried again.
    fn read_failed(&mut self, id: SocketId, now: Instant, error: &io::Error) -> Left {
        let Some(shared) = self.ports.get_mut(&id.port()) else { return Left::Nothing };
        let PortKey { port, hears } = shared.key;
        let Some(socket) = shared.socket(id) else { return Left::Nothing };
        socket.emptied = Some(now);
        let fault = Fault::new("recvmsg", error).at(hears.bound_to(), port);
        if socket.failing.replace(fault.errno) != Some(fault.errno) {
            for id in &shared.listeners {
                if let Some(listener) = self.listeners.get(id) {
                    listener.client.notify(Notice::Warning(*id, fault.clone()));
                }
            }
        }
        Left::Emptied
    }
}

impl Listener {
    /// What to say of a datagram's origin, if this listener wants it from this port.
    fn source_if_wanted(&self, port: PortId, datagram: &Datagram<'_>, own: &Own) -> Option<Source> {
        let &Datagram { source, destination, interface, .. } = datagram;
        let group = destination.is_multicast().then_some(destination);
        let for_us = match group {
            Some(group) => self.memberships.contains(&(port, Membership { group, interface })),
            None => self.direct && self.interfaces.contains(&(Family::of(destination), interface)),
        };
        // For groups the system has seen to it already.
        let by_whom = self.source.is_none_or(|only| source.ip() == IpAddr::V4(only));
        if !for_us || !by_whom || (!self.hears_itself && own.contains(&source)) {
            return None;
        }
        Some(Source { address: source, interface, group })
    }
}
