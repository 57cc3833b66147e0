//! Socket options that socket2 does not have.

use std::io;
use std::mem;
use std::net::{IpAddr, Ipv4Addr};

use socket2::{SockAddr, Socket};

use crate::net::unix::{self, join_group, leave_group, set};
use crate::net::{Family, InterfaceIndex};

/// The kernel packs what is in netinet/in.h for RFC 3678 to 4 bytes, and refuses less than it expects.
const _: () = {
    assert!(mem::size_of::<libc::group_req>() == 132);
    assert!(mem::offset_of!(libc::group_req, gr_group) == 4);
    assert!(mem::size_of::<libc::group_source_req>() == 260);
    assert!(mem::offset_of!(libc::group_source_req, gsr_source) == 132);
    // By its size the kernel tells it from an address.
    assert!(mem::size_of::<libc::ip_mreqn>() == 12);
};

/// The smallest send buffer in bytes that lets the largest datagram pass: the kernel refuses what is longer than
/// the buffer, which begins with 9,216 (`net.inet.udp.maxdgram`).
const SEND_BUFFER: usize = 64 << 10;

/// The smallest receive buffer in bytes that is asked for: less than the system gives unasked.
const SMALLEST_RECEIVE_BUFFER: usize = 256 << 10;

/// There is nothing to keep from a socket: the kernel delivers only the groups that it has joined. It makes exceptions,
/// of 224.0.0.1 (`udp_input`), and of IPv6 sockets that have joined nothing (`udp6_input`); what comes of these is for
/// none of our members.
pub(in crate::net) fn hear_own_groups_only(_socket: &Socket, _family: Family) -> io::Result<()> {
    Ok(())
}

/// Lets other sockets have the same port (SO_REUSEADDR and SO_REUSEPORT): bound to every address, those that set the
/// latter, as libuv does here for `reuseAddr`; bound to a group, those that set either (`in_pcbbind`).
pub(in crate::net) fn share_port(socket: &Socket) -> io::Result<()> {
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(true)
}

/// Binds a socket to a port that it shares.
pub(in crate::net) fn bind_shared(socket: &Socket, to: &SockAddr) -> Result<(), (&'static str, io::Error)> {
    share_port(socket).map_err(|error| ("setsockopt", error))?;
    socket.bind(to).map_err(|error| ("bind", error))
}

/// Joins an IPv4 group on an interface. Not by IP_ADD_MEMBERSHIP: of its `ip_mreqn` the kernel reads no more than the
/// addresses (`inp_join_group`), and joins on the interface of the route to the group, whatever the index says.
pub(in crate::net) fn join_v4(socket: &Socket, group: Ipv4Addr, interface: InterfaceIndex) -> io::Result<()> {
    join_group(socket, group, interface)
}

/// Leaves an IPv4 group on an interface.
pub(in crate::net) fn leave_v4(
    socket: &Socket,
    group: Ipv4Addr,
    interface: InterfaceIndex,
) -> io::Result<()> {
    leave_group(socket, group, interface)
}

/// As on any Unix. But here an interface that comes back, such as a USB adapter, is the same one with the same index, and
/// sockets are still members there, though they could not be told so, nor leave, while it was away. To join what is
/// joined is refused with EADDRNOTAVAIL, of one source; of a group it is EADDRINUSE.
pub(in crate::net) fn join_source(
    socket: &Socket,
    group: Ipv4Addr,
    source: Ipv4Addr,
    interface: InterfaceIndex,
) -> io::Result<()> {
    match unix::join_source(socket, group, source, interface) {
        Err(error)
            if error.raw_os_error() == Some(libc::EADDRNOTAVAIL)
                && unix::leave_source(socket, group, source, interface).is_ok() =>
        {
            unix::join_source(socket, group, source, interface)
        }
        result => result,
    }
}

/// Makes room for large datagrams (SO_SNDBUF).
pub(in crate::net) fn prepare_sending(socket: &Socket) -> io::Result<()> {
    if socket.send_buffer_size()? < SEND_BUFFER {
        socket.set_send_buffer_size(SEND_BUFFER)?;
    }
    Ok(())
}

/// Whether a socket that sends to a group from this address must have joined it: never.
pub(in crate::net) fn must_join_to_send(_from: IpAddr) -> bool {
    false
}

/// Sends broadcast by the interface with this index (IP_BOUND_IF).
pub(in crate::net) fn route_by_interface(socket: &Socket, index: libc::c_int) -> io::Result<()> {
    set(socket, libc::IPPROTO_IP, libc::IP_BOUND_IF, &index)
}

/// Asks for SO_RCVBUF. What is more than `kern.ipc.maxsockbuf` allows is refused with ENOBUFS rather than cut, so
/// half of it is asked for then, until it is granted.
pub(in crate::net) fn set_receive_buffer(socket: &Socket, bytes: usize) -> io::Result<()> {
    let mut bytes = bytes;
    loop {
        match socket.set_recv_buffer_size(bytes) {
            Err(error) if error.raw_os_error() == Some(libc::ENOBUFS) && bytes > SMALLEST_RECEIVE_BUFFER => {
                bytes /= 2;
            }
            result => return result,
        }
    }
}

/// The kernel does not count what it drops by socket.
pub(in crate::net) fn drops(_socket: &Socket) -> io::Result<u32> {
    Err(io::ErrorKind::Unsupported.into())
}
