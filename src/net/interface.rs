//! The interfaces of this host.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

/// The number by which the system knows an interface. An interface that is deleted and made again under
/// the same name gets another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct InterfaceIndex(pub u32);

/// One interface as the system describes it at the time of asking.
#[derive(Clone, Debug)]
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
}

impl Interface {
    /// The IPv4 addresses, in the system's order.
    pub fn ipv4(&self) -> impl Iterator<Item = Ipv4Addr> + '_ {
        self.addresses.iter().filter_map(|address| match address.ip {
            IpAddr::V4(ip) => Some(ip),
            IpAddr::V6(_) => None,
        })
    }
}
