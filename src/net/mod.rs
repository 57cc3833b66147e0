//! The network's edge: interfaces, sockets, the poller. The only place with code per operating system.
//!
//! `imp` holds what differs between systems behind one vocabulary, of which `unix` holds what Linux and macOS say
//! the same; everything else here is the same everywhere. Sockets are non-blocking, and every call returns the
//! system's error untouched.

mod destination;
mod family;
pub mod faults;
mod interface;
mod listen_socket;
mod pattern;
mod poll;
mod selection;
mod send_socket;

#[cfg(any(target_os = "macos", windows))]
mod one_by_one;
#[cfg(any(target_os = "macos", windows))]
mod portable_poller;
#[cfg(unix)]
mod unix;

#[cfg_attr(target_os = "linux", path = "linux/mod.rs")]
#[cfg_attr(target_os = "macos", path = "macos/mod.rs")]
#[cfg_attr(windows, path = "windows/mod.rs")]
mod imp;

#[cfg(not(any(target_os = "linux", target_os = "macos", windows)))]
compile_error!("lan-peers supports Linux, macOS and Windows so far");

pub(crate) use destination::is_unicast;
pub use destination::{Destination, Host, Scope};
pub use family::Family;
pub use imp::{Datagrams, Monitor, errno, interface_index, interfaces, suspended};

/// Whether `Instant` counts the time for which the computer was [`suspended`]: on Windows, where it is the performance
/// counter, which goes on.
pub const INSTANT_COUNTS_SLEEP: bool = cfg!(windows);
pub use interface::{Changes, Fitness, Interface, InterfaceAddress, InterfaceIndex};
pub use listen_socket::{Hears, ListenSocket, Port};
pub use pattern::BadPattern;
pub use poll::{Poll, Registered, Watched};
pub use selection::{Chosen, Obstacle, Selection, Unused};
pub use send_socket::{SendOptions, SendSocket, most_together};

use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr, SocketAddrV6, ToSocketAddrs};

/// The largest payload of a UDP datagram over IPv4 in bytes: 65,535 less 20 of IP and 8 of UDP header.
pub const MAX_PAYLOAD: usize = 65_507;

/// The most datagrams that one call reads, so that a flood at one socket leaves the others their turn.
const BATCH: usize = 64;

/// Room for a datagram in bytes: more than the largest UDP payload, so nothing is ever cut. Pages that no datagram
/// reaches cost nothing: the memory is zeroed by the kernel at first touch.
const SLOT: usize = 65_536;

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
