//! What announces without a schedule of its own, and hears the answers: the sending part of a discovery.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use super::paths::{Path, Paths, Target};
use super::sockets::SenderId;
use super::{Cast, CastCounters, Casting};
use crate::discover::peer::Source;
use crate::engine::timers::Timers;
use crate::engine::{Deadline, Doorbell, ObjectId};
use crate::net::{Datagrams, Family, Interface, InterfaceIndex, SendOptions};

/// What answers leave by that go where nothing else is sent, such as to loopback while other interfaces are used.
pub(super) const ROUTED: [SendOptions; 2] =
    [SendOptions::Routed(Family::V4), SendOptions::Routed(Family::V6)];

impl Casting {
    /// Opens one that sends what it is told to, when it is told to.
    pub(crate) fn open_announcing(
        &mut self,
        id: ObjectId,
        client: Arc<Doorbell>,
        (target, counters): (Arc<Target>, Arc<CastCounters>),
        interfaces: &[Interface],
        now: Instant,
        timers: &mut Timers<Deadline>,
    ) {
        let paths = self.take_paths(id, target, interfaces, now, timers);
        self.hold(ROUTED.into_iter(), timers);
        let mut heard = ROUTED.to_vec();
        if let Some(paths) = self.paths.get_mut(paths) {
            paths.is_heard = true;
            heard.extend(paths.sockets());
        }
        heard.into_iter().for_each(|socket| self.sockets.hear(socket));
        let payload = Box::default();
        self.casts.insert(id, Cast { client, payload, interval: None, paths, counters, trouble: None });
        self.tell_unresolved(id);
    }

    /// Sends to everybody, by all interfaces or by one. Until there is something newer, this is what is sent again where it
    /// could not be.
    pub(crate) fn announce(
        &mut self,
        id: ObjectId,
        payload: &[u8],
        on: Option<InterfaceIndex>,
        now: Instant,
        timers: &mut Timers<Deadline>,
    ) {
        let Some(cast) = self.casts.get_mut(&id) else { return };
        cast.payload = payload.into();
        let Some(paths) = self.paths.get(cast.paths) else { return };
        let is_there = |interface| on.is_none_or(|on| on == interface);
        let there: Vec<_> = paths.ways.iter().map(|way| is_there(way.interface)).collect();
        self.send_by(id, now, timers, |path, _| match path {
            Path::Way(i) => there[i],
            Path::Route(_) => true,
        });
    }

    /// Sends to one, by the interface that it was heard on.
    pub(crate) fn answer(&mut self, id: ObjectId, to: Source, payload: &[u8]) {
        let Some(cast) = self.casts.get(&id) else { return };
        let Some(paths) = self.paths.get(cast.paths) else { return };
        let family = Family::of(to.socket.ip());
        let leads_there = |socket: &SendOptions| {
            matches!(socket, SendOptions::Interface { interface, address, .. }
                if *interface == to.interface && Family::of(*address) == family)
        };
        let socket = paths.ways.iter().map(|way| way.socket).find(leads_there);
        let sent = self.sockets.send(&socket.unwrap_or(SendOptions::Routed(family)), payload, to.socket);
        cast.counters.count(&sent);
    }

    /// Reads one batch of answers, and says to which socket they came.
    pub(crate) fn read(&mut self, id: SenderId, datagrams: &mut Datagrams) -> Option<SendOptions> {
        self.sockets.read(id, datagrams)
    }

    /// Those of its sockets where answers can have come.
    pub(crate) fn senders(&self, id: ObjectId) -> Vec<SenderId> {
        self.ways(id).chain(ROUTED).filter_map(|socket| self.sockets.id(&socket)).collect()
    }

    /// The sockets by which it sends on interfaces.
    pub(crate) fn ways(&self, id: ObjectId) -> impl Iterator<Item = SendOptions> {
        self.paths_of(id).into_iter().flat_map(|paths| paths.ways.iter().map(|way| way.socket))
    }

    /// Whether this is an address of those it sends to by unicast.
    pub(crate) fn leads_to(&self, id: ObjectId, ip: IpAddr) -> bool {
        self.paths_of(id)
            .is_some_and(|paths| paths.routes.iter().any(|route| route.leads_to(ip, &self.names)))
    }

    /// Has the names that it sends to be looked up again at once.
    pub(crate) fn look_up_again(&self, id: ObjectId, now: Instant, timers: &mut Timers<Deadline>) {
        for name in self.paths_of(id).into_iter().flat_map(Paths::names) {
            self.names.again(name, now, timers);
        }
    }

    fn paths_of(&self, id: ObjectId) -> Option<&Paths> {
        self.casts.get(&id).and_then(|cast| self.paths.get(cast.paths))
    }
}
