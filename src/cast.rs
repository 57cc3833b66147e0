//! Casting: what is sent when, and where to.

mod failure;
mod names;
mod route;
mod sockets;
mod way;

use std::collections::{HashMap, HashSet};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::engine::timers::Timers;
use crate::engine::{Deadline, Doorbell, Notice, ObjectId};
use crate::error::Fault;
use crate::net::{Destination, Family, Interface, Selection, SendOptions, Skipped};
use crate::report::{InterfaceReport, Usage, report};

use names::Names;
pub(crate) use names::{LookUp, NameId, Resolved};
use route::Route;
pub(crate) use sockets::Own;
use sockets::Sockets;
use way::{Way, ways};

/// How long a sending socket outlives its last cast while somebody listens. What it sent may still lie in
/// the kernel, and only while the port is ours can nobody else's datagram be taken for it.
const LINGER: Duration = Duration::from_secs(1);

/// How a cast casts.
#[derive(Clone, Debug)]
pub struct CastOptions {
    /// What is sent.
    pub payload: Box<[u8]>,
    /// How often.
    pub interval: Duration,
    /// To which groups.
    pub groups: Vec<IpAddr>,
    /// To which port.
    pub port: u16,
    /// Where to beside the groups, by unicast.
    pub to: Vec<Destination>,
    /// Whether to send to the IPv4 broadcast address of each interface, too.
    pub broadcast: bool,
    /// On which interfaces.
    pub selection: Selection,
    /// Hops a datagram to a group may make.
    pub ttl: u8,
    /// Whether this host hears it too.
    pub loopback: bool,
    /// What is counted while it casts.
    pub counters: Arc<CastCounters>,
}

/// The counts of a cast, shared with whoever asks for them.
#[derive(Debug, Default)]
pub struct CastCounters {
    sent: AtomicU64,
    failed: AtomicU64,
}

impl CastCounters {
    /// Datagrams handed to an interface.
    pub fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    /// Datagrams that the system did not take.
    pub fn failed(&self) -> u64 {
        self.failed.load(Ordering::Relaxed)
    }

    fn count(&self, sent: &Result<(), Fault>) {
        let counter = if sent.is_ok() { &self.sent } else { &self.failed };
        counter.fetch_add(1, Ordering::Relaxed);
    }
}

/// All casts.
pub(crate) struct Casting {
    sockets: Sockets,
    names: Names,
    casts: HashMap<ObjectId, Cast>,
    /// Where the cast that is being sent has gone by now; kept for its memory.
    sent_to: HashSet<SocketAddr>,
}

struct Cast {
    client: Arc<Doorbell>,
    payload: Box<[u8]>,
    interval: Duration,
    groups: Box<[IpAddr]>,
    broadcast: bool,
    selection: Selection,
    ways: Box<[Way]>,
    routes: Box<[Route]>,
    counters: Arc<CastCounters>,
}

impl Casting {
    /// No casts yet; `look_up` resolves the names they send to.
    pub(crate) fn new(look_up: LookUp) -> Self {
        let names = Names::new(look_up);
        Self { sockets: Sockets::default(), names, casts: HashMap::new(), sent_to: HashSet::new() }
    }

    /// The addresses that this process sends from.
    pub(crate) fn own(&self) -> &Own {
        self.sockets.own()
    }

    /// Notes which addresses this host has.
    pub(crate) fn note_addresses(&mut self, interfaces: &[Interface]) {
        self.sockets.note_addresses(interfaces);
    }

    /// Opens a cast and sends for the first time. Says whether there is an interface for it.
    pub(crate) fn open(
        &mut self,
        id: ObjectId,
        client: Arc<Doorbell>,
        options: CastOptions,
        interfaces: &[Interface],
        now: Instant,
        timers: &mut Timers<Deadline>,
    ) -> bool {
        let ways = ways(&options, interfaces);
        let CastOptions { payload, interval, groups, broadcast, to, selection, counters, .. } = options;
        let routes: Box<[_]> = to.into_iter().map(|one| Route::new(one, &mut self.names)).collect();
        let has_interface = !ways.is_empty();
        let (groups, ways) = (groups.into_boxed_slice(), ways.into_boxed_slice());
        let cast = Cast { client, payload, interval, groups, broadcast, selection, ways, routes, counters };
        for socket in cast.sockets() {
            self.sockets.hold(socket);
            timers.cancel(Deadline::Linger(socket));
        }
        self.casts.insert(id, cast);
        self.tell_unresolved(id);
        self.send(id);
        timers.set(Deadline::Cast(id), now + interval);
        has_interface
    }

