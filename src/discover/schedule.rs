//! When to announce, to whom, and with which question.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::announcement::Ask;
use super::peer::Source;
use crate::engine::timers::Timers;
use crate::net::InterfaceIndex;

/// Whoever starts waits up to so long, for others may start at the same time.
const START: Duration = Duration::from_millis(100);

/// The times between the announcements of a start, until the steady ones.
const BURST: [Duration; 3] = [Duration::from_millis(250), Duration::from_millis(500), Duration::from_secs(1)];

/// Who has heard no answer so long after asking asks the group to answer.
const NO_ANSWER: Duration = Duration::from_secs(1);

/// A change is announced again after this.
const REPEAT: Duration = Duration::from_millis(250);

/// The most changes a second, however few peers there are.
const CHANGES: f64 = 10.0;

/// The time within which answers to a question are spread, per peer that may answer; and the least and the most of it.
const SPREAD: Duration = Duration::from_millis(1);
const SPREADS: (Duration, Duration) = (Duration::from_millis(20), Duration::from_secs(5));

/// The most answers a second.
const ANSWERS: usize = 200;
const SECOND: Duration = Duration::from_secs(1);

/// The least time between two answers to one asker, who may ask again when an answer was lost.
const ANSWER_GAP: Duration = Duration::from_millis(100);

/// Whoever knows less than this part of those that somebody knows asks again.
const COMPLETE: f64 = 0.99;

/// How long the highest number of peers that somebody claims to know is believed.
const CLAIM: Duration = Duration::from_secs(10);

/// Something to be sent now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outgoing {
    /// To the groups and the seeds, on one interface or on all.
    Announce {
        /// `None` for all.
        on: Option<InterfaceIndex>,
        /// What to ask with it.
        ask: Option<Ask>,
    },
    /// To one who asked, from the same interface.
    Answer(Source),
}

/// Allows so many of something within any second.
#[derive(Debug)]
pub struct PerSecond {
    most: usize,
    allowed: VecDeque<Instant>,
}

impl PerSecond {
    /// At most so many.
    pub fn new(most: usize) -> Self {
        Self { most, allowed: VecDeque::new() }
    }

    /// Whether there may be one more now; then there is.
    pub fn allows(&mut self, now: Instant) -> bool {
        while self.allowed.front().is_some_and(|at| *at + SECOND <= now) {
            self.allowed.pop_front();
        }
        let allows = self.allowed.len() < self.most;
        if allows {
            self.allowed.push_back(now);
        }
        allows
    }
}

/// When what is sent.
#[derive(Debug)]
pub struct Schedule {
    interval: Duration,
    /// How many announcements a second the whole group may make.
    rate: f64,
    timers: Timers<What>,
    /// How many announcements of each start are out.
    bursts: BTreeMap<Option<InterfaceIndex>, usize>,
    question: Option<Question>,
    last_change: Option<Instant>,
    /// Askers who are owed an answer, by their number.
    owed: HashMap<u64, Source>,
    /// When each asker of late was promised one.
    askers: HashMap<(SocketAddr, InterfaceIndex), Instant>,
    answers: PerSecond,
    next_owed: u64,
    /// The most peers that somebody claims to know, itself included, and since when.
    claim: Option<(u64, Instant)>,
}

/// What was asked of everybody last.
#[derive(Clone, Copy, Debug)]
struct Question {
    at: Instant,
    answered: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum What {
    Start(Option<InterfaceIndex>),
    Steady,
    /// So many spreads after the question.
    AskAgain(u32),
    Change,
    Repeat,
    AnswerGroup,
    Answer(u64),
}

impl Schedule {
    /// Nothing is sent before [`Schedule::start`]. `rate` is a number a second.
    pub fn new(interval: Duration, rate: f64) -> Self {
        Self {
            interval,
            rate,
            timers: Timers::default(),
            bursts: BTreeMap::new(),
            question: None,
            last_change: None,
            owed: HashMap::new(),
            askers: HashMap::new(),
            answers: PerSecond::new(ANSWERS),
            next_owed: 0,
            claim: None,
        }
    }

    /// The steady interval among this many, ourselves included.
    pub fn every(&self, peers: usize) -> Duration {
        self.interval.max(Duration::from_secs_f64(peers as f64 / self.rate))
    }

    /// Begins, or begins again: everywhere, or on an interface that is new. `chance` is from 0 to 1.
    pub fn start(&mut self, on: Option<InterfaceIndex>, now: Instant, chance: f64) {
        if on.is_none() {
            self.bursts.clear();
            self.question = None;
        }
        self.bursts.insert(on, 0);
        self.timers.set(What::Start(on), now + START.mul_f64(chance));
    }

