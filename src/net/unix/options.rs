//! Socket options that socket2 does not have, or not for every system.

use std::io;
use std::mem;
use std::net::{IpAddr, Ipv4Addr, SocketAddrV4};
use std::os::fd::AsRawFd;

use socket2::{SockAddr, Socket};

use crate::net::imp::{hear_own_groups_only, join_v4, leave_v4, route_by_interface, share_port};
use crate::net::{Family, InterfaceIndex};

/// Asks for packet info with each datagram and for no group but the socket's own.
pub(in crate::net) fn prepare_listening(socket: &Socket, family: Family) -> io::Result<()> {
    tell_packet_info(socket, family)?;
    hear_own_groups_only(socket, family)
}

/// Asks for packet info with each datagram (IP_PKTINFO, IPV6_RECVPKTINFO); an IPv6 socket is for IPv6 alone.
pub(in crate::net) fn tell_packet_info(socket: &Socket, family: Family) -> io::Result<()> {
    let on: libc::c_int = 1;
    match family {
        Family::V4 => set(socket, libc::IPPROTO_IP, libc::IP_PKTINFO, &on),
        Family::V6 => {
            socket.set_only_v6(true)?;
            set(socket, libc::IPPROTO_IPV6, libc::IPV6_RECVPKTINFO, &on)
        }
    }
}

/// Binds a socket to a port that nobody uses, and shares it with whoever comes later.
pub(in crate::net) fn bind_free(socket: &Socket, to: &SockAddr) -> Result<(), (&'static str, io::Error)> {
    // A socket that already shares may be given somebody else's shared port as a free one.
    socket.bind(to).map_err(|error| ("bind", error))?;
    share_port(socket).map_err(|error| ("setsockopt", error))
}

/// The address to bind for a group alone: the group's own.
pub(in crate::net) fn address_for(group: Ipv4Addr) -> IpAddr {
    group.into()
}

/// Joins a group on an interface.
pub(in crate::net) fn join(socket: &Socket, group: IpAddr, interface: InterfaceIndex) -> io::Result<()> {
    match group {
        IpAddr::V4(group) => join_v4(socket, group, interface),
        IpAddr::V6(group) => socket.join_multicast_v6(&group, interface.0),
    }
}

/// Leaves a group on an interface.
pub(in crate::net) fn leave(socket: &Socket, group: IpAddr, interface: InterfaceIndex) -> io::Result<()> {
    match group {
        IpAddr::V4(group) => leave_v4(socket, group, interface),
        IpAddr::V6(group) => socket.leave_multicast_v6(&group, interface.0),
    }
}

/// Sends multicast and broadcast by the interface with this index. By address alone, two interfaces that
/// share one (a bridge and its port) could not be told apart, nor could two on one network.
pub(in crate::net) fn send_by_interface(
    socket: &Socket,
    interface: InterfaceIndex,
    address: Ipv4Addr,
) -> io::Result<()> {
    let index = libc::c_int::try_from(interface.0).map_err(|_| io::ErrorKind::InvalidInput)?;
    let request = libc::ip_mreqn {
        imr_multiaddr: libc::in_addr { s_addr: 0 },
        imr_address: libc::in_addr { s_addr: address.to_bits().to_be() },
        imr_ifindex: index,
    };
    set(socket, libc::IPPROTO_IP, libc::IP_MULTICAST_IF, &request)?;
    route_by_interface(socket, index)
}

/// Joins an IPv4 group on an interface (MCAST_JOIN_GROUP of RFC 3678).
#[cfg(any(target_os = "macos", test))]
pub(in crate::net) fn join_group(
    socket: &Socket,
    group: Ipv4Addr,
    interface: InterfaceIndex,
) -> io::Result<()> {
    set(socket, libc::IPPROTO_IP, libc::MCAST_JOIN_GROUP, &group_request(group, interface))
}