    /// Changes a cast, sends at once, and counts the interval from now.
    pub(crate) fn update(
        &mut self,
        id: ObjectId,
        payload: Box<[u8]>,
        interval: Option<Duration>,
        now: Instant,
        timers: &mut Timers<Deadline>,
    ) {
        let Some(cast) = self.casts.get_mut(&id) else { return };
        cast.payload = payload;
        cast.interval = interval.unwrap_or(cast.interval);
        timers.set(Deadline::Cast(id), now + cast.interval);
        self.send(id);
    }

    /// A cast is due: sends, and sets the next deadline on the schedule that began with the first.
    pub(crate) fn due(&mut self, id: ObjectId, due: Instant, now: Instant, timers: &mut Timers<Deadline>) {
        let Some(cast) = self.casts.get(&id) else { return };
        timers.set(Deadline::Cast(id), next_due(due, cast.interval, now));
        self.send(id);
    }

    /// Sends a cast's payload once to everybody it is for.
    pub(crate) fn send(&mut self, id: ObjectId) {
        // Who closes everything waits for it, and not for what was asked for before.
        let Some(cast) = self.casts.get_mut(&id).filter(|cast| !cast.client.is_closing()) else { return };
        for way in &mut cast.ways {
            if let Some(fault) = way.send(&mut self.sockets, &cast.payload, &cast.counters) {
                cast.client.notify(Notice::Warning(id, fault.clone()));
            }
        }
        self.send_by_routes(id, |_| true);
    }

    /// Sends a cast's payload to some of its destinations, to each address once.
    fn send_by_routes(&mut self, id: ObjectId, wanted: impl Fn(&Route) -> bool) {
        let Some(cast) = self.casts.get_mut(&id).filter(|cast| !cast.client.is_closing()) else { return };
        self.sent_to.clear();
        for route in cast.routes.iter_mut().filter(|route| wanted(route)) {
            let Self { sockets, names, sent_to, .. } = self;
            if let Some(fault) = route.send(sockets, names, &cast.payload, &cast.counters, sent_to) {
                cast.client.notify(Notice::Warning(id, fault.clone()));
            }
        }
    }

    /// Closes a cast. The sockets that it was the last to use stay for [`LINGER`] if `linger`. Says whose it
    /// was.
    pub(crate) fn close(
        &mut self,
        id: ObjectId,
        now: Instant,
        linger: bool,
        timers: &mut Timers<Deadline>,
    ) -> Option<Arc<Doorbell>> {
        let cast = self.casts.remove(&id)?;
        timers.cancel(Deadline::Cast(id));
        for socket in cast.sockets() {
            if !self.sockets.release(&socket) {
                continue;
            }
            if linger {
                timers.set(Deadline::Linger(socket), now + LINGER);
            } else {
                self.lingered(&socket);
            }
        }
        for name in cast.names() {
            self.names.release(name, timers);
        }
        Some(cast.client)
    }

    /// Closes a socket that nobody uses.
    pub(crate) fn lingered(&mut self, options: &SendOptions) {
        self.sockets.close_unused(options);
    }

    /// A name is to be looked up again.
    pub(crate) fn resolve(&mut self, name: NameId) {
        self.names.due(name);
    }

    /// A name has been looked up.
    pub(crate) fn resolved(
        &mut self,
        name: NameId,
        answer: Resolved,
        now: Instant,
        timers: &mut Timers<Deadline>,
    ) {
        let first = self.names.addresses(name).is_empty();
        self.names.resolved(name, answer, now, timers);
        let users: Vec<_> = self
            .casts
            .iter()
            .filter(|(_, cast)| cast.names().any(|used| used == name))
            .map(|(id, _)| *id)
            .collect();
        for id in users {
            self.tell_unresolved(id);
            // What is sent at once is for those who are known only now, too.
            if first {
                self.send_by_routes(id, |route| route.name() == Some(name));
            }
        }
    }

    /// The casts of one client.
    pub(crate) fn opened_by(&self, client: &Arc<Doorbell>) -> Vec<ObjectId> {
        let of_client = |(_, cast): &(&ObjectId, &Cast)| Arc::ptr_eq(&cast.client, client);
        self.casts.iter().filter(of_client).map(|(id, _)| *id).collect()
    }

    /// Whose cast it is.
    pub(crate) fn client(&self, id: ObjectId) -> Option<Arc<Doorbell>> {
        self.casts.get(&id).map(|cast| Arc::clone(&cast.client))
    }

