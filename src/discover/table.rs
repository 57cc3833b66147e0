//! Who is there: made of what is heard, and of what is heard no longer.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustc_hash::FxHashMap;

use super::Moment;
use super::announcement::{Announcement, PLAIN, Says};
use super::freshness::{Freshness, Newest};
use super::gone::Gone;
use super::news::{News, Reason, Told};
use super::peer::{Kind, Peer, Source, To};
use super::room::Room;
use crate::engine::timers::Timers;

/// For so long after the newest announcement an older one is a copy that was long on its way.
const LATE: Duration = Duration::from_secs(5);

/// Identical bytes from one source within this are copies.
const COPIES: Duration = Duration::from_millis(100);

/// After so many intervals of silence of the higher, a lower `boot` is a restart: of a computer without a clock battery.
const SUCCESSION: f64 = 1.5;

/// How often somebody who is doubtful is asked, until it answers. Where a tenth of all is lost, one in five questions is not
/// answered, and of a hundred peers some are in doubt at any time.
const ASKS: u32 = 12;

/// What hearing somebody has led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    /// Somebody who was not there.
    New,
    /// Somebody who was.
    Known,
    /// Nobody: it has gone, was overtaken, or is a goodbye of nobody.
    Ignored,
    /// Somebody for whom there is no room; or who is there, and for what it announces now there is none.
    Refused,
    /// What was heard before, long ago.
    Replayed,
    /// What was sealed too long ago, or by a clock that is this far ahead of ours, in milliseconds.
    Stale {
        /// Negative if it is behind.
        skew: i64,
    },
}

/// Names a peer in here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Key(u32);

/// Who is there.
#[derive(Debug)]
pub struct Table {
    peers: FxHashMap<Key, Entry>,
    members: usize,
    /// Ids come from the network: hashed so that nobody can foresee what meets.
    keys: HashMap<Arc<str>, Key>,
    next: u32,
    room: Room,
    timers: Timers<Key>,
    gone: Gone,
    /// When this host last awoke: nobody's silence is counted from before.
    awoke: Option<Instant>,
    freshness: Freshness,
    news: News,
}

#[derive(Debug)]
struct Entry {
    peer: Peer,
    first_source: IpAddr,
    /// When it is to be asked whether it is still there, since it became doubtful.
    asks: Option<VecDeque<Instant>>,
    /// What it announced when it was last told of.
    told: Option<Arc<str>>,
    newest: Option<Newest>,
}

/// A peer as it is to be told of.
#[derive(Clone, Copy, Debug)]
pub struct Described<'a> {
    /// The peer as it is.
    pub peer: &'a Peer,
    /// Whether what it announces is other than what was told before.
    pub announces_new: bool,
}

impl Table {
    /// An empty table with room for this many peers, which announce so many bytes in all; `tolerance` is by how much what is
    /// sealed may be off our clock.
    pub fn new(max_peers: usize, max_bytes: usize, tolerance: Duration) -> Self {
        Self {
            peers: FxHashMap::default(),
            members: 0,
            keys: HashMap::new(),
            next: 0,
            room: Room::new(max_peers, max_bytes),
            timers: Timers::default(),
            gone: Gone::new(max_peers),
            awoke: None,
            freshness: Freshness::new(tolerance),
            news: News::default(),
        }
    }

    /// How many are there.
    pub fn len(&self) -> usize {
        self.peers.len()
    }

    /// How many of them take part.
    pub fn members(&self) -> usize {
        self.members
    }

    /// Whether nobody is there.
    pub fn is_empty(&self) -> bool {
        self.peers.is_empty()
    }

    /// Somebody who is there.
    pub fn get(&self, id: &str) -> Option<&Peer> {
        self.keys.get(id).and_then(|key| self.peers.get(key)).map(|entry| &entry.peer)
    }

    /// All who are there.
    pub fn peers(&self) -> impl Iterator<Item = &Peer> {
        self.peers.values().map(|entry| &entry.peer)
    }

    /// Whether somebody who is there was first heard from this address.
    pub fn has_heard_from(&self, address: IpAddr) -> bool {
        self.room.has(address)
    }

    /// Whether there is something to tell of them.
    pub fn has_news(&self) -> bool {
        !self.news.is_empty()
    }

