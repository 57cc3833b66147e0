//! The interfaces of this host.

use std::collections::HashSet;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use super::Family;
use super::pattern::Pattern;

/// The number by which the system knows an interface. An interface that is deleted and made again under
/// the same name gets another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct InterfaceIndex(pub u32);

/// One interface as the system describes it at the time of asking.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interface {
    /// See [`InterfaceIndex`].
    pub index: InterfaceIndex,
    /// The name, such as `eth0`.
    pub name: Arc<str>,
    /// Switched on by the administrator (IFF_UP).
    pub up: bool,
    /// Has a carrier (IFF_RUNNING).
    pub running: bool,
    /// Says that it carries multicast (IFF_MULTICAST).
    pub multicast: bool,
    /// The loopback interface (IFF_LOOPBACK).
    pub loopback: bool,
    /// A link with exactly one other end, as most VPNs are (IFF_POINTOPOINT).
    pub point_to_point: bool,
    /// The addresses with their prefix lengths, in the system's order.
    pub addresses: Vec<InterfaceAddress>,
}

/// An address of an interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InterfaceAddress {
    /// The address itself.
    pub ip: IpAddr,
    /// How many leading bits name the network: 24 for 255.255.255.0.
    pub prefix: u8,
    /// How fit it is to be sent from.
    pub fitness: Fitness,
}

/// How fit an address is to be sent from, the fittest first. IPv4 addresses are all alike, but on Windows, which looks
/// for duplicates of these, too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fitness {
    /// It stays.
    Lasting,
    /// It is changed every now and then, for privacy (RFC 8981).
    Temporary,
    /// It is about to go (RFC 4862 5.5.4).
    Deprecated,
    /// Another host may have it, or has it (RFC 4862 5.4): the system refuses to send from it.
    Unusable,
}

/// What is known to have become of the interfaces since they were last listed.
#[derive(Debug, Default)]
pub struct Changes {
    /// Something changed: the list is old.
    pub any: bool,
    /// These are gone. One that is listed all the same is another one with the same index.
    pub removed: HashSet<InterfaceIndex>,
    /// Something went unnoticed: any may be gone.
    pub missed: bool,
}

impl Interface {
    /// Whether nobody could tell it from `other`: all is the same but, perhaps, how fit its addresses are.
    pub fn looks_like(&self, other: &Self) -> bool {
        let plainly = |interface: &Self| {
            let plain =
                |address: &InterfaceAddress| InterfaceAddress { fitness: Fitness::Lasting, ..*address };
            Self { addresses: interface.addresses.iter().map(plain).collect(), ..interface.clone() }
        };
        plainly(self) == plainly(other)
    }

    /// The addresses of one family, in the system's order.
    pub fn addresses_of(&self, family: Family) -> impl Iterator<Item = InterfaceAddress> + '_ {
        self.addresses.iter().copied().filter(move |address| Family::of(address.ip) == family)
    }
}

impl InterfaceAddress {
    /// Whether an address is of the same network.
    pub fn is_of_network(self, ip: IpAddr) -> bool {
        Pattern::Network(self.ip, self.prefix).covers(ip)
    }

    /// The address of everybody on an IPv4 network (RFC 919): all bits of the host set. A network of one or
    /// two addresses has none (RFC 3021).
    pub fn broadcast(self) -> Option<Ipv4Addr> {
        match self.ip {
            IpAddr::V4(ip) if self.prefix < 31 => {
                let host_bits = u32::MAX.checked_shr(u32::from(self.prefix)).unwrap_or(0);
                Some(Ipv4Addr::from_bits(ip.to_bits() | host_bits))
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn broadcast_addresses() {
        for (ip, prefix, broadcast) in [
            ("10.77.0.1", 24, Some("10.77.0.255")),
            ("10.77.5.1", 22, Some("10.77.7.255")),
            ("10.0.0.1", 8, Some("10.255.255.255")),
            ("10.0.0.1", 30, Some("10.0.0.3")),
            ("10.0.0.1", 31, None),
            ("10.0.0.1", 32, None),
            ("fe80::1", 64, None),
        ] {
            let address = InterfaceAddress { ip: ip.parse().unwrap(), prefix, fitness: Fitness::Lasting };
            assert_eq!(address.broadcast(), broadcast.map(|text| text.parse().unwrap()), "{ip}/{prefix}");
        }
    }
}
