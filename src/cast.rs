//! Casting: what is sent when, and where to.

mod announcing;
mod failure;
mod names;
mod paths;
mod route;
mod schedule;
mod sockets;
mod together;
mod way;

use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rustc_hash::FxHashMap;

use crate::engine::timers::Timers;
use crate::engine::{Deadline, Doorbell, Notice, ObjectId, chance};
use crate::error::Fault;
use crate::net::{Family, Interface, Poll, SendOptions, Unused};
use crate::report::{InterfaceReport, Usage, report};

use failure::{Failure, News, Trouble};
use names::Names;
pub(crate) use names::{LookUp, NameId, Resolved};
pub(crate) use paths::PathsId;
pub use paths::Target;
use paths::{AllPaths, Path, Paths};
use schedule::{Schedule, next_due};
pub(crate) use sockets::Own;
pub(crate) use sockets::SenderId;
use sockets::Sockets;
use together::Due;
use way::Way;

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
    /// Where to: casts that share it take little room.
    pub target: Arc<Target>,
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
    paths: AllPaths,
    casts: FxHashMap<ObjectId, Cast>,
    /// Where the cast that is being sent has gone by now; kept for its memory.
    sent_to: HashSet<SocketAddr>,
    schedule: Schedule,
    /// What is due now.
    due: Vec<Due>,
}

/// There may be tens of thousands: what they have in common is in their paths.
struct Cast {
    client: Arc<Doorbell>,
    payload: Box<[u8]>,
    /// None of one that sends only when it is told to.
    interval: Option<Duration>,
    paths: PathsId,
    counters: Arc<CastCounters>,
    trouble: Option<Box<Trouble>>,
}

impl Casting {
    /// No casts yet; `look_up` resolves the names they send to.
    pub(crate) fn new(look_up: LookUp, poll: Arc<Poll>) -> Self {
        Self {
            sockets: Sockets::new(poll),
            names: Names::new(look_up),
            paths: AllPaths::default(),
            casts: FxHashMap::default(),
            sent_to: HashSet::new(),
            schedule: Schedule::default(),
            due: Vec::new(),
        }
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
        let CastOptions { payload, interval, target, counters } = options;
        let paths = self.take_paths(id, target, interfaces, now, timers);
        let cast = Cast { client, payload, interval: Some(interval), paths, counters, trouble: None };
        self.casts.insert(id, cast);
        self.tell_unresolved(id);
        self.send(id, now, timers);
        timers.set(Deadline::Cast(id), self.schedule.tick_after(now + interval, interval));
    }

    /// Has a cast take the paths to its target.
    fn take_paths(
        &mut self,
        id: ObjectId,
        target: Arc<Target>,
        interfaces: &[Interface],
        now: Instant,
        timers: &mut Timers<Deadline>,
    ) -> PathsId {
        let (paths, new) = self.paths.to(target, &mut self.names);
        if new {
            let routed: Vec<_> = self.paths.get(paths).into_iter().flat_map(Paths::routed).collect();
            self.hold(routed.into_iter(), timers);
            self.follow(paths, interfaces, now, timers);
        }
        if let Some(paths) = self.paths.get_mut(paths) {
            paths.casts.insert(id);
        }
        paths
    }

    /// Brings all paths in line with the interfaces, see [`Casting::follow`].
    pub(crate) fn follow_all(
        &mut self,
        interfaces: &[Interface],
        now: Instant,
        timers: &mut Timers<Deadline>,
    ) -> Vec<ObjectId> {
        let all: Vec<_> = self.paths.ids().collect();
        all.into_iter().flat_map(|paths| self.follow(paths, interfaces, now, timers)).collect()
    }

