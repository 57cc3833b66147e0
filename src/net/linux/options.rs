//! Socket options that socket2 does not have.

use std::io;
use std::mem;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::fd::AsRawFd;

use socket2::{SockAddr, Socket};

use crate::net::{Family, InterfaceIndex};

/// Asks for packet info with each datagram and for no group but the socket's own; an IPv6 socket is for IPv6
/// alone.
pub(in crate::net) fn prepare_listening(socket: &Socket, family: Family) -> io::Result<()> {
    let on: libc::c_int = 1;
    match family {
        Family::V4 => {
            set(socket, libc::IPPROTO_IP, libc::IP_PKTINFO, &on)?;
            socket.set_multicast_all_v4(false)
        }
        Family::V6 => {
            socket.set_only_v6(true)?;
            set(socket, libc::IPPROTO_IPV6, libc::IPV6_RECVPKTINFO, &on)?;
            // Linux before 4.20 does not know it. Then such datagrams come, and are for none of our members.
            match socket.set_multicast_all_v6(false) {
                Err(error) if error.raw_os_error() == Some(libc::ENOPROTOOPT) => Ok(()),
                result => result,
            }
        }
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
    // In network byte order: net/ipv4/ip_sockglue.c of the kernel.
    set(socket, libc::IPPROTO_IP, libc::IP_UNICAST_IF, &index.to_be())
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
    libc::group_source_req {
        gsr_interface: interface.0,
        gsr_group: storage(group),
        gsr_source: storage(source),
    }
}

fn storage(address: Ipv4Addr) -> libc::sockaddr_storage {
    let mut storage = SockAddr::from(SocketAddrV4::new(address, 0)).as_storage();
    // SAFETY: that is what it is a storage for.
    unsafe { *storage.view_as::<libc::sockaddr_storage>() }
}

/// Asks for SO_RCVBUF and, where the system's limit `net.core.rmem_max` cut it, for SO_RCVBUFFORCE, which
/// a privileged process may.
pub(in crate::net) fn set_receive_buffer(socket: &Socket, bytes: usize) -> io::Result<()> {
    socket.set_recv_buffer_size(bytes)?;
    if socket.recv_buffer_size()? < bytes.saturating_mul(2)
        && let Ok(bytes) = libc::c_int::try_from(bytes)
    {
        // Without CAP_NET_ADMIN this is EPERM, and what was granted stands.
        let _ = set(socket, libc::SOL_SOCKET, libc::SO_RCVBUFFORCE, &bytes);
    }
    Ok(())
}

/// SK_MEMINFO_DROPS of SO_MEMINFO (linux/sock_diag.h): unlike SO_RXQ_OVFL it can be asked at any time.
pub(in crate::net) fn drops(socket: &Socket) -> io::Result<u32> {
    const SK_MEMINFO_DROPS: usize = 8;
    let mut values = [0_u32; 9];
    let mut length = mem::size_of_val(&values) as libc::socklen_t;
    // SAFETY: `values` has room for `length` bytes, and the kernel writes no more than that.
    let result = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_MEMINFO,
            values.as_mut_ptr().cast(),
            &raw mut length,
        )
    };
    if result == 0 { Ok(values[SK_MEMINFO_DROPS]) } else { Err(io::Error::last_os_error()) }
}

fn set<T>(socket: &Socket, level: libc::c_int, name: libc::c_int, value: &T) -> io::Result<()> {
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
