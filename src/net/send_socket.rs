//! The socket that sends on one interface.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};

use socket2::{Domain, Protocol, Socket, Type};

use super::{InterfaceIndex, imp};

/// What distinguishes one sending socket from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SendOptions {
    /// The interface that datagrams leave by.
    pub interface: InterfaceIndex,
    /// An address of that interface: the source address of everything sent.
    pub address: Ipv4Addr,
    /// Hops a datagram may make: 1 stays on the link, 0 on this host (IP_MULTICAST_TTL).
    pub ttl: u8,
    /// Whether programs on this host hear it too (IP_MULTICAST_LOOP).
    pub loopback: bool,
}

/// A non-blocking IPv4 socket bound to an address of one interface and a port of its own.
///
/// Bound to the interface's own address, it can never send with another interface's: once the address is
/// gone, sending fails instead. The port is exclusive (no SO_REUSEADDR), so a datagram from it is known to
/// be ours.
pub struct SendSocket {
    socket: UdpSocket,
    local: SocketAddr,
}

impl SendSocket {
    /// Opens a socket for `options`. On failure says which call failed.
    ///
    /// # Errors
    /// EADDRNOTAVAIL from `bind` if the interface has lost the address.
    pub fn open(options: &SendOptions) -> Result<Self, (&'static str, io::Error)> {
        let socket =
            Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP)).map_err(|error| ("socket", error))?;
        socket.bind(&SocketAddr::from((options.address, 0)).into()).map_err(|error| ("bind", error))?;
        socket
            .set_nonblocking(true)
            .and_then(|()| imp::set_multicast_interface(&socket, options.interface, options.address))
            .and_then(|()| socket.set_multicast_ttl_v4(u32::from(options.ttl)))
            .and_then(|()| socket.set_multicast_loop_v4(options.loopback))
            .map_err(|error| ("setsockopt", error))?;
        let socket = UdpSocket::from(socket);
        let local = socket.local_addr().map_err(|error| ("getsockname", error))?;
        Ok(Self { socket, local })
    }

    /// The address and port that receivers see as the source.
    pub fn local(&self) -> SocketAddr {
        self.local
    }

    /// Sends one datagram. "Sent" means handed to the interface: without a carrier it goes nowhere.
    ///
    /// # Errors
    /// EAGAIN when the interface's queue is full; EPERM from a firewall; ENETUNREACH when the interface is
    /// down or the address gone; EMSGSIZE for more than [`super::MAX_PAYLOAD`] bytes.
    pub fn send(&self, payload: &[u8], group: IpAddr, port: u16) -> io::Result<()> {
        // A datagram is sent whole or not at all.
        self.socket.send_to(payload, (group, port)).map(|_| ())
    }
}
