//! The ways out by interfaces: to groups, and by broadcast.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use super::failure::Failure;
use super::sockets::Sockets;
use super::{CastCounters, CastOptions};
use crate::error::Fault;
use crate::net::{Chosen, Family, Interface, InterfaceIndex, SendOptions, socket_address};

/// A way out by an interface, with one of its addresses.
pub(super) struct Way {
    pub(super) socket: SendOptions,
    pub(super) interface: InterfaceIndex,
    name: Arc<str>,
    pub(super) to: Vec<SocketAddr>,
    pub(super) failure: Failure,
}

impl Way {
    /// Sends to all that are reached this way. Gives the error that is to be told, if there is one.
    pub(super) fn send(
        &mut self,
        sockets: &mut Sockets,
        payload: &[u8],
        counters: &CastCounters,
    ) -> Option<&Fault> {
        let mut failure = None;
        for to in &self.to {
            let sent = sockets.send(&self.socket, payload, *to);
            counters.count(&sent);
            failure = failure.or(sent.err());
        }
        self.failure.change(failure.map(|fault| fault.on(Arc::clone(&self.name))))
    }
}

/// The ways out by interfaces.
pub(super) fn ways(options: &CastOptions, interfaces: &[Interface]) -> Vec<Way> {
    let mut ways = Vec::new();
    for family in Family::ALL {
        let groups = || options.groups.iter().filter(|group| Family::of(**group) == family);
        let broadcast = options.broadcast && family == Family::V4;
        if groups().next().is_none() && !broadcast {
            continue;
        }
        for chosen in options.selection.sending(interfaces, family).iter().flatten() {
            // Not off this host and not heard on it: for nobody, and Linux would let IPv6 out.
            for group in groups().filter(|_| options.ttl > 0 || options.loopback) {
                let to = socket_address(*group, options.port, chosen.index);
                way(&mut ways, chosen, chosen.source_for(*group).ip, options).to.push(to);
            }
            let source = chosen.source_for(family.unspecified());
            if let Some(everybody) = source.broadcast()
                && broadcast
                && !chosen.loopback
            {
                let to = SocketAddr::from((everybody, options.port));
                way(&mut ways, chosen, source.ip, options).to.push(to);
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
    &CastOptions { ttl, loopback, .. }: &CastOptions,
) -> &'a mut Way {
    let socket = SendOptions::Interface { interface: chosen.index, address, ttl, loopback };
    let position = ways.iter().position(|way| way.socket == socket).unwrap_or_else(|| {
        let (interface, name) = (chosen.index, Arc::clone(&chosen.name));
        ways.push(Way { socket, interface, name, to: Vec::new(), failure: Failure::default() });
        ways.len() - 1
    });
    &mut ways[position]
}
