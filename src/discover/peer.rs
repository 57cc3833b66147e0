//! Somebody who is there: what is known of it, and how long that holds.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::net::InterfaceIndex;

/// So many intervals of silence end a peer that takes part: half of one more than three announcements lost in a row.
const LIFETIME: f64 = 3.5;

/// So many make it doubtful.
const DOUBTFUL: f64 = 2.5;

const SHORTEST: Duration = Duration::from_secs(1);

/// What a [`Kind::Plain`] peer's lifetime is to begin with, and at least; and at most.
const PLAIN_LIFETIMES: (Duration, Duration) = (Duration::from_secs(7), Duration::from_secs(3600));

/// How many addresses of a peer are kept.
const ADDRESSES: usize = 16;

/// A peer.
#[derive(Clone, Debug)]
pub struct Peer {
    /// Its name for everybody.
    pub id: Arc<str>,
    /// What it announces: the JSON of an object.
    pub data: Arc<str>,
    /// What it says of itself.
    pub kind: Kind,
    /// When it was first heard, in milliseconds since 1970.
    pub since: u64,
    /// Where it was heard from, in the order of their coming.
    addresses: Vec<Address>,
    /// Which of them is told as the peer's.
    main: usize,
    /// When what it announces was last heard.
    heard: Instant,
}

/// What a peer says of itself.
#[derive(Clone, Debug)]
pub enum Kind {
    /// It takes part.
    Member {
        /// When it started.
        boot: u64,
        /// The highest that was heard.
        seq: u64,
        /// Its steady interval.
        every: Duration,
    },
    /// It sends bare JSON.
    Plain {
        /// The last times between two of its announcements.
        gaps: [Duration; 4],
    },
}

/// Where a peer was heard from.
#[derive(Clone, Debug)]
pub struct Address {
    /// The source of what it sent.
    pub socket: SocketAddr,
    /// Where that came in.
    pub interface: InterfaceIndex,
    /// Where that was sent; if to more than one, the first of [`To`].
    to: To,
    heard: Instant,
}

impl Peer {
    /// One that was heard just now.
    pub(super) fn new(
        id: Arc<str>,
        data: Arc<str>,
        kind: Kind,
        from: Source,
        to: To,
        now: Instant,
        since: u64,
    ) -> Self {
        let addresses = vec![Address { socket: from.socket, interface: from.interface, to, heard: now }];
        Self { id, data, kind, since, addresses, main: 0, heard: now }
    }

    /// Where it was heard from; the first is the one to speak to.
    pub fn addresses(&self) -> impl Iterator<Item = &Address> {
        let main = self.addresses.get(self.main);
        let others = self.addresses.iter().enumerate().filter(|(i, _)| *i != self.main);
        main.into_iter().chain(others.map(|(_, address)| address))
    }

    /// Where datagrams to one of its addresses go.
    pub(crate) fn source_of(&Address { socket, interface, .. }: &Address) -> Source {
        Source { socket, interface }
    }

    /// Where to send what is for everybody to one who does not hear the group, and has us for a seed: it is heard by unicast
    /// alone, and not only as it answers.
    pub(super) fn heard_by_unicast_alone(&self) -> impl Iterator<Item = Source> {
        let hears_group = self.is_plain() || self.addresses.iter().any(|address| address.to == To::Group);
        let seeded = self.addresses.iter().filter(move |address| !hears_group && address.to == To::Port);
        seeded.map(Self::source_of)
    }

    /// When it started, by its own words; 0 if it takes no part.
    pub(super) fn boot(&self) -> u64 {
        match self.kind {
            Kind::Member { boot, .. } => boot,
            Kind::Plain { .. } => 0,
        }
    }

    /// Whether it takes no part.
    pub fn is_plain(&self) -> bool {
        matches!(self.kind, Kind::Plain { .. })
    }

