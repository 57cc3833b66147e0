//! The ways out by interfaces: to groups, and by broadcast.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use super::failure::Failure;
use super::sockets::Sockets;
use super::{Cast, CastCounters};
use crate::net::{Chosen, Family, Interface, InterfaceIndex, Obstacle, SendOptions, socket_address};

/// A way out by an interface, with one of its addresses.
pub(super) struct Way {
    pub(super) socket: SendOptions,
    pub(super) to: Vec<SocketAddr>,
    pub(super) interface: InterfaceIndex,
    pub(super) failure: Failure,
    /// For those who are told of a failure.
    name: Arc<str>,
    obstacle: Option<Obstacle>,
}

impl Way {
    /// Sends to all that are reached this way. Says whether there is something to tell of it.
    pub(super) fn send(&mut self, sockets: &mut Sockets, payload: &[u8], counters: &CastCounters) -> bool {
        let mut failure = None;
        for to in &self.to {
            let sent = sockets.send(&self.socket, payload, *to);
            counters.count(&sent);
            failure = failure.or(sent.err());
        }
        self.failure.change(failure.map(|fault| fault.on(Arc::clone(&self.name)).behind(self.obstacle)))
    }

    /// Whether it leads from and to the same as `other`.
    pub(super) fn is(&self, other: &Self) -> bool {
        self.socket == other.socket && self.to == other.to
    }
}

/// The ways out by interfaces that are open to a cast.
pub(super) fn ways(cast: &Cast, interfaces: &[Interface], now: Instant) -> Vec<Way> {
    let mut ways = Vec::new();
    for family in Family::ALL.into_iter().filter(|family| cast.sends_by_interfaces(*family)) {
        let groups = || cast.groups.iter().filter(|group| Family::of(**group) == family);
        for chosen in cast.verdicts(interfaces, family, now).into_iter().flatten() {
            // Not off this host and not heard on it: for nobody, and Linux would let IPv6 out.
            for group in groups().filter(|_| cast.ttl > 0 || cast.loopback) {
                let to = socket_address(*group, cast.port, chosen.index);
                way(&mut ways, &chosen, chosen.source_for(*group).ip, cast).to.push(to);
            }
            let source = chosen.source_for(family.unspecified());
            if let Some(everybody) = source.broadcast()
                && cast.broadcast
                && !chosen.loopback
            {
                let to = SocketAddr::from((everybody, cast.port));
                way(&mut ways, &chosen, source.ip, cast).to.push(to);
            }
        }
    }
    ways
}

/// The way out by an interface with this address, which is added unless it is there.
fn way<'a>(
    ways: &'a mut Vec<Way>,
    chosen: &Chosen,
    address: IpAddr,
    &Cast { ttl, loopback, .. }: &Cast,
) -> &'a mut Way {
    let socket = SendOptions::Interface { interface: chosen.index, address, ttl, loopback };
    let position = ways.iter().position(|way| way.socket == socket).unwrap_or_else(|| {
        let &Chosen { index: interface, ref name, obstacle, .. } = chosen;
        let (name, failure) = (Arc::clone(name), Failure::default());
        ways.push(Way { socket, to: Vec::new(), interface, failure, name, obstacle });
        ways.len() - 1
    });
    &mut ways[position]
}
