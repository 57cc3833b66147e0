//! Discoveries in the engine: what joins [`discover`](crate::discover), which knows no socket, with those that hear and those
//! that send.

mod networks;

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rustc_hash::{FxHashMap, FxHashSet};

use crate::cast::{CastCounters, Casting, SenderId, Target};
use crate::discover::news::Told;
use crate::discover::peer::{Peer, Source, To};
use crate::discover::seal::Ring;
use crate::discover::table::Described;
use crate::discover::{self, Arrival, Discovery, Moment, Warnings, Whom};
use crate::engine::peers::{BATCH_NEWS, BATCH_NEWS_BYTES, PeerNews, PeerState};
use crate::engine::timers::Timers;
use crate::engine::{Deadline, Doorbell, Notice, ObjectId, chance};
use crate::net::{self, Datagrams, Interface, SendOptions, is_unicast};

use networks::Networks;

/// How long after a goodbye it is said once more.
const GOODBYE_AGAIN: Duration = Duration::from_millis(20);

/// How often at most seeds are looked up again because somebody unknown sends to this host.
const SEEK: Duration = Duration::from_secs(5);

/// The least time between two batches that JavaScript is told, unless it asks for more: the first of these, doubled
/// each time that there is more to tell at its end, up to the last. Waking for each of a thousand that come within a second takes the event loop many times as
/// long as for a hundred at a time.
const TELLING: (Duration, Duration) = (Duration::from_millis(5), Duration::from_millis(100));

/// So many bytes a second JavaScript is told of peers at most, whether it asks for more or not. To make objects of the worst that
/// can be announced takes a third of the event loop's time, then.
const BYTES_A_SECOND: u32 = 2 << 20;

/// What the news of a peer counts beside what it announces, and each of its addresses, in bytes.
const NEWS_BYTES: usize = 100;

/// So many batches are read before somebody's silence counts: more than a receive buffer holds.
const BATCHES: usize = 128;

/// How a discovery discovers.
#[derive(Clone, Debug)]
pub struct DiscoverOptions {
    /// Who it is and what it announces, and how.
    pub discovery: discover::Options,
    /// Where to.
    pub target: Arc<Target>,
    /// What is counted while it sends.
    pub counters: Arc<CastCounters>,
}

/// All discoveries.
#[derive(Default)]
pub(crate) struct Discovering {
    members: FxHashMap<ObjectId, Member>,
    networks: Networks,
    /// Those of which something may be to be told, or to be done at another time than before.
    touched: FxHashSet<ObjectId>,
}

/// One of them.
struct Member {
    client: Arc<Doorbell>,
    discovery: Discovery,
    /// What it sends by on interfaces.
    ways: Vec<SendOptions>,
    told: Warnings,
    /// Until when nothing more is told of peers unless it is asked for, and how long that is.
    telling: Option<Instant>,
    gap: Duration,
    /// Until when nothing is told, for so much was.
    rests: Option<Instant>,
    /// Somebody unknown has sent to this host.
    seeks: bool,
    sought: Option<Instant>,
    /// It has said goodbye, and says so once more.
    leaves: bool,
}

impl Discovering {
    /// Opens a discovery, whose listener and whose sending part are open.
    pub(crate) fn open(
        &mut self,
        id: ObjectId,
        client: Arc<Doorbell>,
        options: discover::Options,
        casting: &Casting,
        now: Instant,
    ) {
        let mut discovery = Discovery::new(options);
        if !discovery.is_locked() {
            discovery.start(None, now, chance::part());
        }
        let ways = casting.ways(id).collect();
        let member = Member {
            client,
            discovery,
            ways,
            told: Warnings::default(),
            telling: None,
            gap: TELLING.0,
            rests: None,
            seeks: false,
            sought: None,
            leaves: false,
        };
        self.members.insert(id, member);
        self.touched.insert(id);
    }

    /// Whether it is the id of a discovery.
    pub(crate) fn has(&self, id: ObjectId) -> bool {
        self.members.contains_key(&id)
    }

    /// Those of one client.
    pub(crate) fn opened_by(&self, client: &Arc<Doorbell>) -> Vec<ObjectId> {
        let of_client = |(_, member): &(&ObjectId, &Member)| Arc::ptr_eq(&member.client, client);
        self.members.iter().filter(of_client).map(|(id, _)| *id).collect()
    }