    /// What is to be told next, with the peer as it is, if there is one.
    pub fn tell(&mut self) -> Option<(Told, Option<Described<'_>>)> {
        let told = self.news.take()?;
        let key = told.is.and_then(|_| self.keys.get(&told.id));
        let described = key.and_then(|key| self.peers.get_mut(key)).map(|Entry { peer, told, .. }| {
            let announces_new = told.as_ref() != Some(&peer.data);
            *told = Some(Arc::clone(&peer.data));
            Described { peer, announces_new }
        });
        Some((told, described))
    }

    /// Somebody who takes part was heard.
    pub fn hear(&mut self, announcement: &Announcement, from: Source, to: To, at: Moment) -> Heard {
        let Announcement { id, .. } = announcement;
        let key = self.keys.get(&**id).copied();
        let newest = key.and_then(|key| self.peers.get(&key)).and_then(|entry| entry.newest);
        if let Some(sealed) = announcement.at
            && let Some(skew) = self.freshness.skew(sealed, newest, at)
        {
            return Heard::Stale { skew };
        }
        // Or what one sealed before its restart would have it restart again.
        let boot = key.and_then(|key| self.peers.get(&key)).map_or(0, |entry| entry.peer.boot());
        if announcement.boot < boot && newest.zip(announcement.at).is_some_and(|(newest, at)| at <= newest.at)
        {
            return Heard::Replayed;
        }
        let heard = self.hear_fresh(announcement, (from, to), at);
        let entry = self.keys.get(&**id).and_then(|key| self.peers.get_mut(key));
        if let Some((entry, sealed)) = entry.zip(announcement.at)
            && matches!(heard, Heard::New | Heard::Known)
            && entry.newest.is_none_or(|newest| newest.at < sealed)
        {
            entry.newest = Some(Newest { at: sealed, heard: at });
        }
        heard
    }

    fn hear_fresh(&mut self, announcement: &Announcement, (from, to): (Source, To), at: Moment) -> Heard {
        let now = at.now;
        let Announcement { id, boot, seq, every, says, .. } = announcement;
        let Some(key) = self.keys.get(&**id).copied() else {
            return match says {
                Says::Data(data) if !self.gone.contains(id, *boot, now) => {
                    let kind = Kind::Member { boot: *boot, seq: *seq, every: *every };
                    self.add(id, data, kind, (from, to), at)
                }
                _ => Heard::Ignored,
            };
        };
        let Some(Entry { peer, .. }) = self.peers.get(&key) else { return Heard::Ignored };
        let Kind::Member { boot: its_boot, seq: its_seq, every: its_every } = peer.kind else {
            return Heard::Ignored;
        };
        let silence = now.saturating_duration_since(peer.heard());
        match says {
            Says::Bye => {
                if *boot != its_boot {
                    return Heard::Ignored;
                }
                let copies =
                    announcement.at.map_or(Duration::ZERO, |sealed| self.freshness.remains(sealed, at.wall));
                self.gone.remember(id, *boot, now, copies);
                self.remove(key, Reason::Bye);
                Heard::Known
            }
            Says::Data(data) if *boot == its_boot => {
                let mut fits = true;
                if *seq > its_seq {
                    let kind = Kind::Member { boot: *boot, seq: *seq, every: *every };
                    fits = self.renew(key, Some(kind), data, now);
                } else if silence > LATE {
                    return Heard::Replayed;
                }
                self.renew_address(key, from, to, now);
                if fits { Heard::Known } else { Heard::Refused }
            }
            Says::Data(data) => {
                let succeeds = *boot > its_boot || silence > its_every.mul_f64(SUCCESSION);
                if !succeeds {
                    return if silence > LATE { Heard::Replayed } else { Heard::Ignored };
                }
                if self.gone.contains(id, *boot, now) {
                    return Heard::Ignored;
                }
                self.remove(key, Reason::Restart);
                let kind = Kind::Member { boot: *boot, seq: *seq, every: *every };
                self.add(id, data, kind, (from, to), at)
            }
        }
    }

    /// A bare JSON object was heard.
    pub fn hear_plain(&mut self, data: &str, from: Source, at: Moment) -> Heard {
        let now = at.now;
        let id = format!("{PLAIN}{}", from.socket);
        let Some(key) = self.keys.get(&*id).copied() else {
            let kind = Kind::Plain { gaps: [Duration::ZERO; 4] };
            return self.add(&id, data, kind, (from, To::Group), at);
        };
        let Some(Entry { peer, .. }) = self.peers.get(&key) else { return Heard::Ignored };
        let is_copy = *peer.data == *data && now.saturating_duration_since(peer.heard()) <= COPIES;
        if is_copy || self.renew(key, None, data, now) { Heard::Known } else { Heard::Refused }
    }

