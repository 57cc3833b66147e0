//! Discovery: who announces what to whom, and who is there. Knows no socket, no clock and no source of chance: the time,
//! the chance and a way to send are handed in.

mod admission;
pub mod announcement;
mod freshness;
mod gone;
pub mod news;
pub mod peer;
mod room;
pub mod schedule;
pub mod seal;
pub mod table;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::net::InterfaceIndex;

use admission::Admission;
use announcement::{Announcement, Ask, Codec, Message, Refusal, Says};
use news::Told;
use peer::{Peer, Source, To};
use schedule::{Outgoing, PerSecond, Schedule};
use seal::Ring;
use table::{Described, Heard, Table};

/// The most peers a second that are asked whether they are still there.
const DOUBTS: usize = 200;

/// How many bytes of what all peers announce are kept: as objects of JavaScript they take up to twenty times as many.
const MAX_BYTES: usize = 16 << 20;

/// How often at most it is looked who is silent: of thousands somebody may be at any moment.
const LOOKING: Duration = Duration::from_millis(50);

/// What one Discovery is made with.
#[derive(Clone, Debug)]
pub struct Options {
    /// Who it is, for others.
    pub id: Box<str>,
    /// Only those with the same one see each other.
    pub app: Box<str>,
    /// When it starts, in milliseconds since 1970.
    pub boot: u64,
    /// What it announces: the JSON of an object, see [`announcement::is_announceable`].
    pub data: Box<str>,
    /// The time between its announcements while the group is small.
    pub interval: Duration,
    /// How many announcements a second the whole group may make.
    pub rate: f64,
    /// Whether bare JSON objects are peers, too.
    pub plain: bool,
    /// How many peers there is room for.
    pub max_peers: usize,
    /// What all is sealed with, and everything else refused.
    pub ring: Option<Arc<Ring>>,
    /// By how much what is sealed may be off our clock.
    pub tolerance: Duration,
}

/// To whom something is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whom {
    /// To the groups and the seeds, on one interface, or on all.
    Everybody(Option<InterfaceIndex>),
    /// To the source of a peer's datagrams, from the same interface.
    One(Source),
}

/// How a datagram came.
#[derive(Clone, Copy, Debug)]
pub struct Arrival {
    /// From where.
    pub from: Source,
    /// Where it was sent.
    pub to: To,
    /// Another program on this host has sent it.
    pub from_here: bool,
    /// When.
    pub at: Moment,
}

/// A moment by the clocks of this host.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    /// By the clock that nobody sets.
    pub now: Instant,
    /// By the one that people set: in milliseconds since 1970.
    pub wall: u64,
    /// How long this host has slept in all by then, unless `now` counts that.
    pub suspended: Duration,
}

/// What has been heard and not made a peer of; and what has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Announcements of others, bare objects included.
    pub announcements: u64,
    /// What is neither.
    pub malformed: u64,
    /// Of a later version.
    pub later: u64,
    /// Sealed, and there is no key for it; or not sealed, and there are keys.
    pub unauthenticated: u64,
    /// What had been heard before, long ago.
    pub replayed: u64,
    /// Sealed, and too old, or from a clock that is too far off.
    pub stale: u64,
    /// Those for whom there was no room, or who were not believed.
    pub refused: u64,
    /// What was not looked at, for too much came from there.
    pub rate_limited: u64,
}

/// What is to be warned of, each once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Warnings {
    /// Somebody else has our id.
    pub id_conflict: bool,
    /// The table is full.
    pub full: bool,
    /// Others announce without a key of ours.
    pub unauthenticated: bool,
    /// The clock of somebody who has our key is off by so many milliseconds, more than may be: ahead of ours if positive.
    pub skew: Option<i64>,
}

/// One that announces, and keeps a table of who does.
#[derive(Debug)]
pub struct Discovery {
    codec: Codec,
    admission: Admission,
    table: Table,
    schedule: Schedule,
    id: Box<str>,
    boot: u64,
    seq: u64,
    data: Box<str>,
    plain: bool,
    doubts: PerSecond,
    /// When it was last looked who is silent.
    looked: Option<Instant>,
    counts: Counts,
    warnings: Warnings,
}

