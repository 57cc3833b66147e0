//! Socket options that socket2 does not have, and how interfaces are named.

use std::io;
use std::mem;
use std::net::{IpAddr, Ipv4Addr};
use std::os::windows::io::AsRawSocket;
use std::ptr;

use socket2::{Domain, InterfaceIndexOrAddress, Protocol, SockAddr, Socket, Type};
use windows_sys::Win32::Networking::WinSock::{
    IN_ADDR, IN_ADDR_0, IP_ADD_SOURCE_MEMBERSHIP, IP_DROP_SOURCE_MEMBERSHIP, IP_MREQ_SOURCE, IP_MULTICAST_IF,
    IP_PKTINFO, IP_UNICAST_IF, IPPROTO_IP, IPPROTO_IPV6, IPV6_PKTINFO, SIO_UDP_CONNRESET, SIO_UDP_NETRESET,
    SO_EXCLUSIVEADDRUSE, SOCKET, SOL_SOCKET, WSAEINVAL, WSAIoctl, setsockopt,
};

use super::interfaces;
use crate::net::listen_socket::local_port;
use crate::net::{Family, InterfaceIndex};

/// Asks for packet info with each datagram. Only the receiver's IP_MULTICAST_LOOP counts here: it hears what this host
/// sends. That is the default, and made sure of.
pub(in crate::net) fn prepare_listening(socket: &Socket, family: Family) -> io::Result<()> {
    ignore_icmp(socket);
    tell_packet_info(socket, family)?;
    match family {
        Family::V4 => socket.set_multicast_loop_v4(true),
        Family::V6 => socket.set_multicast_loop_v6(true),
    }
}

/// Asks for packet info with each datagram (IP_PKTINFO, IPV6_PKTINFO); an IPv6 socket is for IPv6 alone.
pub(in crate::net) fn tell_packet_info(socket: &Socket, family: Family) -> io::Result<()> {
    let on = 1_u32;
    match family {
        Family::V4 => set(socket, IPPROTO_IP, IP_PKTINFO, &on),
        Family::V6 => {
            socket.set_only_v6(true)?;
            set(socket, IPPROTO_IPV6, IPV6_PKTINFO, &on)
        }
    }
}

/// Keeps the port of a socket from everybody else (SO_EXCLUSIVEADDRUSE): without it, a socket with SO_REUSEADDR could
/// have the same.
pub(in crate::net) fn prepare_sending(socket: &Socket) -> io::Result<()> {
    ignore_icmp(socket);
    set(socket, SOL_SOCKET, SO_EXCLUSIVEADDRUSE, &1_u32)
}

/// Whether a socket that sends to a group from this address must have joined it: on loopback, where there is no route
/// to a group (WSAENETUNREACH) that nobody on this host has joined.
pub(in crate::net) fn must_join_to_send(from: IpAddr) -> bool {
    from.is_loopback()
}

/// Lets other sockets have the same port (SO_REUSEADDR, which here is what SO_REUSEPORT is elsewhere).
pub(in crate::net) fn share_port(socket: &Socket) -> io::Result<()> {
    socket.set_reuse_address(true)
}

/// Binds a socket to a port that it shares.
pub(in crate::net) fn bind_shared(socket: &Socket, to: &SockAddr) -> Result<(), (&'static str, io::Error)> {
    share_port(socket).map_err(|error| ("setsockopt", error))?;
    socket.bind(to).map_err(|error| ("bind", error))
}

/// Binds a socket to a port that nobody uses, and shares it with whoever comes later. Whether a socket shares is
/// settled when it is bound, so another one, that does not, finds out which port is free.
pub(in crate::net) fn bind_free(socket: &Socket, to: &SockAddr) -> Result<(), (&'static str, io::Error)> {
    let unusable = || io::Error::from(io::ErrorKind::InvalidInput);
    let mut to = to.as_socket().ok_or_else(|| ("bind", unusable()))?;
    let scout = Socket::new(Domain::for_address(to), Type::DGRAM, Some(Protocol::UDP))
        .map_err(|error| ("socket", error))?;
    let prepare = || -> io::Result<()> {
        if to.is_ipv6() {
            scout.set_only_v6(true)?;
        }
        set(&scout, SOL_SOCKET, SO_EXCLUSIVEADDRUSE, &1_u32)
    };
    prepare().map_err(|error| ("setsockopt", error))?;
    scout.bind(&to.into()).map_err(|error| ("bind", error))?;
    to.set_port(local_port(&scout).map_err(|error| ("getsockname", error))?);
    drop(scout);
    bind_shared(socket, &to.into())
}

/// The address to bind for a group alone. Windows binds to no group (WSAEADDRNOTAVAIL), so it is that of every group
/// and host; what else comes is for none of our members.
pub(in crate::net) fn address_for(_group: Ipv4Addr) -> IpAddr {
    Ipv4Addr::UNSPECIFIED.into()
}

/// Sends multicast and broadcast by one interface, which has this address (IP_MULTICAST_IF, IP_UNICAST_IF).
pub(in crate::net) fn send_by_interface(
    socket: &Socket,
    interface: InterfaceIndex,
    address: Ipv4Addr,
) -> io::Result<()> {
    by_index_or(interface, || Some(address), |by| set(socket, IPPROTO_IP, IP_MULTICAST_IF, &in_addr(by)))?;
    // In network byte order, unlike IPV6_UNICAST_IF.
    set(socket, IPPROTO_IP, IP_UNICAST_IF, &interface.0.to_be())
}

