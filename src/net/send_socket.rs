//! The sockets that send.

use std::io::{self, IoSlice};
use std::net::{IpAddr, SocketAddr};

use socket2::{Protocol, Socket, Type};

use super::faults::{self, Call};
use super::poll::Watched;
use super::{Family, InterfaceIndex, imp, socket_address};

/// What distinguishes one sending socket from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SendOptions {
    /// To groups, and to the broadcast address of its network, by one interface.
    Interface {
        /// The interface that datagrams leave by.
        interface: InterfaceIndex,
        /// An address of that interface: the source address of everything sent.
        address: IpAddr,
        /// Hops a datagram to a group may make: 1 stays on the link, 0 on this host (IP_MULTICAST_TTL,
        /// IPV6_MULTICAST_HOPS).
        ttl: u8,
        /// Whether programs on this host hear what is sent to a group, too (IP_MULTICAST_LOOP). On Windows that is
        /// for those who hear it to say, and sockets that say nothing hear it.
        loopback: bool,
    },
    /// By unicast, with the interface and the source address that the routing table says.
    Routed(Family),
}

impl SendOptions {
    /// The interface that datagrams leave by, unless that is for the routing table to say.
    pub fn interface(&self) -> Option<InterfaceIndex> {
        match self {
            Self::Interface { interface, .. } => Some(*interface),
            Self::Routed(_) => None,
        }
    }

    /// The address to bind; unspecified where the routing table says which.
    pub fn address(&self) -> IpAddr {
        match self {
            Self::Interface { address, .. } => *address,
            Self::Routed(family) => family.unspecified(),
        }
    }
}

/// A non-blocking socket with a port of its own, where answers come: with packet info, as to a
/// [`ListenSocket`](super::ListenSocket).
///
/// For an [`SendOptions::Interface`] it is bound to the interface's own address, so that it can never send
/// with another interface's: once the address is gone, sending fails instead. The port is exclusive (no
/// SO_REUSEADDR; on Windows SO_EXCLUSIVEADDRUSE), so a datagram from it is known to be ours.
pub struct SendSocket {
    socket: Socket,
    local: SocketAddr,
    interface: Option<InterfaceIndex>,
    /// The groups that it has joined for the sake of sending to them.
    joined: Vec<IpAddr>,
    /// Whether several datagrams may go out at once.
    together: bool,
}

impl SendSocket {
    /// Opens a socket for `options`. On failure says which call failed.
    ///
    /// # Errors
    /// EADDRNOTAVAIL from `bind` if the interface has lost the address, or an IPv6 address is so new that the
    /// system still looks for a duplicate (RFC 4862 5.4); EAFNOSUPPORT from `socket` without IPv6.
    pub fn open(options: &SendOptions) -> Result<Self, (&'static str, io::Error)> {
        let (family, address) = match *options {
            SendOptions::Interface { interface, address, .. } => {
                (Family::of(address), socket_address(address, 0, interface))
            }
            SendOptions::Routed(family) => (family, SocketAddr::new(family.unspecified(), 0)),
        };
        let socket = faults::at(Call::Socket, options.interface())
            .and_then(|()| Socket::new(family.domain(), Type::DGRAM, Some(Protocol::UDP)))
            .map_err(|error| ("socket", error))?;
        let prepare = || -> io::Result<()> {
            socket.set_nonblocking(true)?;
            imp::prepare_sending(&socket)?;
            imp::tell_packet_info(&socket, family)?;
            let SendOptions::Interface { interface, address, ttl, loopback } = *options else {
                return Ok(());
            };
            match address {
                IpAddr::V4(address) => {
                    imp::send_by_interface(&socket, interface, address)?;
                    socket.set_multicast_ttl_v4(u32::from(ttl))?;
                    socket.set_multicast_loop_v4(loopback)?;
                    socket.set_broadcast(true)
                }
                IpAddr::V6(_) => {
                    socket.set_multicast_if_v6(interface.0)?;
                    socket.set_multicast_hops_v6(u32::from(ttl))?;
                    socket.set_multicast_loop_v6(loopback)
                }
            }
        };
        prepare().map_err(|error| ("setsockopt", error))?;
        faults::at(Call::Bind, options.interface())
            .and_then(|()| socket.bind(&address.into()))
            .map_err(|error| ("bind", error))?;
        let local = socket.local_addr().map_err(|error| ("getsockname", error))?;
        let local = local.as_socket().unwrap_or(address);
        Ok(Self { socket, local, interface: options.interface(), joined: Vec::new(), together: true })
    }