    /// What a cast does with each interface.
    pub(crate) fn report(&self, id: ObjectId, interfaces: &[Interface]) -> Option<Vec<InterfaceReport>> {
        let cast = self.casts.get(&id)?;
        let verdicts = Family::ALL.map(|family| cast.selection.sending(interfaces, family));
        Some(report(interfaces, |i, family| {
            let is_it = |way: &&Way| {
                way.interface == interfaces[i].index && way.to.iter().any(|to| Family::of(to.ip()) == family)
            };
            let mut ways = cast.ways.iter().filter(is_it).peekable();
            if ways.peek().is_some() {
                return ways.find_map(|way| way.failure.get().cloned()).map_or(Usage::Joined, Usage::Failing);
            }
            let broadcast = cast.broadcast && family == Family::V4;
            if !broadcast && !cast.groups.iter().any(|group| Family::of(*group) == family) {
                return Usage::Skipped(Skipped::NoGroup(family));
            }
            let verdict = &verdicts[family as usize][i];
            Usage::Skipped(verdict.as_ref().err().cloned().unwrap_or(Skipped::NotThen))
        }))
    }

    /// Tells a cast which of its names do not resolve, once.
    fn tell_unresolved(&mut self, id: ObjectId) {
        let Some(Cast { client, routes, .. }) = self.casts.get_mut(&id) else { return };
        let mut told = HashSet::new();
        for route in routes {
            let failure = route.name().and_then(|name| self.names.failure(name));
            if let Some((name, reason)) = failure
                && !route.unresolved
                && told.insert(Arc::clone(name))
            {
                client.notify(Notice::Unresolved(id, Arc::clone(name), Arc::clone(reason)));
            }
            route.unresolved = failure.is_some();
        }
    }
}

impl Cast {
    /// The sockets it sends by, each once for each way and route.
    fn sockets(&self) -> Vec<SendOptions> {
        let by_interface = self.ways.iter().map(|way| way.socket);
        let routed = self.routes.iter().flat_map(|route| {
            Family::ALL.into_iter().filter(|family| route.uses(*family)).map(SendOptions::Routed)
        });
        by_interface.chain(routed).collect()
    }

    fn names(&self) -> impl Iterator<Item = NameId> {
        self.routes.iter().filter_map(Route::name)
    }
}

/// The next deadline after `due`: one interval later, or where the schedule was missed (the computer slept)
/// the first that is still to come. So it neither drifts nor bursts.
fn next_due(due: Instant, interval: Duration, now: Instant) -> Instant {
    let next = due + interval;
    if next > now {
        return next;
    }
    // The interval is at least 1 ms, and at most 2^31 of them.
    let missed = now.duration_since(next).as_nanos() / interval.as_nanos() + 1;
    next + Duration::from_nanos((missed * interval.as_nanos()) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cast_that_is_late_is_not_late_for_good() {
        let (start, every) = (Instant::now(), Duration::from_millis(20));
        let options = CastOptions {
            payload: b"tick".as_slice().into(),
            interval: every,
            groups: vec![[224, 0, 0, 1].into()],
            port: 9778,
            to: Vec::new(),
            broadcast: false,
            selection: Selection::default(),
            ttl: 1,
            loopback: true,
            counters: Arc::default(),
        };
        let (id, client) = (ObjectId(1), Arc::new(Doorbell::new(|| {})));
        let (mut casting, mut timers) = (Casting::new(Box::new(|_, _| {})), Timers::default());
        // On no interface, so nothing is sent.
        assert!(!casting.open(id, client, options, &[], start, &mut timers));
        for tick in 1..100 {
            let due = start + every * tick;
            assert_eq!(timers.take_due(due), Some((due, Deadline::Cast(id))));
            casting.due(id, due, due + Duration::from_millis(7), &mut timers);
        }
        casting.update(id, b"tock".as_slice().into(), None, start, &mut timers);
        assert_eq!(timers.next(), Some(start + every));
        assert!(casting.close(id, start, true, &mut timers).is_some());
        assert_eq!(timers.next(), None);
    }

    #[test]
    fn the_schedule_keeps_its_phase_and_skips_what_was_missed() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let every = Duration::from_millis(20);
        assert_eq!(next_due(at(100), every, at(100)), at(120));
        assert_eq!(next_due(at(100), every, at(119)), at(120));
        assert_eq!(next_due(at(100), every, at(120)), at(140));
        assert_eq!(next_due(at(100), every, at(145)), at(160));
        assert_eq!(next_due(at(100), every, at(3_600_110)), at(3_600_120));
    }
}