    /// An interface is there no longer.
    pub fn stop(&mut self, on: InterfaceIndex) {
        self.bursts.remove(&Some(on));
        self.timers.cancel(What::Start(Some(on)));
    }

    /// What is announced has changed.
    pub fn changed(&mut self, now: Instant, peers: usize) {
        let most = CHANGES.min(CHANGES * self.rate / peers.max(1) as f64);
        let next = self.last_change.map(|last| last + Duration::from_secs_f64(1.0 / most));
        self.timers.set(What::Change, next.map_or(now, |next| next.max(now)));
    }

    /// Somebody announces that it knows so many, itself included.
    pub fn claims(&mut self, known: u64, now: Instant) {
        if self.claim.is_none_or(|(most, at)| known >= most || at + CLAIM <= now) {
            self.claim = Some((known, now));
        }
    }

    /// Somebody on another host has answered by unicast.
    pub fn answered(&mut self) {
        if let Some(question) = &mut self.question {
            question.answered = true;
        }
    }

    /// Somebody asks, or is new, and is owed an answer: from us, who know `peers`, ourselves included.
    pub fn owe(&mut self, ask: Ask, asker: Source, peers: usize, now: Instant, chance: f64) {
        let starts = |on| self.bursts.contains_key(&on);
        // The burst answers.
        if starts(None) || starts(Some(asker.interface)) {
            return;
        }
        let spread = self.spread(peers, now);
        if ask == Ask::Group {
            let rate = Duration::from_secs_f64(4.0 * peers as f64 / self.rate);
            self.timers.set_if_none(What::AnswerGroup, now + spread.max(rate).mul_f64(chance));
            return;
        }
        let key = (asker.socket, asker.interface);
        let lately = |at: &Instant| now < *at + ANSWER_GAP;
        if self.askers.get(&key).is_some_and(lately) || !self.answers.allows(now) {
            return;
        }
        if self.askers.len() >= 2 * ANSWERS {
            self.askers.retain(|_, at| lately(at));
        }
        self.askers.insert(key, now);
        self.owed.insert(self.next_owed, asker);
        self.timers.set(What::Answer(self.next_owed), now + spread.mul_f64(chance));
        self.next_owed += 1;
    }

    /// When there is next something to do.
    pub fn earliest(&mut self) -> Option<Instant> {
        self.timers.earliest()
    }

    /// Has `send` send what is due, where we know `peers`, ourselves included.
    pub fn due(
        &mut self,
        peers: usize,
        now: Instant,
        mut chance: impl FnMut() -> f64,
        mut send: impl FnMut(Outgoing),
    ) {
        while let Some((_, what)) = self.timers.take_due(now) {
            let ask = match what {
                What::Start(on) => {
                    let ask = self.step(on, now);
                    if on.is_some() {
                        send(Outgoing::Announce { on, ask });
                        continue;
                    }
                    ask
                }
                What::AskAgain(times) => {
                    // Since the question it may have been learned that the answers take longer.
                    let spread = self.spread(peers, now);
                    match self.question.map(|question| question.at + times * spread) {
                        Some(at) if at > now => {
                            self.timers.set(what, at);
                            continue;
                        }
                        Some(_) if self.is_incomplete(peers, now) => Some(Ask::Directly),
                        _ => continue,
                    }
                }
                What::AnswerGroup => None,
                What::Change => {
                    self.last_change = Some(now);
                    self.timers.set(What::Repeat, now + REPEAT);
                    None
                }
                What::Steady | What::Repeat => None,
                What::Answer(number) => {
                    if let Some(asker) = self.owed.remove(&number) {
                        send(Outgoing::Answer(asker));
                    }
                    continue;
                }
            };
            send(Outgoing::Announce { on: None, ask });
            // Whoever asked the group has its answer.
            self.timers.cancel(What::AnswerGroup);
            // In a start, too, or whoever tells a short interval would be thought gone between two of its announcements.
            let jitter = 0.9 + 0.2 * chance();
            self.timers.set(What::Steady, now + self.every(peers).mul_f64(jitter));
        }
    }

    /// The next announcement of a start goes out: sets when the one after it does, and gives what is asked with it.
    fn step(&mut self, on: Option<InterfaceIndex>, now: Instant) -> Option<Ask> {
        let out = self.bursts.entry(on).or_default();
        let is_first = *out == 0;
        match BURST.get(*out) {
            Some(gap) => {
                *out += 1;
                self.timers.set(What::Start(on), now + *gap);
            }
            None => {
                self.bursts.remove(&on);
            }
        }
        if is_first {
            if on.is_none() {
                self.question = Some(Question { at: now, answered: false });
                for times in 1..=2 {
                    self.timers.set(What::AskAgain(times), now + times * SPREADS.0);
                }
            }
            return Some(Ask::Directly);
        }
        let unanswered =
            self.question.is_some_and(|question| !question.answered && question.at + NO_ANSWER <= now);
        (on.is_none() && unanswered).then_some(Ask::Group)
    }

