//! The network's edge: interfaces, sockets, the poller. The only place with code per operating system.
//!
//! `imp` holds what differs between systems behind one vocabulary; everything else here is the same
//! everywhere. Sockets are non-blocking, and every call returns the system's error untouched.

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

pub use imp::{Datagrams, interfaces};
pub use interface::{Interface, InterfaceAddress, InterfaceIndex};
pub use listen_socket::ListenSocket;
pub use poll::{Poll, Registered};
pub use selection::{BadPattern, Chosen, Selection};
pub use send_socket::{SendOptions, SendSocket};

use std::net::{IpAddr, SocketAddr};

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