/// Joins a group on an interface.
pub(in crate::net) fn join(socket: &Socket, group: IpAddr, interface: InterfaceIndex) -> io::Result<()> {
    match group {
        IpAddr::V4(group) => on_interface(interface, |by| {
            socket.join_multicast_v4_n(&group, &InterfaceIndexOrAddress::Address(by))
        }),
        IpAddr::V6(group) => socket.join_multicast_v6(&group, interface.0),
    }
}

/// Leaves a group on an interface.
pub(in crate::net) fn leave(socket: &Socket, group: IpAddr, interface: InterfaceIndex) -> io::Result<()> {
    match group {
        IpAddr::V4(group) => on_interface(interface, |by| {
            socket.leave_multicast_v4_n(&group, &InterfaceIndexOrAddress::Address(by))
        }),
        IpAddr::V6(group) => socket.leave_multicast_v6(&group, interface.0),
    }
}

/// Joins a group on an interface for what one sender sends to it (IP_ADD_SOURCE_MEMBERSHIP).
pub(in crate::net) fn join_source(
    socket: &Socket,
    group: Ipv4Addr,
    source: Ipv4Addr,
    interface: InterfaceIndex,
) -> io::Result<()> {
    on_interface(interface, |by| {
        set(socket, IPPROTO_IP, IP_ADD_SOURCE_MEMBERSHIP, &source_request(group, source, by))
    })
}

/// Ends what [`join_source`] with the same arguments began (IP_DROP_SOURCE_MEMBERSHIP).
pub(in crate::net) fn leave_source(
    socket: &Socket,
    group: Ipv4Addr,
    source: Ipv4Addr,
    interface: InterfaceIndex,
) -> io::Result<()> {
    on_interface(interface, |by| {
        set(socket, IPPROTO_IP, IP_DROP_SOURCE_MEMBERSHIP, &source_request(group, source, by))
    })
}

fn source_request(group: Ipv4Addr, source: Ipv4Addr, interface: Ipv4Addr) -> IP_MREQ_SOURCE {
    IP_MREQ_SOURCE {
        imr_multiaddr: in_addr(group),
        imr_sourceaddr: in_addr(source),
        imr_interface: in_addr(interface),
    }
}

/// Asks for SO_RCVBUF.
pub(in crate::net) fn set_receive_buffer(socket: &Socket, bytes: usize) -> io::Result<()> {
    socket.set_recv_buffer_size(bytes)
}

/// Windows does not count what it drops by socket.
pub(in crate::net) fn drops(_socket: &Socket) -> io::Result<u32> {
    Err(io::ErrorKind::Unsupported.into())
}

/// As [`by_index_or`], with the first address that the interface has.
fn on_interface(interface: InterfaceIndex, set: impl Fn(Ipv4Addr) -> io::Result<()>) -> io::Result<()> {
    let address = || {
        let all = interfaces().ok()?;
        let addresses = all.into_iter().find(|one| one.index == interface)?.addresses;
        addresses.iter().find_map(|address| match address.ip {
            IpAddr::V4(ip) => Some(ip),
            IpAddr::V6(_) => None,
        })
    };
    by_index_or(interface, address, set)
}

/// Sets an option that names an interface by an IPv4 address: by `0.0.0.0` plus its index, which means that very
/// interface (`ip_mreq` of Winsock), or where that is refused as invalid, which it is by Wine alone, by an address
/// that it has.
fn by_index_or(
    interface: InterfaceIndex,
    address: impl FnOnce() -> Option<Ipv4Addr>,
    set: impl Fn(Ipv4Addr) -> io::Result<()>,
) -> io::Result<()> {
    match set(Ipv4Addr::from_bits(interface.0)) {
        Err(error) if error.raw_os_error() == Some(WSAEINVAL) => address().map_or(Err(error), set),
        result => result,
    }
}

fn in_addr(address: Ipv4Addr) -> IN_ADDR {
    IN_ADDR { S_un: IN_ADDR_0 { S_addr: address.to_bits().to_be() } }
}

/// Keeps from the socket what ICMP says of datagrams that it has sent: that nobody has the port (WSAECONNRESET), or
/// that their time is over (WSAENETRESET). Reading takes them for nothing all the same, so that a Windows that does
/// not know one of these is as good.
fn ignore_icmp(socket: &Socket) {
    for code in [SIO_UDP_CONNRESET, SIO_UDP_NETRESET] {
        let (off, mut written) = (0_u32, 0);
        // SAFETY: `off` is valid for its own size, and nothing is written but how much was.
        unsafe {
            WSAIoctl(
                handle(socket),
                code,
                (&raw const off).cast(),
                mem::size_of_val(&off) as u32,
                ptr::null_mut(),
                0,
                &raw mut written,
                ptr::null_mut(),
                None,
            )
        };
    }
}

fn set<T>(socket: &Socket, level: i32, name: i32, value: &T) -> io::Result<()> {
    // SAFETY: `value` is valid for its own size, and every caller passes the type that the option takes.
    let result = unsafe {
        setsockopt(handle(socket), level, name, (&raw const *value).cast(), mem::size_of::<T>() as i32)
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// As Winsock calls a socket.
pub(super) fn handle(socket: &Socket) -> SOCKET {
    socket.as_raw_socket() as SOCKET
}