impl Discovery {
    /// One that sends nothing before it is [`Discovery::start`]ed.
    pub fn new(options: Options) -> Self {
        let Options { id, app, boot, data, interval, rate, plain, max_peers, ring, tolerance } = options;
        Self {
            codec: ring.map_or_else(|| Codec::new(&app), |ring| Codec::sealed(&app, ring)),
            admission: Admission::default(),
            table: Table::new(max_peers, MAX_BYTES, tolerance),
            schedule: Schedule::new(interval, rate),
            id,
            boot,
            seq: 0,
            data,
            plain,
            doubts: PerSecond::new(DOUBTS),
            looked: None,
            counts: Counts::default(),
            warnings: Warnings::default(),
        }
    }

    /// Whether only what is sealed with a key counts.
    pub fn is_sealed(&self) -> bool {
        self.codec.is_sealed()
    }

    /// Whether it is to be sealed, and the keys are not there yet: then nothing can be said or heard.
    pub fn is_locked(&self) -> bool {
        self.codec.is_locked()
    }

    /// Here are the keys.
    pub fn unlock(&mut self, ring: Arc<Ring>) {
        self.codec.unlock(ring);
    }

    /// Begins to announce, or begins again: everywhere, or on an interface that is new. `chance` is from 0 to 1, as all
    /// that is handed in here.
    pub fn start(&mut self, on: Option<InterfaceIndex>, now: Instant, chance: f64) {
        self.schedule.start(on, now, chance);
    }

    /// An interface is there no longer.
    pub fn stop(&mut self, on: InterfaceIndex) {
        self.schedule.stop(on);
    }

    /// This host has slept, or nothing was heard for another reason that is ours: nobody's silence counts.
    pub fn awake(&mut self, now: Instant, chance: f64) {
        self.table.awake(now);
        self.schedule.start(None, now, chance);
    }

    /// Announces something else from now on.
    pub fn announce(&mut self, data: Box<str>, now: Instant) {
        self.data = data;
        self.schedule.changed(now, self.peers());
    }

    /// Whether a datagram is to be looked at, by where it comes from and how long it is.
    pub fn admits(&mut self, from: SocketAddr, length: usize, now: Instant) -> bool {
        let known = self.table.has_heard_from(from.ip());
        let admits = self.admission.admits(from.ip(), known, length, now);
        self.counts.rate_limited += u64::from(!admits);
        admits
    }

    /// A datagram was heard that is not believed, for who is neither near nor known has sent it to this host.
    pub fn refuse(&mut self) {
        self.counts.refused += 1;
    }

    /// What a datagram holds.
    ///
    /// # Errors
    /// Why it holds nothing for us.
    pub fn decode(&self, datagram: &[u8]) -> Result<Message, Refusal> {
        self.codec.decode(datagram)
    }

    /// A datagram was heard that holds this, see [`Discovery::decode`].
    pub fn heard(&mut self, message: &Result<Message, Refusal>, arrival: Arrival, chance: f64) {
        let Arrival { from, to, from_here, at } = arrival;
        let now = at.now;
        let heard = match message {
            Ok(Message::Announcement(announcement)) if announcement.id == self.id => {
                // The goodbye of the one before us with this id may be late; what it sealed can be repeated by anybody.
                let is_old =
                    announcement.says == Says::Bye || self.codec.is_sealed() && announcement.boot < self.boot;
                let is_ours = announcement.boot == self.boot && announcement.seq <= self.seq;
                self.warnings.id_conflict |= !is_ours && !is_old;
                return;
            }
            Ok(Message::Announcement(announcement)) => {
                let heard = self.table.hear(announcement, from, to, at);
                if !matches!(heard, Heard::Replayed | Heard::Stale { .. }) {
                    self.schedule.claims(announcement.known, now);
                    if to == To::Sender && !from_here {
                        self.schedule.answered();
                    }
                    let ask = announcement.ask.or((heard == Heard::New).then_some(Ask::Directly));
                    if let Some(ask) = ask.filter(|_| matches!(announcement.says, Says::Data(_))) {
                        self.schedule.owe(ask, from, self.peers(), now, chance);
                    }
                }
                heard
            }
            Ok(Message::Plain(data)) if self.plain => self.table.hear_plain(data, from, at),
            Ok(Message::Plain(_)) | Err(Refusal::OtherApp) => return,
            Err(Refusal::Malformed) => return self.counts.malformed += 1,
            Err(Refusal::Version) => return self.counts.later += 1,
            Err(refusal @ (Refusal::Sealed | Refusal::Unsealed | Refusal::Foreign)) => {
                self.counts.unauthenticated += 1;
                // Who has no key may well be beside those who have.
                self.warnings.unauthenticated |= *refusal != Refusal::Sealed;
                return;
            }
        };
        self.counts.announcements += 1;
        match heard {
            Heard::New | Heard::Known | Heard::Ignored => {}
            Heard::Refused => {
                self.counts.refused += 1;
                self.warnings.full = true;
            }
            Heard::Replayed => self.counts.replayed += 1,
            Heard::Stale { skew } => {
                self.counts.stale += 1;
                self.warnings.skew.get_or_insert(skew);
            }
        }
    }