    /// This host has slept, or its engine was held up: nobody's silence before now counts.
    pub fn awake(&mut self, now: Instant) {
        self.awoke = Some(now);
    }

    /// When there is next something to do.
    pub fn earliest(&mut self) -> Option<Instant> {
        self.timers.earliest()
    }

    /// Does what is due: declares gone who has been silent for its lifetime, and has `ask` ask those who are doubtful
    /// whether they are there, at moments that `chance`, a number from 0 to 1 each time, decides.
    pub fn due(&mut self, now: Instant, mut chance: impl FnMut() -> f64, mut ask: impl FnMut(&Peer)) {
        while let Some((_, key)) = self.timers.take_due(now) {
            let Some(Entry { peer, asks, .. }) = self.peers.get_mut(&key) else { continue };
            let since = self.awoke.map_or(peer.heard(), |awoke| awoke.max(peer.heard()));
            let ends = since + peer.lifetime();
            if ends <= now {
                self.remove(key, Reason::Timeout);
                continue;
            }
            let (forgot, next_forgotten) = peer.forget_old_addresses(now, self.awoke);
            if forgot {
                self.news.changed(&peer.id);
            }
            let mut next = ends;
            if let Some(doubtful) = peer.doubtful() {
                let begins = since + doubtful;
                if begins > now {
                    *asks = None;
                    next = begins;
                } else {
                    let asks = asks.get_or_insert_with(|| {
                        let slot = (ends - begins) / ASKS;
                        (0..ASKS).map(|i| begins + i * slot + slot.mul_f64(chance())).collect()
                    });
                    while asks.front().is_some_and(|at| *at <= now) {
                        asks.pop_front();
                        ask(peer);
                    }
                    next = asks.front().map_or(ends, |at| *at.min(&ends));
                }
            }
            self.timers.set(key, next_forgotten.map_or(next, |at| at.min(next)));
        }
    }

    fn add(
        &mut self,
        id: &str,
        data: &str,
        kind: Kind,
        (from, to): (Source, To),
        Moment { now, wall, .. }: Moment,
    ) -> Heard {
        let first_source = from.socket.ip();
        if !self.room.take(first_source, data.len()) {
            return Heard::Refused;
        }
        let id: Arc<str> = id.into();
        let key = Key(self.next);
        self.next += 1;
        let peer = Peer::new(Arc::clone(&id), data.into(), kind, from, to, now, wall);
        self.timers.set(key, now + peer.doubtful().unwrap_or(peer.lifetime()));
        self.news.up(&id);
        self.keys.insert(id, key);
        self.members += usize::from(!peer.is_plain());
        self.peers.insert(key, Entry { peer, first_source, asks: None, told: None, newest: None });
        Heard::New
    }

    /// Somebody who is there announces something, the same or another; a member says more of itself. Says whether there is
    /// room for it; without, it is there with what it announced before.
    fn renew(&mut self, key: Key, kind: Option<Kind>, data: &str, now: Instant) -> bool {
        let Some(Entry { peer, first_source, asks, .. }) = self.peers.get_mut(&key) else { return true };
        *asks = None;
        let fits = self.room.replace(*first_source, peer.data.len(), data.len());
        let data = if fits { data } else { &*Arc::clone(&peer.data) };
        let before = peer.lifetime();
        if let Some(kind) = kind {
            peer.kind = kind;
        }
        if peer.announces(data, now) {
            self.news.changed(&peer.id);
        }
        // The deadline that is set is looked at when it comes, unless that is too late now.
        if peer.lifetime() < before {
            self.timers.set(key, now + peer.doubtful().unwrap_or(peer.lifetime()));
        }
        fits
    }

    fn renew_address(&mut self, key: Key, from: Source, to: To, now: Instant) {
        let Some(Entry { peer, .. }) = self.peers.get_mut(&key) else { return };
        if peer.is_at(from, to, now) {
            self.news.changed(&peer.id);
        }
    }

    fn remove(&mut self, key: Key, reason: Reason) {
        let Some(Entry { peer, first_source, .. }) = self.peers.remove(&key) else { return };
        self.keys.remove(&peer.id);
        self.members -= usize::from(!peer.is_plain());
        self.timers.cancel(key);
        self.room.free(first_source, peer.data.len());
        self.news.down(&peer.id, reason);
    }
}

