//! The network's edge: interfaces, sockets, the poller. The only place with code per operating system.
//!
//! `imp` holds what differs between systems behind one vocabulary; everything else here is the same
//! everywhere. Sockets are non-blocking, and every call returns the system's error untouched.

mod destination;
mod family;
mod interface;
mod listen_socket;
mod poll;
mod selection;
mod send_socket;

#[cfg(target_os = "linux")]
#[path = "linux/mod.rs"]
mod imp;

#[cfg(not(target_os = "linux"))]
compile_error!("lan-peers supports Linux so far");

pub(crate) use destination::is_unicast;
pub use destination::{Destination, Host, Scope};
pub use family::Family;
pub use imp::{Datagrams, interface_index, interfaces};
pub use interface::{Fitness, Interface, InterfaceAddress, InterfaceIndex};
pub use listen_socket::{Hears, ListenSocket, Port};
pub use poll::{Poll, Registered};
pub use selection::{BadPattern, Chosen, Selection, Skipped};
pub use send_socket::{SendOptions, SendSocket};

use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr, SocketAddrV6, ToSocketAddrs};

/// The largest payload of a UDP datagram over IPv4 in bytes: 65,535 less 20 of IP and 8 of UDP header.
pub const MAX_PAYLOAD: usize = 65_507;

/// A datagram as it lies in the receive buffer.
#[derive(Clone, Copy, Debug)]
pub struct Datagram<'a> {
    /// The payload.
    pub payload: &'a [u8],
    /// Who sent it.
    pub source: SocketAddr,
    /// The group, or the address of this host, that it was sent to.
    pub destination: IpAddr,
    /// The interface it came in on.
    pub interface: InterfaceIndex,
}

/// An address and port; an IPv6 address that is of one link only (RFC 4291) is told by `link`.
pub fn socket_address(ip: IpAddr, port: u16, link: InterfaceIndex) -> SocketAddr {
    match ip {
        IpAddr::V6(ip) if is_of_one_link(ip) => SocketAddrV6::new(ip, port, 0, link.0).into(),
        ip => SocketAddr::new(ip, port),
    }
}

/// Asks the system for all addresses of a host name, of both families (getaddrinfo(3)). It may take as long
/// as the resolver cares to wait.
pub fn resolve(name: &str) -> io::Result<Vec<SocketAddr>> {
    Ok((name, 0).to_socket_addrs()?.collect())
}

/// Whether an IPv6 address says only together with an interface who is meant.
fn is_of_one_link(ip: Ipv6Addr) -> bool {
    ip.is_unicast_link_local() || ip.is_multicast()
}
