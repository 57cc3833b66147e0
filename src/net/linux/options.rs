//! Socket options that socket2 does not have.

use std::io;
use std::mem;
use std::net::{IpAddr, Ipv4Addr};
use std::os::fd::{AsRawFd, RawFd};

use socket2::{InterfaceIndexOrAddress, SockAddr, Socket};

use crate::net::unix::set;
use crate::net::{Family, InterfaceIndex};

/// Keeps from a socket the groups that others have joined (IP_MULTICAST_ALL of ip(7), IPV6_MULTICAST_ALL). Where that is not
/// known they come, and are for none of our members.
pub(in crate::net) fn hear_own_groups_only(socket: &Socket, family: Family) -> io::Result<()> {
    unless_unknown(match family {
        Family::V4 => socket.set_multicast_all_v4(false),
        Family::V6 => socket.set_multicast_all_v6(false),
    })
}

/// Lets other sockets have the same port (SO_REUSEADDR).
pub(in crate::net) fn share_port(socket: &Socket) -> io::Result<()> {
    socket.set_reuse_address(true)
}

/// Binds a socket to a port that it shares. With SO_REUSEPORT only where the port is somebody's who shares it by that alone: of
/// the sockets that set it the kernel gives what is sent to a group that only one of them has joined to any (measured on Linux 6.18;
/// `inet_steal_sock` takes the one that was found, by `udp_v4_early_demux`, for one of a crowd that are all alike).
pub(in crate::net) fn bind_shared(socket: &Socket, to: &SockAddr) -> Result<(), (&'static str, io::Error)> {
    share_port(socket).map_err(|error| ("setsockopt", error))?;
    match socket.bind(to) {
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
            socket.set_reuse_port(true).map_err(|error| ("setsockopt", error))?;
            socket.bind(to).map_err(|error| ("bind", error))
        }
        bound => bound.map_err(|error| ("bind", error)),
    }
}

/// Joins an IPv4 group on an interface (IP_ADD_MEMBERSHIP of ip(7)).
pub(in crate::net) fn join_v4(socket: &Socket, group: Ipv4Addr, interface: InterfaceIndex) -> io::Result<()> {
    socket.join_multicast_v4_n(&group, &InterfaceIndexOrAddress::Index(interface.0))
}

/// Leaves an IPv4 group on an interface.
pub(in crate::net) fn leave_v4(
    socket: &Socket,
    group: Ipv4Addr,
    interface: InterfaceIndex,
) -> io::Result<()> {
    socket.leave_multicast_v4_n(&group, &InterfaceIndexOrAddress::Index(interface.0))
}

/// There is nothing to prepare for sending.
pub(in crate::net) fn prepare_sending(_socket: &Socket) -> io::Result<()> {
    Ok(())
}

/// Whether a socket that sends to a group from this address must have joined it: never.
pub(in crate::net) fn must_join_to_send(_from: IpAddr) -> bool {
    false
}

/// Sends broadcast by the interface with this index (IP_UNICAST_IF); where that is not known, by the one that has the address
/// in its network.
pub(in crate::net) fn route_by_interface(socket: &Socket, index: libc::c_int) -> io::Result<()> {
    // In network byte order: net/ipv4/ip_sockglue.c of the kernel.
    unless_unknown(set(socket, libc::IPPROTO_IP, libc::IP_UNICAST_IF, &index.to_be()))
}

/// What came of setting an option that can be done without, where the system does not know it: Linux before 4.20 one of these, and
/// what only resembles Linux, as qemu does, others.
fn unless_unknown(set: io::Result<()>) -> io::Result<()> {
    set.or_else(|error| if error.raw_os_error() == Some(libc::ENOPROTOOPT) { Ok(()) } else { Err(error) })
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
    let values: [u32; 9] = get(socket.as_raw_fd(), libc::SOL_SOCKET, libc::SO_MEMINFO)?;
    Ok(values[SK_MEMINFO_DROPS])
}

/// Reads a socket option that is a number, or an array of numbers.
pub(super) fn get<T: Copy + Default>(socket: RawFd, level: libc::c_int, name: libc::c_int) -> io::Result<T> {
    let mut value = T::default();
    let mut length = mem::size_of::<T>() as libc::socklen_t;
    // SAFETY: `value` has room for `length` bytes, and the kernel writes no more than that, which any number is.
    let result = unsafe { libc::getsockopt(socket, level, name, (&raw mut value).cast(), &raw mut length) };
    if result == 0 { Ok(value) } else { Err(io::Error::last_os_error()) }
}
