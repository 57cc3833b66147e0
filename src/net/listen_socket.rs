//! The socket that hears groups on a shared port.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::{AsFd, BorrowedFd};

use socket2::{Domain, InterfaceIndexOrAddress, Protocol, Socket, Type};

use super::{InterfaceIndex, imp};

/// A non-blocking IPv4 socket on `0.0.0.0:port` that shares its port with other programs and hears exactly
/// the (group, interface) pairs it has joined, and what is sent straight to this host.
///
/// Options: SO_REUSEADDR and SO_REUSEPORT, so that it shares with programs that set either; IP_PKTINFO for
/// the arrival interface and destination; IP_MULTICAST_ALL off, or Linux would deliver the groups that
/// other programs joined, see ip(7).
pub struct ListenSocket {
    socket: Socket,
    port: u16,
}

impl ListenSocket {
    /// Opens the socket and binds it; port 0 lets the system choose.
    ///
    /// On failure says which call failed.
    pub fn bind(port: u16) -> Result<Self, (&'static str, io::Error)> {
        let socket =
            Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP)).map_err(|error| ("socket", error))?;
        socket
            .set_nonblocking(true)
            .and_then(|()| imp::prepare_listening(&socket))
            .map_err(|error| ("setsockopt", error))?;
        let share = || {
            socket
                .set_reuse_address(true)
                .and_then(|()| socket.set_reuse_port(true))
                .map_err(|error| ("setsockopt", error))
        };
        // A socket that already shares may be given somebody else's shared port as a free one.
        if port != 0 {
            share()?;
        }
        let bind = || -> io::Result<u16> {
            socket.bind(&SocketAddr::from((Ipv4Addr::UNSPECIFIED, port)).into())?;
            let bound = socket.local_addr()?.as_socket().map(|address| address.port());
            bound.ok_or_else(|| io::Error::from(io::ErrorKind::Unsupported))
        };
        let bound = bind().map_err(|error| ("bind", error))?;
        if port == 0 {
            share()?;
        }
        Ok(Self { socket, port: bound })
    }

    /// The port it is bound to.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Joins `group` on one interface.
    ///
    /// # Errors
    /// EADDRINUSE if already joined; ENODEV for an unknown interface; ENOBUFS beyond
    /// `net.ipv4.igmp_max_memberships` (20) memberships of one socket.
    pub fn join(&self, group: Ipv4Addr, interface: InterfaceIndex) -> io::Result<()> {
        self.socket.join_multicast_v4_n(&group, &InterfaceIndexOrAddress::Index(interface.0))
    }

    /// Leaves `group` on one interface; works for an interface that is gone, too.
    pub fn leave(&self, group: Ipv4Addr, interface: InterfaceIndex) -> io::Result<()> {
        self.socket.leave_multicast_v4_n(&group, &InterfaceIndexOrAddress::Index(interface.0))
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
    pub fn drops(&self) -> io::Result<u32> {
        imp::drops(&self.socket)
    }
}

impl AsFd for ListenSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}