#[cfg(test)]
mod tests {
    use super::super::announcement::Ask;
    use super::super::news::Is;
    use super::*;
    use crate::net::InterfaceIndex;

    const SECOND: Duration = Duration::from_secs(1);
    const TOLERANCE: Duration = Duration::from_secs(60);
    /// That one source may announce.
    const MAX_BYTES: usize = 1000;

    /// A table, its clock, and what was asked.
    struct Sim {
        table: Table,
        start: Instant,
        now: Instant,
        slept: Duration,
        asked: Vec<(Duration, String)>,
    }

    impl Sim {
        fn new(max_peers: usize) -> Self {
            let start = Instant::now();
            Self {
                table: Table::new(max_peers, 8 * MAX_BYTES, TOLERANCE),
                start,
                now: start,
                slept: Duration::ZERO,
                asked: Vec::new(),
            }
        }

        /// The moment that it is, on the wall so many seconds after 1970.
        fn moment(&self, wall: u64) -> Moment {
            Moment { now: self.now, wall: 1000 * wall, suspended: self.slept }
        }

        /// Time passes, and what is due is done when it is.
        fn pass(&mut self, time: Duration) {
            let end = self.now + time;
            let mut chances = [0.25, 0.75].into_iter().cycle();
            while let Some(at) = self.table.earliest().filter(|at| *at <= end) {
                self.now = at;
                let Self { table, asked, start, .. } = self;
                let chance = || chances.next().unwrap();
                table.due(at, chance, |peer| asked.push((at - *start, peer.id.to_string())));
                assert!(table.earliest().is_none_or(|next| next > at), "it is never at once again");
            }
            self.now = end;
        }

        fn hear(&mut self, announcement: &Announcement, from: Source) -> Heard {
            let moment = self.moment(1);
            self.table.hear(announcement, from, To::Group, moment)
        }

        fn told(&mut self) -> Vec<(String, Option<Reason>, Option<Is>)> {
            let tell = || self.table.tell().map(|(Told { id, down, is }, _)| (id.to_string(), down, is));
            std::iter::from_fn(tell).collect()
        }

        fn addresses(&self, id: &str) -> Vec<String> {
            let peer = self.table.get(id).unwrap();
            peer.addresses().map(|address| address.socket.to_string()).collect()
        }
    }

    fn at(socket: &str) -> Source {
        Source { socket: socket.parse().unwrap(), interface: InterfaceIndex(2) }
    }

    fn says(id: &str, seq: u64, data: &str) -> Announcement {
        Announcement {
            id: id.into(),
            boot: 10,
            seq,
            every: 2 * SECOND,
            known: 1,
            ask: Some(Ask::Directly),
            at: None,
            says: Says::Data(data.into()),
        }
    }

    fn bye(id: &str, boot: u64) -> Announcement {
        Announcement { boot, says: Says::Bye, ..says(id, 100, "") }
    }

    fn a(down: Option<Reason>, is: Option<Is>) -> Vec<(String, Option<Reason>, Option<Is>)> {
        vec![("a".to_owned(), down, is)]
    }

    const HERE: &str = "10.0.0.1:5000";

