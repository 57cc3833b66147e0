//! Casting: what is sent when, and the sockets it leaves by.

use std::collections::{HashMap, HashSet};
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::engine::timers::Timers;
use crate::engine::{Deadline, Doorbell, Notice, ObjectId};
use crate::error::Fault;
use crate::net::{Interface, Selection, SendOptions, SendSocket};

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
    pub groups: Vec<Ipv4Addr>,
    /// To which port.
    pub port: u16,
    /// On which interfaces.
    pub selection: Selection,
    /// Hops a datagram may make.
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
}

/// All casts and their sockets.
#[derive(Default)]
pub(crate) struct Casting {
    sockets: HashMap<SendOptions, SharedSocket>,
    casts: HashMap<ObjectId, Cast>,
    /// The local addresses of all sockets.
    own: HashSet<SocketAddr>,
}

/// The one socket of an interface and its options; `None` until it can be opened.
#[derive(Default)]
struct SharedSocket {
    socket: Option<SendSocket>,
    casts: usize,
}

struct Cast {
    client: Arc<Doorbell>,
    payload: Box<[u8]>,
    interval: Duration,
    groups: Box<[Ipv4Addr]>,
    port: u16,
    targets: Box<[Target]>,
    counters: Arc<CastCounters>,
}

/// An interface that a cast leaves by.
struct Target {
    socket: SendOptions,
    name: Arc<str>,
    /// The error of the last send, so that it is told once.
    failing: Option<i32>,
}

impl Casting {
    /// The addresses that this process sends from, each of them used by no other process.
    pub(crate) fn own(&self) -> &HashSet<SocketAddr> {
        &self.own
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
        let CastOptions { payload, interval, groups, port, selection, ttl, loopback, counters } = options;
        let mut targets = Vec::new();
        for chosen in selection.sending(interfaces) {
            let Some(interface) = interfaces.iter().find(|one| one.index == chosen.index) else { continue };
            let socket = SendOptions { interface: chosen.index, address: chosen.address, ttl, loopback };
            self.sockets.entry(socket).or_default().casts += 1;
            timers.cancel(Deadline::Linger(socket));
            targets.push(Target { socket, name: Arc::clone(&interface.name), failing: None });
        }
        let groups = groups.into_boxed_slice();
        let targets = targets.into_boxed_slice();
        self.casts.insert(id, Cast { client, payload, interval, groups, port, targets, counters });
        self.send(id);
        timers.set(Deadline::Cast(id), now + interval);
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

    /// Sends a cast's payload once on every interface, to every group.
    pub(crate) fn send(&mut self, id: ObjectId) {
        // Who closes everything waits for it, and not for what was asked for before.
        let Some(cast) = self.casts.get_mut(&id).filter(|cast| !cast.client.is_closing()) else { return };
        for target in &mut cast.targets {
            let Some(shared) = self.sockets.get_mut(&target.socket) else { continue };
            let mut failure = None;
            for group in &cast.groups {
                let sent = shared.send(&target.socket, &mut self.own, &cast.payload, *group, cast.port);
                let counter = if sent.is_ok() { &cast.counters.sent } else { &cast.counters.failed };
                counter.fetch_add(1, Ordering::Relaxed);
                failure = failure.or(sent.err());
            }
            let errno = failure.as_ref().map(|fault| fault.errno);
            if let Some(fault) = failure
                && target.failing != errno
                && errno != Some(libc::EAGAIN)
            {
                let fault = fault.on(Arc::clone(&target.name));
                cast.client.notify(Notice::Warning(id, fault));
            }
            target.failing = errno;
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
        for target in &cast.targets {
            let Some(shared) = self.sockets.get_mut(&target.socket) else { continue };
            shared.casts -= 1;
            if shared.casts > 0 {
                continue;
            }
            if linger {
                timers.set(Deadline::Linger(target.socket), now + LINGER);
            } else {
                self.lingered(&target.socket);
            }
        }
        Some(cast.client)
    }

    /// Closes a socket that nobody uses.
    pub(crate) fn lingered(&mut self, options: &SendOptions) {
        if self.sockets.get(options).is_some_and(|shared| shared.casts == 0)
            && let Some(SharedSocket { socket: Some(socket), .. }) = self.sockets.remove(options)
        {
            self.own.remove(&socket.local());
        }
    }

    /// The casts of one client.
    pub(crate) fn opened_by(&self, client: &Arc<Doorbell>) -> Vec<ObjectId> {
        let of_client = |(_, cast): &(&ObjectId, &Cast)| Arc::ptr_eq(&cast.client, client);
        self.casts.iter().filter(of_client).map(|(id, _)| *id).collect()
    }
}

impl SharedSocket {
    /// Sends one datagram, opening the socket first if that has not succeeded yet.
    fn send(
        &mut self,
        options: &SendOptions,
        own: &mut HashSet<SocketAddr>,
        payload: &[u8],
        group: Ipv4Addr,
        port: u16,
    ) -> Result<(), Fault> {
        let socket = match &self.socket {
            Some(socket) => socket,
            None => {
                let refused = |(syscall, error): (&'static str, io::Error)| {
                    Fault::new(syscall, &error).at(options.address.into(), 0)
                };
                let socket = SendSocket::open(options).map_err(refused)?;
                own.insert(socket.local());
                self.socket.insert(socket)
            }
        };
        socket
            .send(payload, group.into(), port)
            .map_err(|error| Fault::new("send", &error).at(group.into(), port))
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
            groups: vec![Ipv4Addr::new(224, 0, 0, 1)],
            port: 9778,
            selection: Selection::default(),
            ttl: 1,
            loopback: true,
            counters: Arc::default(),
        };
        let (id, client) = (ObjectId(1), Arc::new(Doorbell::new(|| {})));
        let (mut casting, mut timers) = (Casting::default(), Timers::default());
        // On no interface, so nothing is sent.
        casting.open(id, client, options, &[], start, &mut timers);
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