    /// How much silence ends it.
    pub fn lifetime(&self) -> Duration {
        match &self.kind {
            Kind::Member { every, .. } => every.mul_f64(LIFETIME).max(SHORTEST),
            Kind::Plain { gaps } => {
                let longest = gaps.iter().max().copied().unwrap_or_default();
                longest.mul_f64(LIFETIME).clamp(PLAIN_LIFETIMES.0, PLAIN_LIFETIMES.1)
            }
        }
    }

    /// How much silence makes it doubtful; `None` for one that cannot be asked.
    pub(super) fn doubtful(&self) -> Option<Duration> {
        match self.kind {
            // In the proportion of the two, where the lifetime is longer than the interval says.
            Kind::Member { .. } => Some(self.lifetime().mul_f64(DOUBTFUL / LIFETIME)),
            Kind::Plain { .. } => None,
        }
    }

    pub(super) fn heard(&self) -> Instant {
        self.heard
    }

    /// It announces something, the same or another. Says whether that changes what is told of it.
    pub(super) fn announces(&mut self, data: &str, now: Instant) -> bool {
        if let Kind::Plain { gaps } = &mut self.kind {
            gaps.rotate_right(1);
            gaps[0] = now.saturating_duration_since(self.heard);
        }
        self.heard = now;
        let changed = *self.data != *data;
        if changed {
            self.data = data.into();
        }
        changed
    }

    /// It was heard from here. Says whether that is new.
    pub(super) fn is_at(&mut self, from: Source, to: To, now: Instant) -> bool {
        let Source { socket, interface } = from;
        let known = |address: &&mut Address| address.socket == socket && address.interface == interface;
        if let Some(address) = self.addresses.iter_mut().find(known) {
            address.heard = now;
            address.to = address.to.min(to);
            return false;
        }
        if self.addresses.len() == ADDRESSES {
            let oldest = (0..ADDRESSES).filter(|i| *i != self.main).min_by_key(|i| self.addresses[*i].heard);
            self.remove(oldest.unwrap_or_default());
        }
        // What is of one link is of less use: no URL has room for its interface.
        if self.addresses.get(self.main).is_some_and(|main| is_of_one_link(main.socket))
            && !is_of_one_link(socket)
        {
            self.main = self.addresses.len();
        }
        self.addresses.push(Address { socket, interface, to, heard: now });
        true
    }

    /// Forgets where it has not been heard from for a lifetime, but for the last of all. Says whether there was such, and
    /// when there will be. Silence from before `awoke` does not count.
    pub(super) fn forget_old_addresses(
        &mut self,
        now: Instant,
        awoke: Option<Instant>,
    ) -> (bool, Option<Instant>) {
        let lifetime = self.lifetime();
        let ends =
            |address: &Address| awoke.map_or(address.heard, |awoke| awoke.max(address.heard)) + lifetime;
        let before = self.addresses.len();
        let mut i = 0;
        while i < self.addresses.len() {
            if self.addresses.len() > 1 && ends(&self.addresses[i]) <= now {
                self.remove(i);
            } else {
                i += 1;
            }
        }
        let next = self.addresses.iter().map(ends).min().filter(|_| self.addresses.len() > 1);
        (self.addresses.len() < before, next)
    }

    fn remove(&mut self, i: usize) {
        self.addresses.remove(i);
        if i < self.main {
            self.main -= 1;
        } else if i == self.main {
            // The newest IPv4 address, else the newest.
            let newest = self.addresses.iter().enumerate().max_by_key(|(_, a)| (a.socket.is_ipv4(), a.heard));
            self.main = newest.map_or(0, |(i, _)| i);
        }
    }
}

/// Whether an address is of IPv6, and of one link (RFC 4291 2.5.6).
fn is_of_one_link(address: SocketAddr) -> bool {
    matches!(address, SocketAddr::V6(address) if address.ip().is_unicast_link_local())
}

/// Where a datagram was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum To {
    /// To a group, or to everybody on a network.
    Group,
    /// To this host, and the port of the groups: by somebody who has it for a seed.
    Port,
    /// To a socket that we send from: an answer.
    Sender,
}

/// Where a datagram came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Source {
    /// Its source.
    pub socket: SocketAddr,
    /// Where it came in.
    pub interface: InterfaceIndex,
}