    /// Notes which networks this host is on.
    pub(crate) fn note_addresses(&mut self, interfaces: &[Interface]) {
        self.networks.note(interfaces);
    }

    /// The interfaces may have changed: who is new there is told.
    pub(crate) fn follow(&mut self, casting: &Casting, now: Instant) {
        for (id, member) in self.members.iter_mut().filter(|(_, member)| !member.leaves) {
            let ways: Vec<_> = casting.ways(*id).collect();
            if ways == member.ways {
                continue;
            }
            let before = std::mem::replace(&mut member.ways, ways);
            let interfaces = |ways: &[SendOptions], without: &[SendOptions]| {
                let others = ways.iter().filter(|way| !without.contains(way));
                others.filter_map(SendOptions::interface).collect::<FxHashSet<_>>()
            };
            if member.discovery.is_locked() {
                continue;
            }
            if before.is_empty() {
                member.discovery.start(None, now, chance::part());
            } else {
                for interface in interfaces(&member.ways, &before) {
                    member.discovery.start(Some(interface), now, chance::part());
                }
            }
            let present = interfaces(&member.ways, &[]);
            for interface in interfaces(&before, &[]).difference(&present) {
                member.discovery.stop(*interface);
            }
            self.touched.insert(*id);
        }
    }

    /// What a discovery's listener has heard.
    pub(crate) fn hear<'a>(
        &mut self,
        id: ObjectId,
        heard: impl Iterator<Item = (Source, To, &'a [u8])>,
        casting: &Casting,
        now: Instant,
    ) {
        let Some(member) = self.members.get_mut(&id).filter(|member| !member.leaves) else { return };
        self.touched.insert(id);
        member.hear(id, heard, &self.networks, casting, now);
    }

    /// Reads one batch of answers at a sending socket, into `datagrams`; says whether there was any.
    pub(crate) fn read_answers(
        &mut self,
        socket: SenderId,
        datagrams: &mut Datagrams,
        casting: &mut Casting,
        now: Instant,
    ) -> bool {
        let Self { members, networks, touched } = self;
        let Some(options) = casting.read(socket, datagrams) else { return false };
        for (id, member) in members.iter_mut().filter(|(_, member)| !member.leaves) {
            // Discoveries that send by the same socket cannot tell whose answers these are.
            if options.interface().is_some() && !member.ways.contains(&options) {
                continue;
            }
            let heard = datagrams.iter().map(|datagram| {
                let interface = options.interface().unwrap_or(datagram.interface);
                (Source { socket: datagram.source, interface }, To::Sender, datagram.payload)
            });
            member.hear(*id, heard, networks, casting, now);
            touched.insert(*id);
        }
        !datagrams.is_empty()
    }

    /// Reads all answers that have come to a discovery, see [`Discovering::due`].
    pub(crate) fn read_all_answers(
        &mut self,
        id: ObjectId,
        datagrams: &mut Datagrams,
        casting: &mut Casting,
        now: Instant,
    ) {
        for socket in casting.senders(id) {
            let mut batches = 0;
            while batches < BATCHES && self.read_answers(socket, datagrams, casting, now) {
                batches += 1;
            }
        }
    }

    /// Does what a discovery has to do by now. All that has come must have been heard.
    pub(crate) fn due(
        &mut self,
        id: ObjectId,
        casting: &mut Casting,
        now: Instant,
        timers: &mut Timers<Deadline>,
    ) {
        let Some(member) = self.members.get_mut(&id).filter(|member| !member.leaves) else { return };
        self.touched.insert(id);
        let is_sealed = member.discovery.is_sealed();
        let sending = Sending { id, is_sealed, networks: &self.networks, now };
        member.discovery.due(now, wall_clock(), chance::part, |whom, bytes| {
            sending.send(whom, bytes, casting, timers);
        });
    }

    /// Here are the keys of one that has waited for them: it begins.
    pub(crate) fn unlock(&mut self, id: ObjectId, ring: Arc<Ring>, now: Instant) {
        if let Some(member) = self.members.get_mut(&id) {
            member.discovery.unlock(ring);
            member.discovery.start(None, now, chance::part());
            self.touched.insert(id);
        }
    }

