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

use crate::engine::backoff::Backoff;
use crate::engine::timers::Timers;
use crate::engine::{Deadline, Doorbell, Notice, ObjectId, chance};
use crate::error::Fault;
use crate::net::{Chosen, Destination, Family, Interface, Selection, SendOptions, Unused};
use crate::report::{InterfaceReport, Usage, report};

use failure::{Failure, News};
use names::Names;
pub(crate) use names::{LookUp, NameId, Resolved};
use route::Route;
pub(crate) use sockets::Own;
use sockets::Sockets;
use way::{Way, ways};

/// How long a sending socket outlives its last cast. What it sent may still lie in the kernel, and only while the
/// port is ours can nobody else's datagram be taken for it.
const LINGER: Duration = Duration::from_secs(1);

/// How long nothing but loopback must have been usable before a cast that was told nothing else sends there. A
/// computer that starts, or moves from one network to another, has been without one for less.
const ALONE: Duration = Duration::from_secs(2);

/// How long after a send has failed that is told, if it is still so. When an interface goes, sends may fail before
/// it is known to be gone: then there is nothing to tell but that.
const TELL: Duration = Duration::from_millis(100);

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
    port: u16,
    broadcast: bool,
    ttl: u8,
    loopback: bool,
    selection: Selection,
    /// Since when nothing but loopback is usable, if so.
    alone_since: Option<Instant>,
    ways: Box<[Way]>,
    routes: Box<[Route]>,
    counters: Arc<CastCounters>,
    /// For sockets that cannot be opened.
    retries: Backoff,
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

    /// Opens a cast and sends for the first time.
    pub(crate) fn open(
        &mut self,
        id: ObjectId,
        client: Arc<Doorbell>,
        options: CastOptions,
        interfaces: &[Interface],
        now: Instant,
        timers: &mut Timers<Deadline>,
    ) {
        let CastOptions {
            payload,
            interval,
            groups,
            port,
            to,
            broadcast,
            selection,
            ttl,
            loopback,
            counters,
        } = options;
        let routes: Box<[_]> = to.into_iter().map(|one| Route::new(one, &mut self.names)).collect();
        let cast = Cast {
            client,
            payload,
            interval,
            groups: groups.into_boxed_slice(),
            port,
            broadcast,
            ttl,
            loopback,
            selection,
            alone_since: None,
            ways: Box::default(),
            routes,
            counters,
            retries: Backoff::default(),
        };
        for socket in cast.routed() {
            self.sockets.hold(socket);
            timers.cancel(Deadline::Linger(socket));
        }
        self.casts.insert(id, cast);
        self.tell_unresolved(id);
        self.follow(id, interfaces, now, timers);
        self.send_by_routes(id, now, timers, |_| true);
        self.plan_retry(id, now, timers);
        timers.set(Deadline::Cast(id), now + interval);
    }

    /// Brings the ways out of a cast in line with the interfaces, and sends at once by those that are new, and where it
    /// failed the last time. Says whether anything has changed.
    pub(crate) fn follow(
        &mut self,
        id: ObjectId,
        interfaces: &[Interface],
        now: Instant,
        timers: &mut Timers<Deadline>,
    ) -> bool {
        let Some(cast) = self.casts.get_mut(&id) else { return false };
        let waited = cast.alone_since;
        cast.note_alone(interfaces, now);
        match cast.alone_since {
            Some(since) if since + ALONE > now => timers.set(Deadline::Alone(id), since + ALONE),
            _ => timers.cancel(Deadline::Alone(id)),
        }
        let ways = ways(cast, interfaces, now).into_boxed_slice();
        let mut before = std::mem::replace(&mut cast.ways, ways);
        let changed = before.len() != cast.ways.len()
            || before.iter().zip(&cast.ways).any(|(before, way)| !before.is(way));
        for way in &cast.ways {
            self.sockets.hold(way.socket);
            timers.cancel(Deadline::Linger(way.socket));
        }
        let mut new = Vec::new();
        for (i, way) in cast.ways.iter_mut().enumerate() {
            match before.iter_mut().find(|before| before.is(way)) {
                Some(before) => way.failure = std::mem::take(&mut before.failure),
                None => new.push(i),
            }
        }
        self.release(before.iter().map(|way| way.socket), now, timers);
        self.send_by_ways(id, now, timers, |i, way| new.contains(&i) || way.failure.get().is_some());
        self.send_by_routes(id, now, timers, |route| route.failure.get().is_some());
        self.plan_retry(id, now, timers);
        changed || waited.is_some() != self.casts.get(&id).is_some_and(|cast| cast.alone_since.is_some())
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
        self.send(id, now, timers);
    }

    /// A cast is due: sends, and sets the next deadline on the schedule that began with the first.
    pub(crate) fn due(&mut self, id: ObjectId, due: Instant, now: Instant, timers: &mut Timers<Deadline>) {
        let Some(cast) = self.casts.get(&id) else { return };
        timers.set(Deadline::Cast(id), next_due(due, cast.interval, now));
        self.send(id, now, timers);
    }

    /// Sends a cast's payload once to everybody it is for.
    pub(crate) fn send(&mut self, id: ObjectId, now: Instant, timers: &mut Timers<Deadline>) {
        self.send_by_ways(id, now, timers, |_, _| true);
        self.send_by_routes(id, now, timers, |_| true);
        self.plan_retry(id, now, timers);
    }

    /// Tries again what a cast could not open a socket for. Says whether there is such a cast.
    pub(crate) fn retry(&mut self, id: ObjectId, now: Instant, timers: &mut Timers<Deadline>) -> bool {
        self.send_by_ways(id, now, timers, |_, way| way.failure.is_of_opening());
        self.send_by_routes(id, now, timers, |route| route.failure.is_of_opening());
        self.plan_retry(id, now, timers);
        self.casts.contains_key(&id)
    }

    /// Those of which something failed the last time.
    pub(crate) fn failing(&self) -> impl Iterator<Item = ObjectId> {
        let failing = |cast: &Cast| cast.failures().any(|failure| failure.get().is_some());
        self.casts.iter().filter(move |(_, cast)| failing(cast)).map(|(id, _)| *id)
    }

    /// The network has changed: names that did not resolve may do so now.
    pub(crate) fn look_up_what_failed(&mut self, now: Instant, timers: &mut Timers<Deadline>) {
        self.names.retry(now, timers);
    }

    /// Sends a cast's payload by some of its ways; `wanted` is asked with their positions, too.
    fn send_by_ways(
        &mut self,
        id: ObjectId,
        now: Instant,
        timers: &mut Timers<Deadline>,
        wanted: impl Fn(usize, &Way) -> bool,
    ) {
        // Who closes everything waits for it, and not for what was asked for before.
        let Some(cast) = self.casts.get_mut(&id).filter(|cast| !cast.client.is_closing()) else { return };
        for (_, way) in cast.ways.iter_mut().enumerate().filter(|(i, way)| wanted(*i, way)) {
            if way.send(&mut self.sockets, &cast.payload, &cast.counters) {
                timers.set_if_none(Deadline::Tell(id), now + TELL);
            }
        }
    }

    /// Sends a cast's payload to some of its destinations, to each address once.
    fn send_by_routes(
        &mut self,
        id: ObjectId,
        now: Instant,
        timers: &mut Timers<Deadline>,
        wanted: impl Fn(&Route) -> bool,
    ) {
        let Some(cast) = self.casts.get_mut(&id).filter(|cast| !cast.client.is_closing()) else { return };
        self.sent_to.clear();
        for route in cast.routes.iter_mut().filter(|route| wanted(route)) {
            let Self { sockets, names, sent_to, .. } = self;
            if route.send(sockets, names, &cast.payload, &cast.counters, sent_to) {
                timers.set_if_none(Deadline::Tell(id), now + TELL);
            }
        }
    }

    /// Tells what fails by now and what does not any more, each once.
    pub(crate) fn tell(&mut self, id: ObjectId) {
        let Some(Cast { client, ways, routes, .. }) = self.casts.get_mut(&id) else { return };
        let mut changed = false;
        for way in ways {
            match way.failure.tell() {
                News::Nothing => continue,
                News::Recovered => {}
                News::Failed(fault) => client.notify(Notice::Warning(id, fault.clone())),
            }
            changed = true;
        }
        if changed {
            client.interfaces_changed(Some(id));
        }
        for route in routes {
            if let News::Failed(fault) = route.failure.tell() {
                client.notify(Notice::Warning(id, fault.clone()));
            }
        }
    }

    /// Has [`Casting::retry`] be called in a while, if there is something to retry.
    fn plan_retry(&mut self, id: ObjectId, now: Instant, timers: &mut Timers<Deadline>) {
        let Some(cast) = self.casts.get_mut(&id) else { return };
        if !cast.lacks_a_socket() {
            cast.retries.succeeded();
            timers.cancel(Deadline::Retry(id));
        } else if !timers.is_set(Deadline::Retry(id)) {
            timers.set(Deadline::Retry(id), now + cast.retries.failed(chance::any()));
        }
    }

    /// Closes a cast. The sockets that it was the last to use stay for [`LINGER`]. Says whose it was.
    pub(crate) fn close(
        &mut self,
        id: ObjectId,
        now: Instant,
        timers: &mut Timers<Deadline>,
    ) -> Option<Arc<Doorbell>> {
        let cast = self.casts.remove(&id)?;
        for deadline in [Deadline::Cast(id), Deadline::Alone(id), Deadline::Retry(id), Deadline::Tell(id)] {
            timers.cancel(deadline);
        }
        self.release(cast.ways.iter().map(|way| way.socket).chain(cast.routed()), now, timers);
        for name in cast.names() {
            self.names.release(name, timers);
        }
        Some(cast.client)
    }

    /// Ends one use of each of some sockets.
    fn release(
        &mut self,
        sockets: impl Iterator<Item = SendOptions>,
        now: Instant,
        timers: &mut Timers<Deadline>,
    ) {
        for socket in sockets {
            if self.sockets.release(&socket) {
                timers.set(Deadline::Linger(socket), now + LINGER);
            }
        }
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
                self.send_by_routes(id, now, timers, |route| route.name() == Some(name));
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

    /// All casts.
    pub(crate) fn ids(&self) -> impl Iterator<Item = ObjectId> {
        self.casts.keys().copied()
    }

    /// What a cast does with each interface.
    pub(crate) fn report(
        &self,
        id: ObjectId,
        interfaces: &[Interface],
        now: Instant,
    ) -> Option<Vec<InterfaceReport>> {
        let cast = self.casts.get(&id)?;
        let verdicts = Family::ALL.map(|family| cast.verdicts(interfaces, family, now));
        Some(report(interfaces, |i, family| {
            if !cast.sends_by_interfaces(family) {
                return Usage::Unused(Unused::NoGroup(family));
            }
            let obstacle = match &verdicts[family as usize][i] {
                Ok(chosen) => chosen.obstacle,
                Err(unused) => return Usage::Unused(unused.clone()),
            };
            let is_here = |way: &&Way| {
                way.interface == interfaces[i].index && way.to.iter().any(|to| Family::of(to.ip()) == family)
            };
            let mut ways = cast.ways.iter().filter(is_here).peekable();
            if ways.peek().is_none() {
                return Usage::Unused(Unused::Nobody);
            }
            let failure = ways.find_map(|way| way.failure.get());
            failure.cloned().map_or(Usage::Joined(obstacle), Usage::Failing)
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
    /// Whether it sends by interfaces in this family, and not by the routing table alone.
    fn sends_by_interfaces(&self, family: Family) -> bool {
        (self.broadcast && family == Family::V4)
            || self.groups.iter().any(|group| Family::of(*group) == family)
    }

    /// For each interface whether it is sent on, or why not.
    fn verdicts(
        &self,
        interfaces: &[Interface],
        family: Family,
        now: Instant,
    ) -> Vec<Result<Chosen, Unused>> {
        let mut verdicts = self.selection.sending(interfaces, family);
        if self.alone_since.is_some_and(|since| now < since + ALONE) {
            for verdict in &mut verdicts {
                if verdict.as_ref().is_ok_and(|chosen| chosen.loopback) {
                    *verdict = Err(Unused::OthersMayCome);
                }
            }
        }
        verdicts
    }

    /// Notes since when it would be sent on loopback for want of anything else.
    fn note_alone(&mut self, interfaces: &[Interface], now: Instant) {
        let alone = self.selection.is_automatic()
            && self.sends_by_interfaces(Family::V4)
            && self.selection.sending(interfaces, Family::V4).iter().flatten().any(|chosen| chosen.loopback);
        self.alone_since = alone.then(|| self.alone_since.unwrap_or(now));
    }

    /// Whether a socket could not be opened that may be later.
    fn lacks_a_socket(&self) -> bool {
        self.failures().any(Failure::is_of_opening)
    }

    fn failures(&self) -> impl Iterator<Item = &Failure> {
        self.ways.iter().map(|way| &way.failure).chain(self.routes.iter().map(|route| &route.failure))
    }

    /// The sockets that it sends by where the routing table says, each once for each route.
    fn routed(&self) -> impl Iterator<Item = SendOptions> {
        self.routes.iter().flat_map(|route| {
            Family::ALL.into_iter().filter(|family| route.uses(*family)).map(SendOptions::Routed)
        })
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
        casting.open(id, client, options, &[], start, &mut timers);
        for tick in 1..100 {
            let due = start + every * tick;
            assert_eq!(timers.take_due(due), Some((due, Deadline::Cast(id))));
            casting.due(id, due, due + Duration::from_millis(7), &mut timers);
        }
        casting.update(id, b"tock".as_slice().into(), None, start, &mut timers);
        assert_eq!(timers.next(), Some(start + every));
        assert!(casting.close(id, start, &mut timers).is_some());
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
