//! The socket that hears groups on a shared port.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use socket2::{Protocol, Socket, Type};

use super::faults::{self, Call};
use super::poll::Watched;
use super::{Family, InterfaceIndex, imp};

/// What a listening socket hears on its port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Hears {
    /// The groups of a family that it joins, and what is sent straight to this host.
    Groups(Family),
    /// One group, from one sender (source-specific multicast, RFC 4607).
    Source {
        /// The group.
        group: Ipv4Addr,
        /// The sender.
        source: Ipv4Addr,
    },
}

/// A port to bind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Port {
    /// This one, shared with whoever shares it.
    Named(u16),
    /// One that nobody uses; shared with whoever comes later. 0 is any.
    Free(u16),
}

impl Port {
    /// The port's number; 0 is any.
    pub fn number(self) -> u16 {
        match self {
            Self::Named(port) | Self::Free(port) => port,
        }
    }
}

/// A non-blocking socket that shares its port with other programs and hears exactly the (group, interface)
/// pairs it has joined, and, unless it is for one [`Hears::Source`], what is sent straight to this host.
///
/// Options: SO_REUSEADDR, and SO_REUSEPORT where it takes that to share, which on macOS is always; IP_PKTINFO or
/// IPV6_RECVPKTINFO for the arrival interface and destination; IP_MULTICAST_ALL or IPV6_MULTICAST_ALL off,
/// or Linux would deliver the groups that other programs joined, see ip(7); IPV6_V6ONLY, so that an IPv4
/// socket has the same port beside it.
///
/// On Windows SO_REUSEADDR stands for both, and goes further: the socket gets a named port from a program that
/// does not share it, unless that has it for itself (SO_EXCLUSIVEADDRUSE), which is EACCES.
pub struct ListenSocket {
    socket: Socket,
    hears: Hears,
    port: u16,
}

impl Hears {
    /// The family of the socket.
    pub fn family(self) -> Family {
        match self {
            Self::Groups(family) => family,
            Self::Source { .. } => Family::V4,
        }
    }

    /// The address it is bound to. Bound to the group, a socket takes none of the unicast that is for those that
    /// are bound to every address: of several sockets on a port the system gives it to one. Windows binds to no
    /// group, and may give it to this one.
    pub fn bound_to(self) -> IpAddr {
        match self {
            Self::Groups(family) => family.unspecified(),
            Self::Source { group, .. } => imp::address_for(group),
        }
    }
}

impl ListenSocket {
    /// Opens the socket and binds it.
    ///
    /// On failure says which call failed.
    ///
    /// # Errors
    /// EAFNOSUPPORT from `socket` where the system has no IPv6; EADDRINUSE from `bind` for a port that
    /// another program does not share, or that is not free.
    pub fn bind(port: Port, hears: Hears) -> Result<Self, (&'static str, io::Error)> {
        let family = hears.family();
        let socket = faults::at(Call::Socket, None)
            .and_then(|()| Socket::new(family.domain(), Type::DGRAM, Some(Protocol::UDP)))
            .map_err(|error| ("socket", error))?;
        socket
            .set_nonblocking(true)
            .and_then(|()| imp::prepare_listening(&socket, family))
            .map_err(|error| ("setsockopt", error))?;
        let address = SocketAddr::new(hears.bound_to(), port.number()).into();
        faults::at(Call::Bind, None).map_err(|error| ("bind", error))?;
        match port {
            Port::Named(_) => imp::bind_shared(&socket, &address)?,
            Port::Free(_) => imp::bind_free(&socket, &address)?,
        }
        let port = local_port(&socket).map_err(|error| ("getsockname", error))?;
        Ok(Self { socket, hears, port })
    }

    /// The port it is bound to.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// What it hears.
    pub fn hears(&self) -> Hears {
        self.hears
    }

    /// Joins `group` on one interface.
    ///
    /// # Errors
    /// EADDRINUSE if already joined; ENODEV for an unknown interface, which is EADDRNOTAVAIL on macOS and Windows;
    /// ENOBUFS beyond `net.ipv4.igmp_max_memberships` (20) IPv4 memberships of one socket on Linux. On macOS it may have
    /// 4,095 (IP_MAX_MEMBERSHIPS).
    pub fn join(&self, group: IpAddr, interface: InterfaceIndex) -> io::Result<()> {
        faults::at(Call::Join, Some(interface))?;
        match (group, self.hears) {
            (IpAddr::V4(group), Hears::Source { source, .. }) => {
                imp::join_source(&self.socket, group, source, interface)
            }
            _ => imp::join(&self.socket, group, interface),
        }
    }

    /// Leaves `group` on one interface; works for an interface that is gone, too.
    pub fn leave(&self, group: IpAddr, interface: InterfaceIndex) -> io::Result<()> {
        match (group, self.hears) {
            (IpAddr::V4(group), Hears::Source { source, .. }) => {
                imp::leave_source(&self.socket, group, source, interface)
            }
            _ => imp::leave(&self.socket, group, interface),
        }
    }

    /// Asks for a receive buffer of `bytes` (SO_RCVBUF). The system may grant less, see
    /// [`ListenSocket::receive_buffer`].
    pub fn set_receive_buffer(&self, bytes: usize) -> io::Result<()> {
        imp::set_receive_buffer(&self.socket, bytes)
    }

    /// The receive buffer in bytes as the system reports it; Linux reports twice what it was asked for,
    /// its bookkeeping included (socket(7)).
    pub fn receive_buffer(&self) -> io::Result<usize> {
        self.socket.recv_buffer_size()
    }

    /// How many datagrams the kernel has dropped for want of room in this socket, modulo 2^32.
    ///
    /// # Errors
    /// [`io::ErrorKind::Unsupported`] where it does not count them: on macOS and Windows.
    pub fn drops(&self) -> io::Result<u32> {
        imp::drops(&self.socket)
    }
}

impl Watched for ListenSocket {
    fn socket(&self) -> &Socket {
        &self.socket
    }
}

/// The port that a bound socket has.
pub(super) fn local_port(socket: &Socket) -> io::Result<u16> {
    let address = socket.local_addr()?.as_socket();
    address.map(|address| address.port()).ok_or_else(|| io::ErrorKind::Unsupported.into())
}