    /// When there is next something to do.
    pub fn earliest(&mut self) -> Option<Instant> {
        let looks = self.looked.map(|at| at + LOOKING);
        let silence = self.table.earliest().map(|at| looks.map_or(at, |looks| at.max(looks)));
        silence.into_iter().chain(self.schedule.earliest()).min()
    }

    /// Does what is due at `now`, which is `wall` in milliseconds since 1970, and has `send` send what is to be sent. All that has
    /// come by then must have been heard: who is silent is looked for.
    pub fn due(
        &mut self,
        now: Instant,
        wall: u64,
        mut chance: impl FnMut() -> f64,
        mut send: impl FnMut(Whom, &[u8]),
    ) {
        self.looked = Some(now);
        let mut doubted = Vec::new();
        let doubts = &mut self.doubts;
        self.table.due(now, &mut chance, |peer| {
            if doubts.allows(now) {
                doubted.extend(peer.addresses().map(Peer::source_of));
            }
        });
        for source in doubted {
            if let Some(question) = self.announcement(Some(Ask::Directly), wall) {
                send(Whom::One(source), &question);
            }
        }
        let peers = self.peers();
        let mut due = Vec::new();
        self.schedule.due(peers, now, chance, |one| due.push(one));
        for one in due {
            let ask = match one {
                Outgoing::Announce { ask, .. } => ask,
                Outgoing::Answer(_) => None,
            };
            let Some(announcement) = self.announcement(ask, wall) else { continue };
            match one {
                Outgoing::Announce { on, .. } => self.send_to_all(on, &announcement, &mut send),
                Outgoing::Answer(asker) => send(Whom::One(asker), &announcement),
            }
        }
    }

    /// Says that it goes; to be done twice, for one may be lost.
    pub fn goodbye(&mut self, wall: u64, mut send: impl FnMut(Whom, &[u8])) {
        if let Some(goodbye) = self.encode(None, Says::Bye, wall) {
            self.send_to_all(None, &goodbye, &mut send);
        }
    }

    /// Sends to everybody, and to those who are heard by unicast alone.
    fn send_to_all(&self, on: Option<InterfaceIndex>, bytes: &[u8], send: &mut impl FnMut(Whom, &[u8])) {
        send(Whom::Everybody(on), bytes);
        if on.is_none() {
            for source in self.table.peers().flat_map(Peer::heard_by_unicast_alone) {
                send(Whom::One(source), bytes);
            }
        }
    }

    /// Who is there.
    pub fn table(&self) -> &Table {
        &self.table
    }

    /// Whether there is something to tell of them.
    pub fn has_news(&self) -> bool {
        self.table.has_news()
    }

    /// What is to be told next, see [`Table::tell`].
    pub fn tell(&mut self) -> Option<(Told, Option<Described<'_>>)> {
        self.table.tell()
    }

    /// What has been heard so far.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// What has been found wrong so far.
    pub fn warnings(&self) -> Warnings {
        self.warnings
    }

    /// How many take part, as far as it knows, itself included.
    fn peers(&self) -> usize {
        self.table.members() + 1
    }

    fn announcement(&mut self, ask: Option<Ask>, wall: u64) -> Option<Vec<u8>> {
        self.encode(ask, Says::Data(self.data.clone()), wall)
    }

