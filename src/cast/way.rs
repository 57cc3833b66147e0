//! The ways out by interfaces: to groups, and by broadcast.

use std::io::IoSlice;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use super::CastCounters;
use super::paths::Target;
use super::sockets::Sockets;
use crate::error::Fault;
use crate::net::{Chosen, Family, InterfaceIndex, Obstacle, SendOptions, Unused, socket_address};

/// A way out by an interface, with one of its addresses.
pub(super) struct Way {
    pub(super) socket: SendOptions,
    pub(super) to: Vec<SocketAddr>,
    pub(super) interface: InterfaceIndex,
    /// For those who are told of a failure.
    name: Arc<str>,
    obstacle: Option<Obstacle>,
}

impl Way {
    /// Sends to all that are reached this way. Gives the first error, if there is one.
    pub(super) fn send(
        &self,
        sockets: &mut Sockets,
        payload: &[u8],
        counters: &CastCounters,
    ) -> Option<Fault> {
        let mut failure = None;
        for to in &self.to {
            let sent = sockets.send(&self.socket, payload, *to);
            counters.count(&sent);
            failure = failure.or(sent.err());
        }
        failure.map(|fault| fault.on(Arc::clone(&self.name)).behind(self.obstacle))
    }

    /// Sends several payloads of one length at once, all of them or none; says whether it could.
    pub(super) fn send_together(&self, sockets: &mut Sockets, payloads: &[IoSlice<'_>]) -> bool {
        // Of several destinations one could fail after another has succeeded.
        let [to] = *self.to else { return false };
        sockets.send_together(&self.socket, payloads, to)
    }

    /// Whether it leads from and to the same as `other`.
    pub(super) fn is(&self, other: &Self) -> bool {
        self.socket == other.socket && self.to == other.to
    }
}

/// The ways out by interfaces to a target; `verdicts` says of each interface whether it is sent on.
pub(super) fn ways(target: &Target, verdicts: impl Fn(Family) -> Vec<Result<Chosen, Unused>>) -> Vec<Way> {
    let mut ways = Vec::new();
    for family in Family::ALL.into_iter().filter(|family| target.goes_by_interfaces(*family)) {
        let groups = || target.groups.iter().filter(|group| Family::of(**group) == family);
        for chosen in verdicts(family).into_iter().flatten() {
            // Not off this host and not heard on it: for nobody, and Linux would let IPv6 out.
            for group in groups().filter(|_| target.ttl > 0 || target.loopback) {
                let to = socket_address(*group, target.port, chosen.index);
                way(&mut ways, &chosen, chosen.source_for(*group).ip, target).to.push(to);
            }
            let source = chosen.source_for(family.unspecified());
            if let Some(everybody) = source.broadcast()
                && target.broadcast
                && !chosen.loopback
            {
                let to = SocketAddr::from((everybody, target.port));
                way(&mut ways, &chosen, source.ip, target).to.push(to);
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
    &Target { ttl, loopback, .. }: &Target,
) -> &'a mut Way {
    let socket = SendOptions::Interface { interface: chosen.index, address, ttl, loopback };
    let position = ways.iter().position(|way| way.socket == socket).unwrap_or_else(|| {
        let &Chosen { index: interface, ref name, obstacle, .. } = chosen;
        ways.push(Way { socket, to: Vec::new(), interface, name: Arc::clone(name), obstacle });
        ways.len() - 1
    });
    &mut ways[position]
}