    /// The port, and the address unless that is the routing table's, that receivers see as the source.
    pub fn local(&self) -> SocketAddr {
        self.local
    }

    /// Makes sure that what is sent to a group with a TTL of 0 stays on this host. Linux looks at a TTL of 0
    /// only where it loops a datagram back, which it does where somebody on this host has joined the group
    /// (`ip_mc_output` and `ip6_finish_output2` of the kernel), so the socket joins itself. It hears nothing by it:
    /// nobody sends to its port.
    ///
    /// # Errors
    /// As [`super::ListenSocket::join`].
    pub fn keep_on_host(&mut self, group: IpAddr) -> io::Result<()> {
        self.join(group)
    }

    /// Joins a group for the sake of sending to it; another address needs nothing.
    fn join(&mut self, group: IpAddr) -> io::Result<()> {
        let Some(interface) =
            self.interface.filter(|_| group.is_multicast() && !self.joined.contains(&group))
        else {
            return Ok(());
        };
        imp::join(&self.socket, group, interface)?;
        self.joined.push(group);
        Ok(())
    }

    /// Asks for a receive buffer of so many bytes for the answers (SO_RCVBUF). The system may grant less.
    ///
    /// # Errors
    /// As [`super::ListenSocket::set_receive_buffer`].
    pub fn set_receive_buffer(&self, bytes: usize) -> io::Result<()> {
        imp::set_receive_buffer(&self.socket, bytes)
    }

    /// Sends one datagram. "Sent" means handed to the interface: without a carrier it goes nowhere.
    ///
    /// # Errors
    /// EAGAIN, or on macOS ENOBUFS, when a queue is full; EPERM from a firewall; ENETUNREACH when the interface is
    /// down or the address gone; EACCES to a broadcast address by a [`SendOptions::Routed`] socket; EMSGSIZE
    /// for more than [`super::MAX_PAYLOAD`] bytes.
    pub fn send(&mut self, payload: &[u8], to: SocketAddr) -> io::Result<()> {
        if imp::must_join_to_send(self.local.ip()) {
            self.join(to.ip())?;
        }
        let to = to.into();
        loop {
            match faults::at(Call::Send, self.interface).and_then(|()| self.socket.send_to(payload, &to)) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // A datagram is sent whole or not at all.
                sent => return sent.map(|_| ()),
            }
        }
    }

    /// Sends several datagrams of one length with one call, all of them or none: at most [`most_together`].
    ///
    /// # Errors
    /// Whatever it is, the datagrams may still be sent one by one. `Unsupported` if the system or the interface cannot
    /// do that, which is remembered.
    pub fn send_together(&mut self, payloads: &[IoSlice<'_>], to: SocketAddr) -> io::Result<()> {
        if !self.together {
            return Err(io::ErrorKind::Unsupported.into());
        }
        let sent = faults::at(Call::Send, self.interface)
            .and_then(|()| imp::send_together(&self.socket, payloads, to));
        self.together = !matches!(&sent, Err(error) if error.kind() == io::ErrorKind::Unsupported);
        sent
    }
}

impl Watched for SendSocket {
    fn socket(&self) -> &Socket {
        &self.socket
    }
}

/// How many datagrams of this length [`SendSocket::send_together`] can send; 1 if there is no gain in it.
pub fn most_together(length: usize) -> usize {
    imp::most_together(length)
}