    /// Whether somebody knows notably more than we do.
    fn is_incomplete(&self, peers: usize, now: Instant) -> bool {
        (peers as f64) < self.claimed(now) as f64 * COMPLETE
    }

    fn claimed(&self, now: Instant) -> u64 {
        self.claim.filter(|(_, at)| now < *at + CLAIM).map_or(0, |(known, _)| known)
    }

    /// Within what time all who know `peers` answer.
    fn spread(&self, peers: usize, now: Instant) -> Duration {
        let most = u32::try_from(self.claimed(now).max(peers as u64)).unwrap_or(u32::MAX);
        SPREAD.saturating_mul(most).clamp(SPREADS.0, SPREADS.1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Sim {
        schedule: Schedule,
        start: Instant,
        now: Instant,
        peers: usize,
    }

    impl Sim {
        fn new(peers: usize) -> Self {
            let start = Instant::now();
            let schedule = Schedule::new(Duration::from_secs(2), 50.0);
            Self { schedule, start, now: start, peers }
        }

        /// What is sent while this many milliseconds pass, and when since the beginning, with the middle of every chance.
        fn pass(&mut self, ms: u64) -> Vec<(u64, Outgoing)> {
            let end = self.now + Duration::from_millis(ms);
            let mut sent = Vec::new();
            while let Some(at) = self.schedule.earliest().filter(|at| *at <= end) {
                let ms = at.saturating_duration_since(self.start).as_millis() as u64;
                self.schedule.due(self.peers, at, || 0.5, |one| sent.push((ms, one)));
            }
            self.now = end;
            sent
        }

        /// Started, and the start is over; time counts from there.
        fn steady(peers: usize) -> Self {
            let mut sim = Self::new(peers);
            sim.schedule.start(None, sim.now, 0.5);
            sim.schedule.answered();
            sim.pass(1800);
            sim.start = sim.now;
            sim
        }

        fn owe(&mut self, ask: Ask, port: u16) {
            let asker = asker(port);
            self.schedule.owe(ask, asker, self.peers, self.now, 0.5);
        }
    }

    fn asker(port: u16) -> Source {
        Source { socket: ([10, 0, 0, 1], port).into(), interface: InterfaceIndex(2) }
    }

    fn group(ask: Option<Ask>) -> Outgoing {
        Outgoing::Announce { on: None, ask }
    }

    #[test]
    fn starts_with_a_question_and_a_burst_and_goes_on_steadily() {
        let mut sim = Sim::new(1);
        assert_eq!(sim.schedule.earliest(), None);
        sim.schedule.start(None, sim.now, 0.5);
        let ask = |ms, ask| (ms, group(ask));
        let first = [ask(50, Some(Ask::Directly)), ask(300, None), ask(800, None)];
        assert_eq!(sim.pass(1000), first);
        // Nobody has answered by now.
        assert_eq!(
            sim.pass(8000),
            [ask(1800, Some(Ask::Group)), ask(3800, None), ask(5800, None), ask(7800, None)]
        );
    }

    #[test]
    fn who_tells_a_short_interval_keeps_it_from_its_start_on() {
        let start = Instant::now();
        let schedule = Schedule::new(Duration::from_millis(200), 50.0);
        let mut sim = Sim { schedule, start, now: start, peers: 1 };
        sim.schedule.start(None, sim.now, 0.5);
        let sent: Vec<_> = sim.pass(3000).into_iter().map(|(ms, _)| ms).collect();
        assert_eq!(sent[..5], [50, 250, 300, 500, 700]);
        assert!(sent.is_sorted_by(|before, after| after - before <= 200), "{sent:?}");
    }

    #[test]
    fn who_is_answered_does_not_ask_the_group() {
        let mut sim = Sim::new(1);
        sim.schedule.start(None, sim.now, 0.5);
        sim.pass(100);
        sim.schedule.answered();
        assert_eq!(sim.pass(1800).last(), Some(&(1800, group(None))));
    }

    #[test]
    fn a_new_interface_is_told_by_itself() {
        let mut sim = Sim::steady(1);
        let index = InterfaceIndex(3);
        sim.schedule.start(Some(index), sim.now, 0.0);
        let on = |ms, ask| (ms, Outgoing::Announce { on: Some(index), ask });
        assert_eq!(
            sim.pass(1800),
            [on(0, Some(Ask::Directly)), on(250, None), on(750, None), on(1750, None)]
        );
        sim.schedule.start(Some(index), sim.now, 0.0);
        sim.schedule.stop(index);
        assert!(sim.pass(1000).iter().all(|(_, one)| *one == group(None)));
    }

    #[test]
    fn the_more_there_are_the_slower_each_is() {
        for (peers, every) in [(1, 2000), (100, 2000), (1000, 20_000), (10_000, 200_000)] {
            let sim = Sim::steady(peers);
            assert_eq!(sim.schedule.every(peers), Duration::from_millis(every));
        }
        let mut sim = Sim::steady(1000);
        assert_eq!(sim.pass(60_000).len(), 3);
    }

    #[test]
    fn who_knows_too_few_asks_again_when_answers_have_had_their_time() {
        let mut sim = Sim::new(1);
        sim.schedule.start(None, sim.now, 0.0);
        sim.pass(10);
        sim.schedule.claims(600, sim.now);
        sim.peers = 500;
        let asks = |sent: Vec<(u64, Outgoing)>| -> Vec<u64> {
            let asks = sent.into_iter().filter(|(_, one)| *one == group(Some(Ask::Directly)));
            asks.map(|(ms, _)| ms).collect()
        };
        assert_eq!(asks(sim.pass(1000)), [600]);
        sim.peers = 595;
        assert_eq!(asks(sim.pass(3000)), [0; 0], "it knows 99 %");
    }

    #[test]
    fn a_change_is_told_at_once_and_again_and_not_too_often() {
        let mut sim = Sim::steady(1);
        sim.schedule.changed(sim.now, 1);
        assert_eq!(sim.pass(300), [(0, group(None)), (250, group(None))]);
        // 10 a second among few; 10 x 50 / 1,000 among many, each repeated.
        for (peers, ms, least, most) in [(1, 1000, 9, 12), (1000, 10_000, 9, 12)] {
            let mut sim = Sim::steady(peers);
            let mut sent = 0;
            for _ in 0..ms {
                sim.schedule.changed(sim.now, peers);
                sent += sim.pass(1).len();
            }
            assert!((least..=most).contains(&sent), "{sent} announcements among {peers}");
        }
    }

    #[test]
    fn who_asks_is_answered_so_often_and_not_more_often() {
        let mut sim = Sim::steady(100);
        for _ in 0..10 {
            sim.owe(Ask::Directly, 1);
        }
        sim.owe(Ask::Directly, 2);
        let answers = |sent: Vec<(u64, Outgoing)>| -> Vec<Outgoing> {
            sent.into_iter().map(|(_, one)| one).filter(|one| matches!(one, Outgoing::Answer(_))).collect()
        };
        assert_eq!(answers(sim.pass(99)), [Outgoing::Answer(asker(1)), Outgoing::Answer(asker(2))]);
        sim.owe(Ask::Directly, 1);
        assert_eq!(answers(sim.pass(1)), []);
        sim.owe(Ask::Directly, 1);
        assert_eq!(answers(sim.pass(100)), [Outgoing::Answer(asker(1))]);
        sim.pass(1000);
        for port in 1..1000 {
            sim.owe(Ask::Directly, port);
        }
        assert_eq!(answers(sim.pass(900)).len(), ANSWERS);
        assert!(sim.schedule.askers.len() <= 2 * ANSWERS && sim.schedule.owed.is_empty());
    }

    #[test]
    fn a_question_to_the_group_is_answered_once_to_the_group() {
        let mut sim = Sim::steady(100);
        let mut ask = |chance| {
            for port in 1..5 {
                sim.schedule.owe(Ask::Group, asker(port), sim.peers, sim.now, chance);
            }
            sim.start = sim.now;
            sim.pass(1999)
        };
        // Within 4 x 100 / 50 s.
        assert_eq!(ask(0.1), [(800, group(None))]);
        // What goes out meanwhile is an answer, too: the steady one 2 s after that.
        assert_eq!(ask(0.9), [(801, group(None))]);
    }

    #[test]
    fn while_it_starts_its_burst_is_the_answer() {
        let mut sim = Sim::new(1);
        sim.schedule.start(None, sim.now, 0.0);
        sim.pass(10);
        sim.owe(Ask::Directly, 1);
        sim.owe(Ask::Group, 2);
        assert!(sim.pass(1700).iter().all(|(_, one)| matches!(one, Outgoing::Announce { .. })));
    }
}