/// Ends what [`join_group`] with the same arguments began.
#[cfg(any(target_os = "macos", test))]
pub(in crate::net) fn leave_group(
    socket: &Socket,
    group: Ipv4Addr,
    interface: InterfaceIndex,
) -> io::Result<()> {
    set(socket, libc::IPPROTO_IP, libc::MCAST_LEAVE_GROUP, &group_request(group, interface))
}

#[cfg(any(target_os = "macos", test))]
fn group_request(group: Ipv4Addr, interface: InterfaceIndex) -> libc::group_req {
    // SAFETY: all zero is a value of it. Nothing uninitialised goes to the system: it has padding.
    let mut request: libc::group_req = unsafe { mem::zeroed() };
    request.gr_interface = interface.0;
    request.gr_group = storage(group);
    request
}

/// Joins a group on an interface for what one sender sends to it (MCAST_JOIN_SOURCE_GROUP, ip(7); RFC 3678).
pub(in crate::net) fn join_source(
    socket: &Socket,
    group: Ipv4Addr,
    source: Ipv4Addr,
    interface: InterfaceIndex,
) -> io::Result<()> {
    set(socket, libc::IPPROTO_IP, libc::MCAST_JOIN_SOURCE_GROUP, &source_request(group, source, interface))
}

/// Ends what [`join_source`] with the same arguments began.
pub(in crate::net) fn leave_source(
    socket: &Socket,
    group: Ipv4Addr,
    source: Ipv4Addr,
    interface: InterfaceIndex,
) -> io::Result<()> {
    set(socket, libc::IPPROTO_IP, libc::MCAST_LEAVE_SOURCE_GROUP, &source_request(group, source, interface))
}

fn source_request(group: Ipv4Addr, source: Ipv4Addr, interface: InterfaceIndex) -> libc::group_source_req {
    // SAFETY: all zero is a value of it. Nothing uninitialised goes to the system: it has padding.
    let mut request: libc::group_source_req = unsafe { mem::zeroed() };
    request.gsr_interface = interface.0;
    request.gsr_group = storage(group);
    request.gsr_source = storage(source);
    request
}

fn storage(address: Ipv4Addr) -> libc::sockaddr_storage {
    let mut storage = SockAddr::from(SocketAddrV4::new(address, 0)).as_storage();
    // SAFETY: that is what it is a storage for.
    unsafe { *storage.view_as::<libc::sockaddr_storage>() }
}

/// Sets a socket option that takes a `T`.
pub(in crate::net) fn set<T>(
    socket: &Socket,
    level: libc::c_int,
    name: libc::c_int,
    value: &T,
) -> io::Result<()> {
    // SAFETY: `value` is valid for its own size, and every caller passes the type that the option takes.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            level,
            name,
            (&raw const *value).cast(),
            mem::size_of::<T>() as libc::socklen_t,
        )
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use socket2::{Domain, Protocol, Type};

    use super::*;
    use crate::net::interfaces;

    #[test]
    fn a_group_is_joined_once_on_the_interface_that_is_named() {
        let interfaces = interfaces().unwrap();
        let loopback = interfaces.iter().find(|interface| interface.loopback).expect("a host has a loopback");
        let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP)).unwrap();
        socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into()).unwrap();
        let group = Ipv4Addr::new(239, 255, 77, 78);
        let source = Ipv4Addr::LOCALHOST;
        let refused = |result: io::Result<()>| result.unwrap_err().raw_os_error();
        // One way to join is as good as the other, and takes the place of the other, where there are two.
        join_group(&socket, group, loopback.index).unwrap();
        assert_eq!(refused(join(&socket, group.into(), loopback.index)), Some(libc::EADDRINUSE));
        leave(&socket, group.into(), loopback.index).unwrap();
        assert_eq!(refused(leave_group(&socket, group, loopback.index)), Some(libc::EADDRNOTAVAIL));
        assert!(join_group(&socket, group, InterfaceIndex(0x7fff_fff0)).is_err(), "there is none such");
        join_source(&socket, group, source, loopback.index).unwrap();
        leave_source(&socket, group, source, loopback.index).unwrap();
    }
}