    #[test]
    fn up_once_changed_when_it_changes_and_down_when_it_is_silent() {
        let mut sim = Sim::new(100);
        assert_eq!(sim.hear(&says("a", 1, "{}"), at(HERE)), Heard::New);
        assert_eq!(sim.told(), a(None, Some(Is::Up)));
        for seq in 2..5 {
            sim.pass(2 * SECOND);
            assert_eq!(sim.hear(&says("a", seq, "{}"), at(HERE)), Heard::Known);
        }
        assert_eq!(sim.told(), []);
        sim.hear(&says("a", 5, r#"{"b":1}"#), at(HERE));
        assert_eq!(sim.told(), a(None, Some(Is::Changed)));
        assert_eq!(&*sim.table.get("a").unwrap().data, r#"{"b":1}"#);
        // 3.5 intervals.
        sim.pass(7 * SECOND - Duration::from_millis(1));
        assert_eq!(sim.told(), []);
        sim.pass(Duration::from_millis(1));
        assert_eq!(sim.told(), a(Some(Reason::Timeout), None));
        assert!(sim.table.is_empty() && sim.table.earliest().is_none());
    }

    /// Sealed at so many seconds since 1970, by the clock of who has; ours began with 1 s.
    fn sealed(id: &str, seq: u64, at: u64) -> Announcement {
        Announcement { at: Some(1000 * at), ..says(id, seq, "{}") }
    }

    #[test]
    fn who_is_not_known_must_have_a_clock_like_ours() {
        let mut sim = Sim::new(100);
        let moment = sim.moment(1000);
        let mut hear =
            |announcement: &Announcement| sim.table.hear(announcement, at(HERE), To::Group, moment);
        assert_eq!(hear(&sealed("old", 1, 939)), Heard::Stale { skew: -61_000 });
        assert_eq!(hear(&sealed("new", 1, 1061)), Heard::Stale { skew: 61_000 });
        assert_eq!(hear(&sealed("behind", 1, 940)), Heard::New);
        assert_eq!(hear(&sealed("ahead", 1, 1060)), Heard::New);
        let endless = Announcement { at: Some(u64::MAX), ..says("endless", 1, "{}") };
        assert_eq!(hear(&endless), Heard::Stale { skew: i64::MAX });
    }

    #[test]
    fn who_is_known_may_lag_behind_itself_and_no_more() {
        let mut sim = Sim::new(100);
        let hear = |sim: &mut Sim, announcement: &Announcement| {
            let moment = sim.moment(1000);
            sim.table.hear(announcement, at(HERE), To::Group, moment)
        };
        assert_eq!(hear(&mut sim, &sealed("a", 1, 1000)), Heard::New);
        // Its clock is put forward by an hour, and goes on from there.
        assert_eq!(hear(&mut sim, &sealed("a", 2, 4600)), Heard::Known);
        sim.pass(SECOND);
        assert_eq!(hear(&mut sim, &sealed("a", 3, 4541)), Heard::Known);
        assert_eq!(hear(&mut sim, &sealed("a", 4, 4540)), Heard::Stale { skew: 3_540_000 });
        // What this host slept counts, whether that has been noticed or not.
        sim.slept = 30 * SECOND;
        assert_eq!(hear(&mut sim, &sealed("a", 5, 4570)), Heard::Stale { skew: 3_570_000 });
        assert_eq!(hear(&mut sim, &sealed("a", 5, 4571)), Heard::Known);
        // What was heard 5 s ago is known; once more it is a replay.
        assert_eq!(hear(&mut sim, &sealed("a", 6, 4631)), Heard::Known);
        sim.pass(LATE + Duration::from_millis(1));
        assert_eq!(hear(&mut sim, &sealed("a", 6, 4631)), Heard::Replayed);
        // Of the one before, which a restart would be without a seal.
        let before = |at| Announcement { boot: 9, ..sealed("a", 9, at) };
        assert_eq!(hear(&mut sim, &before(4630)), Heard::Replayed);
        assert_eq!(hear(&mut sim, &before(4632)), Heard::New);
    }

    #[test]
    fn a_goodbye_is_remembered_until_what_was_sealed_before_is_stale() {
        let mut sim = Sim::new(100);
        // Its clock is 50 s ahead of ours.
        let hear = |sim: &mut Sim, announcement: &Announcement| {
            let wall = 1_000_000 + (sim.now - sim.start).as_millis() as u64;
            let moment = Moment { wall, ..sim.moment(0) };
            sim.table.hear(announcement, at(HERE), To::Group, moment)
        };
        assert_eq!(hear(&mut sim, &sealed("a", 1, 1050)), Heard::New);
        let goodbye = Announcement { at: Some(1_050_000), ..bye("a", 10) };
        assert_eq!(hear(&mut sim, &goodbye), Heard::Known);
        for _ in 0..110 {
            assert_eq!(hear(&mut sim, &sealed("a", 1, 1050)), Heard::Ignored);
            sim.pass(SECOND);
        }
        sim.pass(Duration::from_millis(1));
        assert!(matches!(hear(&mut sim, &sealed("a", 1, 1050)), Heard::Stale { .. }));
    }

    #[test]
    fn what_it_announces_is_told_as_new_if_it_is_other_than_what_was_told() {
        let mut sim = Sim::new(100);
        let tell = |sim: &mut Sim| sim.table.tell().map(|(_, described)| described.unwrap().announces_new);
        sim.hear(&says("a", 1, r#"{"a":1}"#), at(HERE));
        assert_eq!(tell(&mut sim), Some(true));
        sim.hear(&says("a", 2, r#"{"a":2}"#), at(HERE));
        sim.hear(&says("a", 3, r#"{"a":1}"#), at(HERE));
        assert_eq!(tell(&mut sim), Some(false));
        sim.hear(&says("a", 4, r#"{"a":1}"#), at("10.0.0.2:5000"));
        assert_eq!(tell(&mut sim), Some(false));
        // Another with the same id is another.
        sim.hear(&Announcement { boot: 11, ..says("a", 1, r#"{"a":1}"#) }, at(HERE));
        assert_eq!((tell(&mut sim), tell(&mut sim)), (Some(true), None));
    }

    #[test]
    fn who_is_heard_by_unicast_alone_is_one_who_has_us_for_a_seed() {
        let mut sim = Sim::new(100);
        let mut hear = |seq, from, to| {
            let moment = sim.moment(1);
            sim.table.hear(&says("a", seq, "{}"), at(from), to, moment);
            let peer = sim.table.get("a").unwrap();
            peer.heard_by_unicast_alone().map(|source| source.socket.to_string()).collect::<Vec<_>>()
        };
        let none = [""; 0];
        // It only answers.
        assert_eq!(hear(1, "10.0.0.1:5000", To::Sender), none);
        assert_eq!(hear(2, "10.0.0.1:5001", To::Port), ["10.0.0.1:5001"]);
        assert_eq!(hear(3, "10.0.0.1:5001", To::Sender), ["10.0.0.1:5001"]);
        // It is in the group, too.
        assert_eq!(hear(4, "10.0.0.1:5002", To::Group), none);
        assert_eq!(hear(5, "10.0.0.1:5001", To::Port), none);
    }

    #[test]
    fn who_is_silent_is_asked_before_it_is_gone() {
        let mut sim = Sim::new(100);
        sim.hear(&says("a", 1, "{}"), at(HERE));
        sim.pass(100 * SECOND);
        // Doubtful after 5 s, gone after 7: once in each part of the time between, wherever chance has it.
        let slot = 2.0 / f64::from(ASKS);
        for (i, (at, _)) in sim.asked.iter().enumerate() {
            let slots = (at.as_secs_f64() - 5.0) / slot;
            assert!((slots - [0.25, 0.75][i % 2] - i as f64).abs() < 1e-6, "{i}: {at:?}");
        }
        assert_eq!(sim.asked.len(), ASKS as usize);

        sim.asked.clear();
        sim.start = sim.now;
        sim.hear(&says("a", 2, "{}"), at(HERE));
        sim.pass(6 * SECOND);
        sim.hear(&says("a", 3, "{}"), at(HERE));
        sim.pass(5 * SECOND);
        assert_eq!(sim.asked.len(), ASKS as usize / 2, "an answer ends the doubt");
        assert!(sim.table.get("a").is_some());
    }

    #[test]
    fn copies_and_what_is_late_add_an_address_and_nothing_else() {
        let mut sim = Sim::new(100);
        sim.hear(&says("a", 2, r#"{"new":1}"#), at(HERE));
        sim.told();
        assert_eq!(sim.hear(&says("a", 2, r#"{"new":1}"#), at("[fe80::1%2]:5001")), Heard::Known);
        assert_eq!(sim.told(), a(None, Some(Is::Changed)));
        assert_eq!(sim.hear(&says("a", 1, r#"{"old":1}"#), at("10.0.1.1:5000")), Heard::Known);
        assert_eq!(&*sim.table.get("a").unwrap().data, r#"{"new":1}"#);
        assert_eq!(sim.addresses("a"), [HERE, "[fe80::1%2]:5001", "10.0.1.1:5000"]);
        sim.pass(LATE + Duration::from_millis(1));
        assert_eq!(sim.hear(&says("a", 1, "{}"), at("10.0.2.1:5000")), Heard::Replayed);
        assert_eq!(sim.hear(&says("a", 2, "{}"), at("10.0.2.1:5000")), Heard::Replayed);
        // Nor does that keep it alive.
        sim.pass(2 * SECOND);
        assert!(sim.table.is_empty());
    }

    #[test]
    fn a_goodbye_is_for_good_and_its_late_copies_raise_no_ghost() {
        let mut sim = Sim::new(100);
        sim.hear(&says("a", 1, "{}"), at(HERE));
        sim.told();
        assert_eq!(sim.hear(&bye("a", 9), at(HERE)), Heard::Ignored, "of an instance before");
        assert_eq!(sim.hear(&bye("nobody", 10), at(HERE)), Heard::Ignored);
        assert_eq!(sim.hear(&bye("a", 10), at(HERE)), Heard::Known);
        assert_eq!(sim.hear(&bye("a", 10), at(HERE)), Heard::Ignored);
        assert_eq!(sim.hear(&says("a", 2, "{}"), at(HERE)), Heard::Ignored);
        assert_eq!(sim.told(), a(Some(Reason::Bye), None));
        // Another instance is another matter; and nobody is remembered for ever.
        let again = Announcement { boot: 11, ..says("a", 1, "{}") };
        assert_eq!(sim.hear(&again, at(HERE)), Heard::New);
        sim.hear(&bye("a", 11), at(HERE));
        sim.pass(60 * SECOND);
        assert_eq!(sim.hear(&again, at(HERE)), Heard::New);
    }

    #[test]
    fn a_higher_boot_is_a_restart_and_a_lower_one_when_the_higher_is_silent() {
        let mut sim = Sim::new(100);
        sim.hear(&says("a", 50, "{}"), at(HERE));
        sim.told();
        let boot = |boot| Announcement { boot, ..says("a", 1, "{}") };
        assert_eq!(sim.hear(&boot(11), at(HERE)), Heard::New);
        assert_eq!(sim.told(), a(Some(Reason::Restart), Some(Is::Up)));
        assert_eq!(sim.hear(&boot(5), at(HERE)), Heard::Ignored);
        sim.pass(3 * SECOND);
        assert_eq!(sim.hear(&boot(5), at(HERE)), Heard::Ignored);
        sim.pass(Duration::from_millis(1));
        assert_eq!(sim.hear(&boot(5), at(HERE)), Heard::New);
        assert_eq!(sim.told(), a(Some(Reason::Restart), Some(Is::Up)));
    }

    #[test]
    fn silence_while_this_host_slept_does_not_count() {
        let mut sim = Sim::new(100);
        sim.hear(&says("a", 1, "{}"), at(HERE));
        sim.hear(&says("a", 1, "{}"), at("10.0.1.1:5000"));
        sim.told();
        // It sleeps: nothing is done meanwhile.
        sim.now += 3600 * SECOND;
        sim.table.awake(sim.now);
        sim.pass(7 * SECOND - Duration::from_millis(1));
        assert_eq!(sim.told(), []);
        assert_eq!(sim.asked.len(), ASKS as usize);
        sim.pass(Duration::from_millis(1));
        assert_eq!(sim.told(), a(Some(Reason::Timeout), None));
    }

    #[test]
    fn addresses_age_and_the_main_one_stays_while_it_lives() {
        let mut sim = Sim::new(100);
        let others = ["10.0.1.1:5000", "[fd00::1]:5001"];
        sim.hear(&says("a", 1, "{}"), at(others[1]));
        sim.hear(&says("a", 1, "{}"), at(HERE));
        sim.hear(&says("a", 1, "{}"), at(others[0]));
        assert_eq!(sim.addresses("a")[0], others[1], "the first");
        sim.told();
        for seq in 2..6 {
            sim.pass(2 * SECOND);
            sim.hear(&says("a", seq, "{}"), at(HERE));
            if seq == 2 {
                sim.hear(&says("a", seq, "{}"), at(others[0]));
            }
        }
        assert_eq!(sim.addresses("a"), [HERE, others[0]], "the newest of IPv4 takes its place");
        assert_eq!(sim.told(), a(None, Some(Is::Changed)));
        sim.pass(2 * SECOND);
        sim.hear(&says("a", 6, "{}"), at(HERE));
        assert_eq!(sim.addresses("a"), [HERE]);
        for port in 0..100 {
            sim.hear(&says("a", 6, "{}"), at(&format!("10.0.3.1:{}", 6000 + port)));
        }
        let addresses = sim.addresses("a");
        assert_eq!((addresses.len(), addresses[0].as_str()), (16, HERE));
        assert_eq!(addresses[15], "10.0.3.1:6099");
    }

    #[test]
    fn an_address_of_one_link_gives_way_to_any_other() {
        let mut sim = Sim::new(100);
        for (seq, from, main) in [
            (1, "[fe80::1%2]:5001", "[fe80::1%2]:5001"),
            (2, "[fe80::2%2]:5001", "[fe80::1%2]:5001"),
            (3, HERE, HERE),
            (4, "[fd00::1]:5001", HERE),
            (5, "[fe80::1%2]:5001", HERE),
        ] {
            sim.hear(&says("a", seq, "{}"), at(from));
            assert_eq!(sim.addresses("a")[0], main, "after {from}");
        }
    }

    #[test]
    fn a_full_table_refuses_and_keeps_whom_it_has() {
        let mut sim = Sim::new(16);
        let hear = |sim: &mut Sim, i: u32| {
            let from = at(&format!("10.0.{}.1:5000", i / 2));
            sim.hear(&says(&i.to_string(), 1, "{}"), from)
        };
        for i in 0..16 {
            assert_eq!(hear(&mut sim, i), Heard::New);
        }
        assert_eq!(hear(&mut sim, 16), Heard::Refused);
        assert_eq!(hear(&mut sim, 0), Heard::Known);
        sim.hear(&bye("0", 10), at("10.0.0.1:5000"));
        assert_eq!(hear(&mut sim, 16), Heard::New);
        assert_eq!(sim.table.len(), 16);
    }

    #[test]
    fn one_source_holds_an_eighth_at_most() {
        let mut sim = Sim::new(80);
        for i in 0..20 {
            let heard = sim.hear(&says(&i.to_string(), 1, "{}"), at(HERE));
            assert_eq!(heard, if i < 10 { Heard::New } else { Heard::Refused });
        }
        assert_eq!(sim.hear(&says("b", 1, "{}"), at("10.0.0.2:5000")), Heard::New);
        sim.hear(&bye("3", 10), at(HERE));
        assert_eq!(sim.hear(&says("c", 1, "{}"), at(HERE)), Heard::New);
    }

    #[test]
    fn who_announces_more_than_there_is_room_for_stays_as_it_was() {
        let mut sim = Sim::new(80);
        let long = |length: usize| format!(r#"{{"a":"{}"}}"#, "x".repeat(length - 8));
        assert_eq!(sim.hear(&says("b", 1, &long(MAX_BYTES + 1)), at(HERE)), Heard::Refused);
        assert_eq!(sim.hear(&says("a", 1, &long(500)), at(HERE)), Heard::New);
        assert_eq!(sim.hear(&says("b", 1, &long(500)), at(HERE)), Heard::New);
        sim.told();
        sim.pass(6 * SECOND);
        assert_eq!(sim.hear(&says("a", 2, &long(501)), at(HERE)), Heard::Refused);
        assert_eq!(sim.hear(&says("a", 2, &long(501)), at("10.0.0.9:5000")), Heard::Known, "a copy");
        assert_eq!(sim.told(), a(None, Some(Is::Changed)), "by its addresses");
        assert_eq!(*sim.table.get("a").unwrap().data, *long(500));
        // b, who says nothing, goes; a, who did, does not.
        sim.pass(2 * SECOND);
        assert_eq!(sim.told(), [("b".to_owned(), Some(Reason::Timeout), None)]);
        assert_eq!(sim.hear(&says("a", 3, &long(501)), at(HERE)), Heard::Known);
        assert_eq!(*sim.table.get("a").unwrap().data, *long(501));
    }

    #[test]
    fn a_plain_peer_lives_by_the_longest_of_its_last_gaps() {
        let mut sim = Sim::new(100);
        let (id, from) = ("plain:10.0.0.1:5000", at(HERE));
        let hear = |sim: &mut Sim, data| sim.table.hear_plain(data, from, sim.moment(1));
        assert_eq!(hear(&mut sim, "{}"), Heard::New);
        assert!(sim.table.get(id).unwrap().is_plain());
        assert_eq!(sim.told(), [(id.to_owned(), None, Some(Is::Up))]);
        sim.pass(Duration::from_millis(50));
        assert_eq!(hear(&mut sim, "{}"), Heard::Known, "a copy, which says nothing of its pace");
        let lifetime = |sim: &Sim| sim.table.get(id).unwrap().lifetime();
        assert_eq!(lifetime(&sim), 7 * SECOND);
        sim.pass(4 * SECOND - Duration::from_millis(50));
        hear(&mut sim, "{}");
        assert_eq!(lifetime(&sim), 14 * SECOND);
        for _ in 0..4 {
            sim.pass(3 * SECOND);
            hear(&mut sim, "{}");
        }
        assert_eq!(lifetime(&sim).as_millis(), 10_500);
        hear(&mut sim, r#"{"a":1}"#);
        assert_eq!(sim.told(), [(id.to_owned(), None, Some(Is::Changed))]);
        sim.pass(Duration::from_millis(10_499));
        assert_eq!(sim.told(), []);
        sim.pass(Duration::from_millis(1));
        assert_eq!(sim.told(), [(id.to_owned(), Some(Reason::Timeout), None)]);
        assert_eq!(sim.asked, [], "it would not know what it is asked");
    }
}
