//! A newcomer among many who know each other: too many for each to have a table here, so that of them only what they send
//! is simulated, and of the newcomer everything.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, Instant};

use lan_peers::discover::announcement::{Announcement, Ask, Message, Says};
use lan_peers::discover::news::Reason;
use lan_peers::discover::peer::{Source, To};
use lan_peers::discover::schedule::{Outgoing, Schedule};
use lan_peers::discover::{Arrival, Discovery, Moment, Options, Whom};
use lan_peers::net::InterfaceIndex;

use crate::weather::{Chance, Weather};

const INTERVAL: Duration = Duration::from_secs(2);
const RATE: f64 = 50.0;

/// The address of the first member.
const FIRST: u32 = 0x0a00_0001;

/// How a newcomer and the others learn of each other.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Meeting {
    /// After what time 99 % of the others knew the newcomer, and it knew 99 % of them.
    pub(crate) is_known: Duration,
    pub(crate) knows: Duration,
    /// How many answers it was sent by then, and how many announcements it made to the group.
    pub(crate) answers: usize,
    pub(crate) asked: usize,
}

/// The many, and the newcomer.
pub(crate) struct Crowd {
    members: Vec<Member>,
    newcomer: Discovery,
    newcomer_planned: Option<Instant>,
    has_come: bool,
    /// How many know the newcomer.
    knowing: usize,
    weather: Weather,
    pub(crate) chance: Chance,
    now: Instant,
    events: BinaryHeap<Reverse<(Instant, u64, What)>>,
    next: u64,
    /// The times that members have announced themselves to the group, and the newcomer has; and that members have answered.
    to_group: usize,
    asked: usize,
    answers: usize,
    /// How many the newcomer thought gone, for nothing was heard of them.
    pub(crate) given_up: usize,
}