    /// Brings paths in line with the interfaces; their casts send at once by the ways that are new, and where it
    /// failed the last time. Gives the casts for which something has changed.
    pub(crate) fn follow(
        &mut self,
        id: PathsId,
        interfaces: &[Interface],
        now: Instant,
        timers: &mut Timers<Deadline>,
    ) -> Vec<ObjectId> {
        let Some(paths) = self.paths.get_mut(id) else { return Vec::new() };
        let waited = paths.alone_since.is_some();
        let before = paths.follow(interfaces, now);
        match paths.alone_since {
            Some(since) if since + ALONE > now => timers.set(Deadline::Alone(id), since + ALONE),
            _ => timers.cancel(Deadline::Alone(id)),
        }
        let positions: Vec<_> =
            paths.ways.iter().map(|way| before.iter().position(|before| before.is(way))).collect();
        let stay = positions.iter().enumerate().all(|(i, before)| *before == Some(i));
        let changed = !stay || before.len() != positions.len() || waited != paths.alone_since.is_some();
        let sockets = |ways: &[Way]| ways.iter().map(|way| way.socket).collect::<Vec<_>>();
        let hold = sockets(&paths.ways);
        let casts: Vec<_> = paths.casts.iter().copied().collect();
        let is_heard = paths.is_heard;
        self.hold(hold.iter().copied(), timers);
        hold.into_iter().filter(|_| is_heard).for_each(|socket| self.sockets.hear(socket));
        self.release(sockets(&before).into_iter(), now, timers);
        for id in &casts {
            if let Some(trouble) = self.casts.get_mut(id).and_then(|cast| cast.trouble.as_mut()) {
                trouble.follow(positions.iter().copied());
            }
            // One without an interval is told of them, and says itself when it sends.
            let sends = self.casts.get(id).is_some_and(|cast| cast.interval.is_some());
            let is_new = |path| matches!(path, Path::Way(i) if sends && positions[i].is_none());
            self.send_by(*id, now, timers, |path, failure| {
                is_new(path) || failure.is_some_and(|failure| failure.get().is_some())
            });
        }
        if changed { casts } else { Vec::new() }
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
        cast.interval = interval.or(cast.interval);
        if let Some(interval) = cast.interval {
            timers.set(Deadline::Cast(id), self.schedule.tick_after(now + interval, interval));
        }
        self.send(id, now, timers);
    }

    /// A cast is due: sets the next deadline on the schedule that began with the first. It is sent with the
    /// others that are due, by [`Casting::send_due`].
    pub(crate) fn due(&mut self, id: ObjectId, due: Instant, now: Instant, timers: &mut Timers<Deadline>) {
        let Some(cast) = self.casts.get(&id) else { return };
        let Some(interval) = cast.interval else { return };
        timers.set(Deadline::Cast(id), next_due(due, interval, now));
        self.due.push(Due { paths: cast.paths, length: cast.payload.len(), cast: id });
    }

    /// Sends a cast's payload once to everybody it is for.
    pub(crate) fn send(&mut self, id: ObjectId, now: Instant, timers: &mut Timers<Deadline>) {
        self.send_by(id, now, timers, |_, _| true);
    }

    /// Tries again what a cast could not open a socket for. Says whether there is such a cast.
    pub(crate) fn retry(&mut self, id: ObjectId, now: Instant, timers: &mut Timers<Deadline>) -> bool {
        self.send_by(id, now, timers, |_, failure| failure.is_some_and(Failure::is_of_opening));
        self.casts.contains_key(&id)
    }

    /// Tries again at once whatever failed the last time.
    pub(crate) fn retry_what_failed(&mut self, now: Instant, timers: &mut Timers<Deadline>) {
        let fails = |failure: &Failure| failure.get().is_some();
        let failing =
            |cast: &Cast| cast.trouble.as_ref().is_some_and(|trouble| trouble.failures().any(fails));
        let failing: Vec<_> =
            self.casts.iter().filter(|(_, cast)| failing(cast)).map(|(id, _)| *id).collect();
        for id in failing {
            self.send_by(id, now, timers, |_, failure| failure.is_some_and(fails));
        }
    }

    /// The network has changed: names that did not resolve may do so now.
    pub(crate) fn look_up_what_failed(&mut self, now: Instant, timers: &mut Timers<Deadline>) {
        self.names.retry(now, timers);
    }

