//! A network that is not there, and a clock that waits for nobody: hosts that discover each other, with loss, copies and
//! delay, by the hour in seconds.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::net::{Ipv4Addr, SocketAddr};
use std::rc::Rc;
use std::time::{Duration, Instant};

use lan_peers::discover::announcement::{Message, Refusal};
use lan_peers::discover::news::Told;
use lan_peers::discover::peer::{Source, To};
use lan_peers::discover::{Arrival, Discovery, Moment, Options, Whom};
use lan_peers::net::InterfaceIndex;

use crate::weather::{Chance, Weather};

/// What travels.
type Datagram = Rc<Result<Message, Refusal>>;

/// One that takes part, or did.
pub(crate) struct Host {
    pub(crate) discovery: Discovery,
    options: Options,
    source: Source,
    alive: bool,
    /// Who is of another sort hears nothing of this one.
    pub(crate) side: u8,
    /// Until when its thread does nothing, if it does nothing.
    asleep_until: Option<Instant>,
    /// When it acts next.
    planned: Option<Instant>,
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Event {
    at: Instant,
    /// In the order in which they were made.
    number: u64,
    to: usize,
    what: What,
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum What {
    /// What [`Network::in_flight`] has under this number arrives.
    Arrives(u64),
    /// It may have something to do.
    Wakes,
}

/// What happened, in the order of time.
pub(crate) struct Happened {
    pub(crate) at: Duration,
    pub(crate) host: usize,
    pub(crate) told: Told,
}

pub(crate) struct Network {
    pub(crate) hosts: Vec<Host>,
    pub(crate) weather: Weather,
    pub(crate) now: Instant,
    start: Instant,
    chance: Chance,
    events: BinaryHeap<Reverse<Event>>,
    in_flight: std::collections::HashMap<u64, (usize, To, Datagram)>,
    next: u64,
    /// How many datagrams went to the group, and to one host.
    pub(crate) to_group: u64,
    pub(crate) to_one: u64,
    pub(crate) happened: Vec<Happened>,
}

impl Network {
    pub(crate) fn new(seed: u64, weather: Weather) -> Self {
        let start = Instant::now();
        Self {
            hosts: Vec::new(),
            weather,
            now: start,
            start,
            chance: Chance(seed),
            events: BinaryHeap::new(),
            in_flight: std::collections::HashMap::new(),
            next: 0,
            to_group: 0,
            to_one: 0,
            happened: Vec::new(),
        }
    }

    /// How long it has gone on.
    pub(crate) fn elapsed(&self) -> Duration {
        self.now - self.start
    }

    /// Another host comes; gives its number.
    pub(crate) fn add(&mut self) -> usize {
        let number = self.hosts.len();
        let options = Options {
            id: format!("host {number}").into(),
            app: "".into(),
            boot: 1,
            data: format!(r#"{{"host":{number}}}"#).into(),
            interval: Duration::from_secs(2),
            rate: 50.0,
            plain: false,
            max_peers: 100_000,
            ring: None,
            tolerance: Duration::ZERO,
        };
        let address = Ipv4Addr::from_bits(0x0a00_0001 + number as u32);
        let source = Source { socket: SocketAddr::from((address, 5000)), interface: InterfaceIndex(1) };
        let discovery = Discovery::new(options.clone());
        self.hosts.push(Host {
            discovery,
            options,
            source,
            alive: true,
            side: 0,
            asleep_until: None,
            planned: None,
        });
        self.begin(number);
        number
    }

    /// It ends without a word.
    pub(crate) fn crash(&mut self, host: usize) {
        self.hosts[host].alive = false;
    }

    /// It says goodbye.
    pub(crate) fn close(&mut self, host: usize) {
        let mut sent = Vec::new();
        for _ in 0..2 {
            self.hosts[host].discovery.goodbye(0, |whom, bytes| sent.push((whom, bytes.to_vec())));
        }
        for (whom, bytes) in sent {
            self.send(host, whom, &bytes);
        }
        self.hosts[host].alive = false;
    }

    /// It starts again, and knows nothing of what happened before.
    pub(crate) fn restart(&mut self, host: usize) {
        self.happened.retain(|happened| happened.host != host);
        let one = &mut self.hosts[host];
        one.options.boot += 1;
        one.discovery = Discovery::new(one.options.clone());
        one.alive = true;
        self.begin(host);
    }

    /// It announces something else.
    pub(crate) fn announce(&mut self, host: usize, data: &str) {
        let now = self.now;
        self.hosts[host].discovery.announce(data.into(), now);
        self.wake(host, now);
    }

    /// Its computer sleeps for so long: it does nothing, and what comes is lost.
    pub(crate) fn sleep(&mut self, host: usize, time: Duration) {
        let until = self.now + time;
        self.hosts[host].asleep_until = Some(until);
        self.wake(host, until);
    }

    pub(crate) fn is_alive(&self, host: usize) -> bool {
        self.hosts[host].alive
    }

    /// How many others each of the living knows of the living, at least.
    pub(crate) fn least_known(&self) -> usize {
        let known = |host: &Host| {
            let lives =
                |other: &&Host| other.alive && host.discovery.table().get(&other.options.id).is_some();
            self.hosts.iter().filter(lives).count()
        };
        self.hosts.iter().filter(|host| host.alive).map(known).min().unwrap_or_default()
    }

    /// Time passes.
    pub(crate) fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        self.pass_until(end);
        self.now = end;
    }

    /// Time passes until something is so, which is looked at every millisecond; at most so long. Gives how long it took.
    pub(crate) fn wait_for(&mut self, most: Duration, is_so: impl Fn(&Self) -> bool) -> Option<Duration> {
        let (begin, step) = (self.now, Duration::from_millis(1));
        while !is_so(self) {
            if self.now - begin >= most {
                return None;
            }
            self.pass(step);
        }
        Some(self.now - begin)
    }

    fn pass_until(&mut self, end: Instant) {
        while let Some(Reverse(event)) = self.events.peek() {
            if event.at > end {
                return;
            }
            let Some(Reverse(Event { at, to, what, .. })) = self.events.pop() else { return };
            self.now = at;
            match what {
                What::Arrives(number) => self.arrive(to, number),
                What::Wakes => self.act(to),
            }
        }
    }

    fn begin(&mut self, host: usize) {
        let (now, chance) = (self.now, self.chance.part());
        self.hosts[host].discovery.start(None, now, chance);
        self.plan(host);
    }

    fn arrive(&mut self, to: usize, number: u64) {
        let Some((from, to_which, datagram)) = self.in_flight.remove(&number) else { return };
        let (source, side) = (self.hosts[from].source, self.hosts[from].side);
        let (now, chance) = (self.now, self.chance.part());
        let wall = self.elapsed().as_millis() as u64;
        let host = &mut self.hosts[to];
        if host.alive && host.asleep_until.is_none() && host.side == side {
            let arrival = Arrival {
                from: source,
                to: to_which,
                from_here: false,
                at: Moment { now, wall, suspended: Duration::ZERO },
            };
            host.discovery.heard(&datagram, arrival, chance);
            self.plan(to);
        }
    }

    fn act(&mut self, number: usize) {
        let now = self.now;
        let host = &mut self.hosts[number];
        // Or it has been planned anew.
        if host.planned != Some(now) {
            return;
        }
        host.planned = None;
        if !host.alive {
            return;
        }
        if let Some(until) = host.asleep_until {
            if until > now {
                return self.wake(number, until);
            }
            host.asleep_until = None;
            host.discovery.awake(now, self.chance.part());
        }
        let mut sent = Vec::new();
        let chance = &mut self.chance;
        host.discovery.due(now, 0, || chance.part(), |whom, bytes| sent.push((whom, bytes.to_vec())));
        for (whom, bytes) in sent {
            self.send(number, whom, &bytes);
        }
        self.plan(number);
    }

    /// Sees to it that a host acts when it has something to do; notes what it has to tell.
    fn plan(&mut self, host: usize) {
        let at = self.elapsed();
        let discovery = &mut self.hosts[host].discovery;
        while let Some((told, _)) = discovery.tell() {
            self.happened.push(Happened { at, host, told });
        }
        if let Some(next) = discovery.earliest() {
            self.wake(host, next.max(self.now));
        }
    }

    fn wake(&mut self, host: usize, at: Instant) {
        let planned = &mut self.hosts[host].planned;
        if planned.is_some_and(|planned| planned <= at) {
            return;
        }
        *planned = Some(at);
        self.next += 1;
        self.events.push(Reverse(Event { at, number: self.next, to: host, what: What::Wakes }));
    }

    fn send(&mut self, from: usize, whom: Whom, bytes: &[u8]) {
        let datagram: Datagram = Rc::new(self.hosts[from].discovery.decode(bytes));
        match whom {
            Whom::Everybody(_) => {
                self.to_group += 1;
                for to in 0..self.hosts.len() {
                    self.carry(from, to, To::Group, &datagram);
                }
            }
            Whom::One(Source { socket, .. }) => {
                self.to_one += 1;
                let to = self.hosts.iter().position(|host| host.source.socket == socket);
                if let Some(to) = to {
                    self.carry(from, to, To::Sender, &datagram);
                }
            }
        }
    }

    fn carry(&mut self, from: usize, to: usize, to_which: To, datagram: &Datagram) {
        for delay in self.weather.arrivals(&mut self.chance) {
            self.next += 1;
            self.in_flight.insert(self.next, (from, to_which, Rc::clone(datagram)));
            let what = What::Arrives(self.next);
            self.events.push(Reverse(Event { at: self.now + delay, number: self.next, to, what }));
        }
    }
}