    /// `None` if it is to be sealed, and the system has no chance to draw a nonce from.
    fn encode(&mut self, ask: Option<Ask>, says: Says, wall: u64) -> Option<Vec<u8>> {
        self.seq += 1;
        let peers = self.peers();
        self.codec.encode(&Announcement {
            id: self.id.clone(),
            boot: self.boot,
            seq: self.seq,
            every: self.schedule.every(peers),
            known: peers as u64,
            ask,
            at: self.codec.is_sealed().then_some(wall),
            says,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(id: &str, app: &str) -> Options {
        Options {
            id: id.into(),
            app: app.into(),
            boot: 10,
            data: "{}".into(),
            interval: Duration::from_secs(2),
            rate: 50.0,
            plain: true,
            max_peers: 8,
            ring: None,
            tolerance: Duration::ZERO,
        }
    }

    fn at(now: Instant) -> Moment {
        Moment { now, wall: 1000, suspended: Duration::ZERO }
    }

    /// Has one hear what another says, in words or as a datagram.
    fn hear(one: &mut Discovery, datagram: &[u8], now: Instant) {
        let from = Source { socket: ([10, 0, 0, 1], 5000).into(), interface: InterfaceIndex(2) };
        let message = one.decode(datagram);
        one.heard(&message, Arrival { from, to: To::Group, from_here: false, at: at(now) }, 0.5);
    }

    /// What is sent within so many milliseconds of `now`.
    fn sent(one: &mut Discovery, now: Instant, ms: u64) -> Vec<(Whom, Vec<u8>)> {
        let end = now + Duration::from_millis(ms);
        let mut sent = Vec::new();
        while let Some(at) = one.earliest().filter(|at| *at <= end) {
            one.due(at, 1000, || 0.5, |whom, datagram| sent.push((whom, datagram.to_vec())));
        }
        sent
    }

    fn goodbye(one: &mut Discovery) -> Vec<u8> {
        let mut sent = Vec::new();
        one.goodbye(1000, |whom, datagram| sent.push((whom, datagram.to_vec())));
        assert_eq!((sent.len(), sent[0].0), (1, Whom::Everybody(None)));
        sent.remove(0).1
    }

    #[test]
    fn two_find_each_other_and_part() {
        let now = Instant::now();
        let (mut ada, mut bob) = (Discovery::new(options("ada", "")), Discovery::new(options("bob", "")));
        bob.announce(r#"{"likes":"tea"}"#.into(), now);
        for one in [&mut ada, &mut bob] {
            one.start(None, now, 0.5);
        }
        for (_, datagram) in sent(&mut bob, now, 100) {
            hear(&mut ada, &datagram, now);
        }
        let peer = ada.table().get("bob").unwrap();
        assert_eq!((&*peer.data, peer.since), (r#"{"likes":"tea"}"#, 1000));
        let goodbye = goodbye(&mut bob);
        hear(&mut ada, &goodbye, now);
        assert!(ada.table().is_empty());
        // All of it came and went before anybody asked.
        assert!(!ada.has_news());
        assert_eq!(ada.counts(), Counts { announcements: 3, ..Counts::default() });
        assert_eq!(ada.warnings(), Warnings::default());
    }

    #[test]
    fn a_newcomer_is_answered_where_it_came_from() {
        let start = Instant::now();
        let (mut ada, mut bob) = (Discovery::new(options("ada", "")), Discovery::new(options("bob", "")));
        ada.start(None, start, 0.5);
        sent(&mut ada, start, 2000);
        let now = start + Duration::from_secs(2);
        bob.start(None, now, 0.0);
        let question = sent(&mut bob, now, 10).remove(0).1;
        hear(&mut ada, &question, now);
        let answers = sent(&mut ada, now, 20);
        let from = Source { socket: ([10, 0, 0, 1], 5000).into(), interface: InterfaceIndex(2) };
        assert_eq!(answers.iter().map(|(whom, _)| *whom).collect::<Vec<_>>(), [Whom::One(from)]);
        hear(&mut bob, &answers[0].1, now);
        assert!(bob.table().get("ada").is_some());
    }

    #[test]
    fn who_has_it_for_a_seed_is_sent_what_is_for_everybody() {
        let start = Instant::now();
        let (mut ada, mut bob) = (Discovery::new(options("ada", "")), Discovery::new(options("bob", "")));
        ada.start(None, start, 0.0);
        sent(&mut ada, start, 2000);
        let now = start + Duration::from_secs(2);
        let from = Source { socket: ([10, 0, 0, 1], 5000).into(), interface: InterfaceIndex(2) };
        let message = ada.decode(&bob.announcement(None, 1000).unwrap());
        ada.heard(&message, Arrival { from, to: To::Port, from_here: false, at: at(now) }, 0.0);
        ada.announce(r#"{"new":1}"#.into(), now);
        let whom: Vec<_> = sent(&mut ada, now, 10).into_iter().map(|(whom, _)| whom).collect();
        // The change, and the answer for it being new.
        assert_eq!(whom, [Whom::Everybody(None), Whom::One(from), Whom::One(from)]);
        let mut goodbyes = Vec::new();
        ada.goodbye(1000, |whom, _| goodbyes.push(whom));
        assert_eq!(goodbyes, [Whom::Everybody(None), Whom::One(from)]);
    }

    #[test]
    fn its_own_announcements_are_nobodys_and_those_of_a_double_are_warned_of() {
        let now = Instant::now();
        let mut ada = Discovery::new(options("ada", ""));
        ada.start(None, now, 0.0);
        let own = sent(&mut ada, now, 3000);
        for (_, datagram) in &own {
            hear(&mut ada, datagram, now);
        }
        assert!(own.len() > 3 && ada.table().is_empty() && !ada.warnings().id_conflict);
        let mut double = Discovery::new(Options { boot: 11, ..options("ada", "") });
        // Which may have been there before, and have gone.
        let datagram = goodbye(&mut double);
        hear(&mut ada, &datagram, now);
        assert!(!ada.warnings().id_conflict);
        hear(&mut ada, &double.announcement(None, 1000).unwrap(), now);
        assert!(ada.table().is_empty() && ada.warnings().id_conflict);
        // One that has started in the same millisecond, and says more.
        let mut ada = Discovery::new(options("ada", ""));
        hear(&mut ada, &Discovery::new(options("ada", "")).announcement(None, 1000).unwrap(), now);
        assert!(ada.warnings().id_conflict);
    }

    #[test]
    fn what_is_not_for_us_is_counted_or_passed_over() {
        let now = Instant::now();
        let mut ada = Discovery::new(Options { plain: false, ..options("ada", "chat") });
        let other = Discovery::new(options("bob", "other")).announcement(None, 1000).unwrap();
        hear(&mut ada, &other, now);
        for datagram in [
            r#"{"username":"bare"}"#,
            r#"{"lan-peers":{"v":1,"key":"00","box":""}}"#,
            r#"{"lan-peers":{"v":2}}"#,
            "no JSON",
        ] {
            hear(&mut ada, datagram.as_bytes(), now);
        }
        assert!(ada.table().is_empty());
        let counts = Counts { unauthenticated: 1, later: 1, malformed: 1, ..Counts::default() };
        assert_eq!(ada.counts(), counts);

        let mut eve = Discovery::new(options("eve", ""));
        hear(&mut eve, br#"{"username":"bare"}"#, now);
        assert_eq!(&*eve.table().get("plain:10.0.0.1:5000").unwrap().data, r#"{"username":"bare"}"#);
        // Who takes no part is not counted among those who do.
        let said = eve.announcement(None, 1000).unwrap();
        assert!(matches!(eve.decode(&said), Ok(Message::Announcement(Announcement { known: 1, .. }))));
    }

    #[test]
    fn a_full_table_and_a_flood_are_counted() {
        let now = Instant::now();
        let mut ada = Discovery::new(options("ada", ""));
        for id in ["bob", "eve"] {
            let datagram = Discovery::new(options(id, "")).announcement(None, 1000).unwrap();
            // One source has room for an eighth of eight.
            hear(&mut ada, &datagram, now);
        }
        assert_eq!((ada.table().len(), ada.counts().refused, ada.warnings().full), (1, 1, true));
        let source = SocketAddr::from(([10, 0, 0, 1], 5000));
        let admitted = (0..5000).filter(|_| ada.admits(source, 100, now)).count();
        assert_eq!((admitted, ada.counts().rate_limited), (4000, 1000));
    }
}