    /// Sends a cast's payload by some of its paths, by routes to each address once. `wanted` is asked of each, with what
    /// has failed by it, if the cast has any trouble.
    fn send_by(
        &mut self,
        id: ObjectId,
        now: Instant,
        timers: &mut Timers<Deadline>,
        wanted: impl Fn(Path, Option<&Failure>) -> bool,
    ) {
        let Self { casts, paths, sockets, names, sent_to, .. } = self;
        // Who closes everything waits for it, and not for what was asked for before, but for goodbyes.
        let is_wanted = |cast: &&mut Cast| cast.interval.is_none() || !cast.client.is_closing();
        let Some(cast) = casts.get_mut(&id).filter(is_wanted) else { return };
        let Some(paths) = paths.get(cast.paths) else { return };
        let Cast { payload, counters, trouble, .. } = cast;
        sent_to.clear();
        let mut is_news = false;
        for path in paths.all() {
            if !wanted(path, trouble.as_mut().map(|trouble| &*trouble.by(path))) {
                continue;
            }
            let fault = match path {
                Path::Way(i) => paths.ways[i].send(sockets, payload, counters),
                Path::Route(i) => paths.routes[i].send(sockets, names, payload, counters, sent_to),
            };
            if fault.is_some() || trouble.is_some() {
                let trouble = trouble.get_or_insert_with(|| Box::new(Trouble::none(paths)));
                is_news |= trouble.by(path).change(fault);
            }
        }
        if is_news {
            timers.set_if_none(Deadline::Tell(id), now + TELL);
        }
        cast.plan_retry(id, now, timers);
    }

    /// Tells what fails by now and what does not any more, each once.
    pub(crate) fn tell(&mut self, id: ObjectId) {
        let Some(cast) = self.casts.get_mut(&id) else { return };
        let Some(Trouble { ways, routes, .. }) = cast.trouble.as_deref_mut() else { return };
        let mut changed = false;
        for way in ways {
            match way.tell() {
                News::Nothing => continue,
                News::Recovered => {}
                News::Failed(fault) => cast.client.notify(Notice::Warning(id, fault.clone())),
            }
            changed = true;
        }
        if changed {
            cast.client.interfaces_changed(Some(id));
        }
        for route in routes {
            if let News::Failed(fault) = route.tell() {
                cast.client.notify(Notice::Warning(id, fault.clone()));
            }
        }
        cast.forget_what_is_over();
    }

    /// Closes a cast. The sockets that it was the last to use stay for [`LINGER`]. Says whose it was.
    pub(crate) fn close(
        &mut self,
        id: ObjectId,
        now: Instant,
        timers: &mut Timers<Deadline>,
    ) -> Option<Arc<Doorbell>> {
        let cast = self.casts.remove(&id)?;
        if cast.interval.is_none() {
            self.release(announcing::ROUTED.into_iter(), now, timers);
        }
        for deadline in [Deadline::Cast(id), Deadline::Retry(id), Deadline::Tell(id)] {
            timers.cancel(deadline);
        }
        if let Some(paths) = self.paths.leave(cast.paths, id) {
            timers.cancel(Deadline::Alone(cast.paths));
            self.release(paths.sockets(), now, timers);
            for name in paths.names() {
                self.names.release(name, timers);
            }
        }
        Some(cast.client)
    }

