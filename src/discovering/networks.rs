//! The networks that this host is on: who is near.

use std::net::IpAddr;

use rustc_hash::{FxHashMap, FxHashSet};

use crate::discover::peer::Source;
use crate::net::{Interface, InterfaceAddress, InterfaceIndex};

/// What is known of them.
#[derive(Default)]
pub(super) struct Networks {
    own: FxHashSet<IpAddr>,
    links: FxHashMap<InterfaceIndex, Vec<InterfaceAddress>>,
}

impl Networks {
    /// Takes in which interfaces this host has.
    pub(super) fn note(&mut self, interfaces: &[Interface]) {
        let addresses = interfaces.iter().flat_map(|interface| &interface.addresses);
        self.own = addresses.map(|address| address.ip).collect();
        let link = |interface: &Interface| (interface.index, interface.addresses.clone());
        self.links = interfaces.iter().map(link).collect();
    }

    /// Whether this is an address of this host.
    pub(super) fn is_own(&self, ip: IpAddr) -> bool {
        self.own.contains(&ip)
    }

    /// Whether what comes from there has passed no router: it is of this host, or of a network of the interface that it came
    /// in on.
    pub(super) fn is_near(&self, from: Source) -> bool {
        let ip = from.socket.ip();
        let is_link_local = matches!(ip, IpAddr::V6(ip) if ip.is_unicast_link_local());
        let link = self.links.get(&from.interface);
        is_link_local
            || self.is_own(ip)
            || link.is_some_and(|addresses| addresses.iter().any(|address| address.is_of_network(ip)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::Fitness;

    #[test]
    fn who_is_near_shares_a_network_with_the_interface() {
        let interface = |index, name: &str, addresses: &[(&str, u8)]| Interface {
            index: InterfaceIndex(index),
            name: name.into(),
            up: true,
            running: true,
            multicast: true,
            loopback: false,
            point_to_point: false,
            addresses: addresses
                .iter()
                .map(|(ip, prefix)| InterfaceAddress {
                    ip: ip.parse().unwrap(),
                    prefix: *prefix,
                    fitness: Fitness::Lasting,
                })
                .collect(),
        };
        let mut networks = Networks::default();
        networks.note(&[
            interface(1, "eth0", &[("10.0.1.1", 24), ("fd00:1::1", 64)]),
            interface(2, "eth1", &[("10.0.2.1", 24)]),
        ]);
        for (from, index, is_near) in [
            ("10.0.1.9:1", 1, true),
            ("10.0.1.9:1", 2, false),
            ("10.0.1.9:1", 3, false),
            ("10.0.2.9:1", 2, true),
            ("10.0.3.9:1", 2, false),
            // Of this host, by whatever way.
            ("10.0.1.1:1", 2, true),
            ("[fd00:1::9]:1", 1, true),
            ("[fd00:2::9]:1", 1, false),
            ("[fe80::9%2]:1", 2, true),
        ] {
            let from = Source { socket: from.parse().unwrap(), interface: InterfaceIndex(index) };
            assert_eq!(networks.is_near(from), is_near, "{from:?}");
        }
    }
}