    /// Announces something else from now on.
    pub(crate) fn announce(&mut self, id: ObjectId, data: Box<str>, now: Instant) {
        if let Some(member) = self.members.get_mut(&id) {
            member.discovery.announce(data, now);
            self.touched.insert(id);
        }
    }

    /// Asks everybody again.
    pub(crate) fn refresh(&mut self, id: ObjectId, now: Instant) {
        if let Some(member) = self.members.get_mut(&id).filter(|member| !member.discovery.is_locked()) {
            member.discovery.start(None, now, chance::part());
            self.touched.insert(id);
        }
    }

    /// More is to be told of the peers, if there is more.
    pub(crate) fn tell(&mut self, id: ObjectId, now: Instant) {
        if let Some(member) = self.members.get_mut(&id) {
            member.telling = member.telling.map(|until| until.min(now));
            self.touched.insert(id);
        }
    }

    /// The host has slept, or the engine was held up: nobody's silence counts.
    pub(crate) fn awake(&mut self, now: Instant) {
        for (id, member) in self.members.iter_mut().filter(|(_, member)| !member.discovery.is_locked()) {
            member.discovery.awake(now, chance::part());
            self.touched.insert(*id);
        }
    }

    /// Begins the end of a discovery, unless it has begun: says goodbye. [`Deadline::Leave`] is when to go on with
    /// [`Discovering::left`].
    pub(crate) fn leave(
        &mut self,
        id: ObjectId,
        casting: &mut Casting,
        now: Instant,
        timers: &mut Timers<Deadline>,
    ) {
        let Some(member) = self.members.get_mut(&id).filter(|member| !member.leaves) else { return };
        member.leaves = true;
        member.say_goodbye(id, &self.networks, casting, now, timers);
        timers.cancel(Deadline::Discover(id));
        timers.set(Deadline::Leave(id), now + GOODBYE_AGAIN);
    }

    /// Says goodbye once more; with that it is gone.
    pub(crate) fn left(
        &mut self,
        id: ObjectId,
        casting: &mut Casting,
        now: Instant,
        timers: &mut Timers<Deadline>,
    ) {
        if let Some(mut member) = self.members.remove(&id) {
            member.say_goodbye(id, &self.networks, casting, now, timers);
        }
    }

    /// Tells what is new, and sees to it that what is to be done next is done in time.
    pub(crate) fn settle(&mut self, casting: &Casting, now: Instant, timers: &mut Timers<Deadline>) {
        for id in self.touched.drain() {
            let Some(member) = self.members.get_mut(&id).filter(|member| !member.leaves) else { continue };
            let telling = member.tell(id, now);
            if std::mem::take(&mut member.seeks) && member.sought.is_none_or(|at| at + SEEK <= now) {
                member.sought = Some(now);
                casting.look_up_again(id, now, timers);
            }
            if let Some(next) = member.discovery.earliest().into_iter().chain(telling).min() {
                timers.set(Deadline::Discover(id), next);
            }
        }
    }
}

impl Member {
    fn hear<'a>(
        &mut self,
        id: ObjectId,
        heard: impl Iterator<Item = (Source, To, &'a [u8])>,
        networks: &Networks,
        casting: &Casting,
        now: Instant,
    ) {
        // The keys are on their way, and what comes is repeated.
        if self.discovery.is_locked() {
            return;
        }
        // Read here, for the host may have slept since anybody has looked.
        let suspended = if net::INSTANT_COUNTS_SLEEP { Duration::ZERO } else { net::suspended() };
        let at = Moment { now, wall: wall_clock(), suspended };
        let is_sealed = self.discovery.is_sealed();
        let (mut received, mut bytes) = (0, 0);
        for (from, to, payload) in heard {
            received += 1;
            bytes += payload.len() as u64;
            if !self.discovery.admits(from.socket, payload.len(), now) {
                continue;
            }
            let ip = from.socket.ip();
            let is_known = to == To::Group || networks.is_near(from) || casting.leads_to(id, ip);
            let message = (is_known || is_sealed).then(|| self.discovery.decode(payload));
            // Who has a key is believed from anywhere.
            let Some(message) = message.filter(|message| is_known || message.is_ok()) else {
                self.discovery.refuse();
                self.seeks = true;
                continue;
            };
            let arrival = Arrival { from, to, from_here: networks.is_own(ip), at };
            self.discovery.heard(&message, arrival, chance::part());
        }
        self.client.count(id, |stats| {
            stats.received += received;
            stats.bytes += bytes;
        });
    }