    /// Begins one use of each of some sockets.
    fn hold(&mut self, sockets: impl Iterator<Item = SendOptions>, timers: &mut Timers<Deadline>) {
        for socket in sockets {
            self.sockets.hold(socket);
            timers.cancel(Deadline::Linger(socket));
        }
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
        for id in self.paths.casts_to(name) {
            self.tell_unresolved(id);
            // What is sent at once is for those who are known only now, too.
            if first {
                let Some(cast) = self.casts.get(&id) else { continue };
                let Some(paths) = self.paths.get(cast.paths) else { continue };
                let leads_there: Vec<_> =
                    paths.routes.iter().map(|route| route.name() == Some(name)).collect();
                self.send_by(id, now, timers, |path, _| matches!(path, Path::Route(i) if leads_there[i]));
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
        let paths = self.paths.get(cast.paths)?;
        let verdicts = Family::ALL.map(|family| paths.verdicts(interfaces, family, now));
        Some(report(interfaces, |i, family| {
            if !paths.go_by_interfaces(family) {
                return Usage::Unused(Unused::NoGroup(family));
            }
            let obstacle = match &verdicts[family as usize][i] {
                Ok(chosen) => chosen.obstacle,
                Err(unused) => return Usage::Unused(unused.clone()),
            };
            let is_here = |(_, way): &(usize, &Way)| {
                way.interface == interfaces[i].index && way.to.iter().any(|to| Family::of(to.ip()) == family)
            };
            let mut ways = paths.ways.iter().enumerate().filter(is_here).peekable();
            if ways.peek().is_none() {
                return Usage::Unused(Unused::Nobody);
            }
            let failure = ways.find_map(|(way, _)| cast.trouble.as_ref()?.ways[way].get());
            failure.cloned().map_or(Usage::Joined(obstacle), Usage::Failing)
        }))
    }

    /// Tells a cast which of its names do not resolve, once.
    fn tell_unresolved(&mut self, id: ObjectId) {
        let Some(cast) = self.casts.get_mut(&id) else { return };
        let Some(paths) = self.paths.get(cast.paths) else { return };
        let mut told = HashSet::new();
        for (i, route) in paths.routes.iter().enumerate() {
            let failure = route.name().and_then(|name| self.names.failure(name));
            if failure.is_none() && cast.trouble.is_none() {
                continue;
            }
            let trouble = cast.trouble.get_or_insert_with(|| Box::new(Trouble::none(paths)));
            let unresolved = &mut trouble.unresolved[i];
            if let Some((name, reason)) = failure
                && !*unresolved
                && told.insert(Arc::clone(name))
            {
                cast.client.notify(Notice::Unresolved(id, Arc::clone(name), Arc::clone(reason)));
            }
            *unresolved = failure.is_some();
        }
        cast.forget_what_is_over();
    }
}

impl Cast {
    /// Has [`Casting::retry`] be called in a while, if there is something to retry.
    fn plan_retry(&mut self, id: ObjectId, now: Instant, timers: &mut Timers<Deadline>) {
        let Some(trouble) = &mut self.trouble else { return };
        if !trouble.failures().any(Failure::is_of_opening) {
            trouble.retries.succeeded();
            timers.cancel(Deadline::Retry(id));
        } else if !timers.is_set(Deadline::Retry(id)) {
            timers.set(Deadline::Retry(id), now + trouble.retries.failed(chance::any()));
        }
        self.forget_what_is_over();
    }

    fn forget_what_is_over(&mut self) {
        if self.trouble.as_ref().is_some_and(|trouble| trouble.is_over()) {
            self.trouble = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::Selection;

    #[test]
    fn a_cast_that_is_late_is_not_late_for_good() {
        let (start, every) = (Instant::now(), Duration::from_millis(20));
        let options = CastOptions {
            payload: b"tick".as_slice().into(),
            interval: every,
            target: Arc::new(Target {
                groups: vec![[224, 0, 0, 1].into()],
                port: 9778,
                to: Vec::new(),
                broadcast: false,
                selection: Selection::default(),
                ttl: 1,
                loopback: true,
            }),
            counters: Arc::default(),
        };
        let (id, client) = (ObjectId(1), Arc::new(Doorbell::new(|| {})));
        let poll = Arc::new(Poll::new().unwrap());
        let (mut casting, mut timers) = (Casting::new(Box::new(|_, _| {}), poll), Timers::default());
        // On no interface, so nothing is sent.
        casting.open(id, client, options, &[], start, &mut timers);
        for tick in 1..100 {
            let due = start + every * tick;
            assert_eq!(timers.take_due(due), Some((due, Deadline::Cast(id))));
            casting.due(id, due, due + Duration::from_millis(7), &mut timers);
            casting.send_due(due + Duration::from_millis(7), &mut timers);
        }
        // Between two ticks, it is due at the later one.
        let moment = start + Duration::from_micros(300);
        casting.update(id, b"tock".as_slice().into(), None, moment, &mut timers);
        assert_eq!(timers.earliest(), Some(start + every + Duration::from_millis(1)));
        assert!(casting.close(id, start, &mut timers).is_some());
        assert_eq!(timers.earliest(), None);
    }
}