struct Member {
    schedule: Schedule,
    seq: u64,
    knows_newcomer: bool,
    is_there: bool,
    /// When it acts next.
    planned: Option<Instant>,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum What {
    /// It may have something to do.
    Member(usize),
    Newcomer,
    /// What the newcomer sent arrives, with or without a question.
    AtMember(usize, Question),
    /// What a member sent arrives.
    AtNewcomer(usize, u64, Sent),
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Question {
    No,
    Directly,
    Group,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Sent {
    ToGroup,
    ToOne,
    Goodbye,
}

impl Crowd {
    /// So many who know each other and are past their start.
    pub(crate) fn new(count: usize, weather: Weather, seed: u64) -> Self {
        let now = Instant::now();
        let member = || Member {
            schedule: Schedule::new(INTERVAL, RATE),
            seq: 0,
            knows_newcomer: false,
            is_there: true,
            planned: None,
        };
        let mut crowd = Self {
            members: std::iter::repeat_with(member).take(count).collect(),
            newcomer: newcomer(),
            newcomer_planned: None,
            has_come: false,
            knowing: 0,
            weather,
            chance: Chance(seed),
            now,
            events: BinaryHeap::new(),
            next: 0,
            to_group: 0,
            asked: 0,
            answers: 0,
            given_up: 0,
        };
        let every = crowd.every();
        for i in 0..count {
            let at = now + every.mul_f64(crowd.chance.part());
            crowd.members[i].schedule.start(None, at, 0.0);
            crowd.plan(i);
        }
        crowd.pass(every + Duration::from_secs(3));
        crowd
    }

    /// The time between two announcements of a member.
    pub(crate) fn every(&self) -> Duration {
        self.members[0].schedule.every(self.members.len())
    }

    /// How many announcements to the group the members make a second.
    pub(crate) fn group_a_second(&mut self) -> f64 {
        let (before, time) = (self.to_group, self.every().max(10 * INTERVAL));
        self.pass(time);
        (self.to_group - before) as f64 / time.as_secs_f64()
    }

    /// The newcomer comes, and 99 % are to know each other within a minute.
    pub(crate) fn meet(&mut self) -> Option<Meeting> {
        let (came, chance) = (self.now, self.chance.part());
        self.has_come = true;
        self.newcomer.start(None, came, chance);
        self.plan_newcomer();
        let enough = (self.members.len() * 99).div_ceil(100);
        let (mut is_known, mut knows) = (None, None);
        while self.now <= came + Duration::from_secs(60) {
            self.step();
            if self.knowing >= enough {
                is_known.get_or_insert(self.now - came);
            }
            if self.newcomer.table().len() >= enough {
                knows.get_or_insert(self.now - came);
            }
            if let (Some(is_known), Some(knows)) = (is_known, knows) {
                let Self { answers, asked, .. } = *self;
                return Some(Meeting { is_known, knows, answers, asked });
            }
        }
        None
    }

    /// Time passes.
    pub(crate) fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        while self.events.peek().is_some_and(|Reverse((at, ..))| *at <= end) {
            self.step();
        }
        self.now = end;
    }

    /// A member ends, without a word or with a goodbye. Gives how long it takes until the newcomer knows.
    pub(crate) fn end(&mut self, member: usize, says_goodbye: bool) -> Duration {
        let ends = self.now;
        self.members[member].is_there = false;
        if says_goodbye {
            for _ in 0..2 {
                self.members[member].seq += 1;
                let seq = self.members[member].seq;
                self.carry(What::AtNewcomer(member, seq, Sent::Goodbye));
            }
        }
        while self.newcomer.table().get(&name(member)).is_some() {
            self.step();
        }
        self.now - ends
    }

    /// What is next happens.
    fn step(&mut self) {
        let Some(Reverse((now, _, what))) = self.events.pop() else { return };
        self.now = now;
        match what {
            What::Member(i) => self.act(i),
            What::Newcomer => self.newcomer_acts(),
            What::AtMember(i, question) => self.arrive(i, question),
            What::AtNewcomer(i, seq, sent) => self.arrive_at_newcomer(i, seq, sent),
        }
    }

    fn act(&mut self, i: usize) {
        let (now, count) = (self.now, self.members.len());
        let Member { schedule, is_there, planned, .. } = &mut self.members[i];
        // Or it has been planned anew.
        if !*is_there || *planned != Some(now) {
            return;
        }
        *planned = None;
        let mut due = Vec::new();
        let chance = &mut self.chance;
        schedule.due(count, now, || chance.part(), |one| due.push(one));
        for one in due {
            self.members[i].seq += 1;
            let sent = match one {
                Outgoing::Answer(_) => {
                    self.answers += 1;
                    Sent::ToOne
                }
                Outgoing::Announce { .. } => {
                    self.to_group += 1;
                    Sent::ToGroup
                }
            };
            self.carry(What::AtNewcomer(i, self.members[i].seq, sent));
        }
        self.plan(i);
    }

    fn arrive(&mut self, i: usize, question: Question) {
        let (now, count) = (self.now, self.members.len());
        let Member { schedule, knows_newcomer, is_there, .. } = &mut self.members[i];
        if !*is_there {
            return;
        }
        let ask = match question {
            Question::Group => Some(Ask::Group),
            Question::Directly => Some(Ask::Directly),
            Question::No => (!*knows_newcomer).then_some(Ask::Directly),
        };
        self.knowing += usize::from(!*knows_newcomer);
        *knows_newcomer = true;
        if let Some(ask) = ask {
            schedule.owe(ask, source(count), count + 1, now, self.chance.part());
        }
        self.plan(i);
    }

    fn newcomer_acts(&mut self) {
        if self.newcomer_planned != Some(self.now) {
            return;
        }
        self.newcomer_planned = None;
        let mut sent = Vec::new();
        let chance = &mut self.chance;
        self.newcomer.due(self.now, 0, || chance.part(), |whom, bytes| sent.push((whom, bytes.to_vec())));
        for (whom, bytes) in sent {
            let question = match self.newcomer.decode(&bytes) {
                Ok(Message::Announcement(Announcement { ask: Some(Ask::Directly), .. })) => {
                    Question::Directly
                }
                Ok(Message::Announcement(Announcement { ask: Some(Ask::Group), .. })) => Question::Group,
                _ => Question::No,
            };
            match whom {
                Whom::Everybody(_) => {
                    self.asked += 1;
                    for i in 0..self.members.len() {
                        self.carry(What::AtMember(i, question));
                    }
                }
                Whom::One(source) => {
                    if let Some(i) = member_at(source) {
                        self.carry(What::AtMember(i, question));
                    }
                }
            }
        }
        self.plan_newcomer();
    }

    fn arrive_at_newcomer(&mut self, i: usize, seq: u64, sent: Sent) {
        if !self.has_come {
            return;
        }
        let announcement = Announcement {
            id: name(i).into(),
            boot: 1,
            seq,
            every: self.every(),
            known: self.members.len() as u64,
            ask: None,
            at: None,
            says: if sent == Sent::Goodbye { Says::Bye } else { Says::Data("{}".into()) },
        };
        let to = if sent == Sent::ToOne { To::Sender } else { To::Group };
        let at = Moment { now: self.now, wall: 0, suspended: Duration::ZERO };
        let arrival = Arrival { from: source(i), to, from_here: false, at };
        self.newcomer.heard(&Ok(Message::Announcement(announcement)), arrival, self.chance.part());
        self.plan_newcomer();
    }

    fn plan(&mut self, i: usize) {
        let Member { schedule, planned, .. } = &mut self.members[i];
        if let Some(next) = sooner(schedule.earliest(), planned) {
            self.at(next, What::Member(i));
        }
    }

    /// Sees to it that the newcomer acts when it has something to do; notes whom it thinks gone.
    fn plan_newcomer(&mut self) {
        while let Some((told, _)) = self.newcomer.tell() {
            self.given_up += usize::from(told.down == Some(Reason::Timeout));
        }
        let next = self.newcomer.earliest().map(|next| next.max(self.now + Duration::from_micros(1)));
        if let Some(next) = sooner(next, &mut self.newcomer_planned) {
            self.at(next, What::Newcomer);
        }
    }

    /// Something is sent, and may arrive.
    fn carry(&mut self, what: What) {
        let delays: Vec<_> = self.weather.arrivals(&mut self.chance).collect();
        for delay in delays {
            self.at(self.now + delay, what);
        }
    }

    fn at(&mut self, at: Instant, what: What) {
        self.next += 1;
        self.events.push(Reverse((at, self.next, what)));
    }
}

/// When somebody is to act who has something to do `next`, if that is sooner than it was planned.
fn sooner(next: Option<Instant>, planned: &mut Option<Instant>) -> Option<Instant> {
    let next = next.filter(|next| planned.is_none_or(|planned| *next < planned));
    *planned = next.or(*planned);
    next
}

fn newcomer() -> Discovery {
    Discovery::new(Options {
        id: "newcomer".into(),
        app: "".into(),
        boot: 1,
        data: "{}".into(),
        interval: INTERVAL,
        rate: RATE,
        plain: false,
        max_peers: 100_000,
        ring: None,
        tolerance: Duration::ZERO,
    })
}

fn name(member: usize) -> String {
    format!("member {member}")
}

fn source(member: usize) -> Source {
    let address = Ipv4Addr::from_bits(FIRST + member as u32);
    Source { socket: (address, 5000).into(), interface: InterfaceIndex(1) }
}

fn member_at(source: Source) -> Option<usize> {
    match source.socket.ip() {
        IpAddr::V4(address) => Some((address.to_bits() - FIRST) as usize),
        IpAddr::V6(_) => None,
    }
}