    fn say_goodbye(
        &mut self,
        id: ObjectId,
        networks: &Networks,
        casting: &mut Casting,
        now: Instant,
        timers: &mut Timers<Deadline>,
    ) {
        let is_sealed = self.discovery.is_sealed();
        let sending = Sending { id, is_sealed, networks, now };
        self.discovery.goodbye(wall_clock(), |whom, bytes| sending.send(whom, bytes, casting, timers));
    }

    /// Tells what is new; or says when, if it is too soon for that.
    fn tell(&mut self, id: ObjectId, now: Instant) -> Option<Instant> {
        let (peers, counts) = (self.discovery.table().len() as u64, self.discovery.counts());
        self.client.count(id, |stats| (stats.peers, stats.counts) = (peers, counts));
        let warnings = self.discovery.warnings();
        if warnings.id_conflict && !self.told.id_conflict {
            self.client.notify(Notice::IdConflict(id));
        }
        if warnings.full && !self.told.full {
            self.client.notify(Notice::TableFull(id));
        }
        if warnings.unauthenticated && !self.told.unauthenticated {
            self.client.notify(Notice::Unauthenticated(id));
        }
        if let Some(skew) = warnings.skew.filter(|_| self.told.skew.is_none()) {
            self.client.notify(Notice::ClockSkew(id, skew));
        }
        self.told = warnings;
        if !self.discovery.has_news() {
            return None;
        }
        if let Some(until) = self.telling.max(self.rests).filter(|until| *until > now) {
            return Some(until);
        }
        let goes_on = self.telling.is_some_and(|until| now < until + self.gap);
        self.gap = if goes_on { TELLING.1.min(2 * self.gap) } else { TELLING.0 };
        self.telling = Some(now + self.gap);
        let Self { discovery, rests, .. } = self;
        self.client.tell_of_peers(id, || {
            let (news, bytes) = batch(discovery);
            *rests = Some(now + Duration::from_secs(bytes as u64) / BYTES_A_SECOND);
            (news, discovery.has_news())
        });
        None
    }
}

/// As much of what is to be told as JavaScript takes at once, and how many bytes that counts.
fn batch(discovery: &mut Discovery) -> (Vec<PeerNews>, usize) {
    let mut news = Vec::new();
    let mut bytes = 0;
    while news.len() < BATCH_NEWS
        && bytes < BATCH_NEWS_BYTES
        && let Some((Told { id, down, is }, described)) = discovery.tell()
    {
        let state = described.map(|Described { peer, announces_new }| PeerState {
            data: announces_new.then(|| Arc::clone(&peer.data)),
            addresses: peer.addresses().map(Peer::source_of).collect(),
            plain: peer.is_plain(),
            since: peer.since,
        });
        let announced = state.as_ref().and_then(|state| state.data.as_ref()).map_or(0, |data| data.len());
        let addresses = state.as_ref().map_or(0, |state| state.addresses.len());
        bytes += announced + NEWS_BYTES * (1 + addresses);
        news.push(PeerNews { id, down, is: is.zip(state) });
    }
    (news, bytes)
}

/// The time in milliseconds since 1970.
fn wall_clock() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis() as u64
}

/// How a discovery sends.
struct Sending<'a> {
    id: ObjectId,
    /// Whoever is known has a key.
    is_sealed: bool,
    networks: &'a Networks,
    now: Instant,
}

impl Sending<'_> {
    /// Sends to everybody; or to one, if that has a key, is near, or a seed: who is none of these may be somebody who has
    /// asked for nothing.
    fn send(&self, whom: Whom, bytes: &[u8], casting: &mut Casting, timers: &mut Timers<Deadline>) {
        match whom {
            Whom::Everybody(on) => casting.announce(self.id, bytes, on, self.now, timers),
            Whom::One(to) => {
                let ip = to.socket.ip();
                let is_known = self.is_sealed || self.networks.is_near(to) || casting.leads_to(self.id, ip);
                if is_known && is_unicast(ip) && to.socket.port() > 0 {
                    casting.answer(self.id, to, bytes);
                }
            }
        }
    }
}
