//! A newcomer among many who know each other: too many for each to have a table here, so that of them only what they send
//! is simulated, and of the newcomer everything.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use lan_peers::discover::announcement::{Announcement, Ask, Message, Says};
use lan_peers::discover::peer::{Source, To};
use lan_peers::discover::schedule::{Outgoing, Schedule};
use lan_peers::discover::{Arrival, Discovery, Options, Whom};
use lan_peers::net::InterfaceIndex;

use crate::network::{Chance, Weather};

const INTERVAL: Duration = Duration::from_secs(2);
const RATE: f64 = 50.0;

/// What came of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Outcome {
    /// After what time 99 % of the others knew the newcomer, and it knew 99 % of them.
    pub(crate) is_known: Duration,
    pub(crate) knows: Duration,
    /// How many announcements to the group there were a second before it came.
    pub(crate) group_a_second: f64,
    /// How many answers it was sent in all.
    pub(crate) answers: usize,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum What {
    /// A member acts.
    Member(usize),
    Newcomer,
    /// What the newcomer sent arrives, with or without a question.
    AtMember(usize, bool, bool),
    /// What a member sent arrives.
    AtNewcomer(usize, u64, bool),
}

struct Events {
    events: BinaryHeap<Reverse<(Instant, u64, What)>>,
    next: u64,
    weather: Weather,
    chance: Chance,
}

impl Events {
    fn at(&mut self, at: Instant, what: What) {
        self.next += 1;
        self.events.push(Reverse((at, self.next, what)));
    }

    /// Something is sent, and may arrive.
    fn carry(&mut self, now: Instant, what: What) {
        let Weather { loss, delay: (least, most), .. } = self.weather;
        if self.chance.part() >= loss {
            let delay = least + (most - least).mul_f64(self.chance.part());
            self.at(now + delay, what);
        }
    }
}

/// A newcomer comes to `count` others, and stays until it knows them; at most a minute.
pub(crate) fn newcomer_among(count: usize, weather: Weather, seed: u64) -> Option<Outcome> {
    let start = Instant::now();
    let mut events = Events { events: BinaryHeap::new(), next: 0, weather, chance: Chance(seed) };
    let mut members: Vec<_> = (0..count).map(|_| (Schedule::new(INTERVAL, RATE), 0_u64, false)).collect();
    let every = members[0].0.every(count);
    for (i, (schedule, ..)) in members.iter_mut().enumerate() {
        let at = start + every.mul_f64(events.chance.part());
        schedule.start(None, at, 0.0);
        events.at(at, What::Member(i));
    }
    // By then all of them are steady; the last interval before is looked at.
    let measured = start + every + Duration::from_secs(3);
    let comes = measured + every.max(10 * INTERVAL);
    let mut newcomer = newcomer();
    newcomer.start(None, comes, events.chance.part());
    let first = newcomer.earliest()?;
    events.at(first, What::Newcomer);
    let (mut to_group, mut answers, mut knowing) = (0_usize, 0_usize, 0_usize);
    let (mut is_known, mut knows) = (None, None);
    let enough = count * 99 / 100;
    while let Some(Reverse((now, _, what))) = events.events.pop() {
        if now > comes + Duration::from_secs(60) {
            return None;
        }
        match what {
            What::Member(i) => {
                let (schedule, seq, _) = &mut members[i];
                let mut sent = Vec::new();
                let chance = &mut events.chance;
                schedule.due(count, now, || chance.part(), |one| sent.push(one));
                for one in sent {
                    *seq += 1;
                    let by_unicast = matches!(one, Outgoing::Answer(_));
                    if by_unicast {
                        answers += 1;
                    } else if now >= measured && now < comes {
                        to_group += 1;
                    }
                    if now >= comes {
                        events.carry(now, What::AtNewcomer(i, *seq, by_unicast));
                    }
                }
                if let Some(next) = schedule.earliest() {
                    events.at(next, What::Member(i));
                }
            }
            What::AtMember(i, asks, group) => {
                let (schedule, _, knows_it) = &mut members[i];
                knowing += usize::from(!*knows_it);
                if asks || !*knows_it {
                    let ask = if group { Ask::Group } else { Ask::Directly };
                    let chance = events.chance.part();
                    schedule.owe(ask, source(count), count + 1, now, chance);
                }
                *knows_it = true;
                if let Some(next) = schedule.earliest() {
                    events.at(next, What::Member(i));
                }
            }
            What::AtNewcomer(i, seq, by_unicast) => {
                let announcement = Announcement {
                    id: format!("member {i}").into(),
                    boot: 1,
                    seq,
                    every,
                    known: count as u64,
                    ask: None,
                    says: Says::Data("{}".into()),
                };
                let to = if by_unicast { To::Sender } else { To::Group };
                let arrival = Arrival { from: source(i), to, from_here: false, now, wall: 0 };
                newcomer.heard(&Ok(Message::Announcement(announcement)), arrival, events.chance.part());
                events.at(newcomer.earliest()?, What::Newcomer);
            }
            What::Newcomer => {
                let mut sent = Vec::new();
                let chance = &mut events.chance;
                newcomer.due(now, || chance.part(), |whom, bytes| sent.push((whom, bytes.to_vec())));
                for (whom, bytes) in sent {
                    let ask = match newcomer.decode(&bytes) {
                        Ok(Message::Announcement(announcement)) => announcement.ask,
                        _ => None,
                    };
                    if let Whom::Everybody(_) = whom {
                        for i in 0..count {
                            events.carry(now, What::AtMember(i, ask.is_some(), ask == Some(Ask::Group)));
                        }
                    }
                }
                events.at(newcomer.earliest()?.max(now + Duration::from_micros(1)), What::Newcomer);
            }
        }
        if knowing >= enough {
            is_known.get_or_insert(now - comes);
        }
        if newcomer.table().len() >= enough {
            knows.get_or_insert(now - comes);
        }
        if let (Some(is_known), Some(knows)) = (is_known, knows) {
            let group_a_second = to_group as f64 / (comes - measured).as_secs_f64();
            return Some(Outcome { is_known, knows, group_a_second, answers });
        }
    }
    None
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
    })
}

fn source(i: usize) -> Source {
    let address = Ipv4Addr::from_bits(0x0a00_0001 + i as u32);
    Source { socket: (address, 5000).into(), interface: InterfaceIndex(1) }
}
