//! Socket options that socket2 does not have.

use std::io;
use std::mem;
use std::net::Ipv4Addr;
use std::os::fd::AsRawFd;

use socket2::Socket;

use crate::net::InterfaceIndex;

/// Asks for packet info with each datagram and for no group but the socket's own.
pub(in crate::net) fn prepare_listening(socket: &Socket) -> io::Result<()> {
    let on: libc::c_int = 1;
    set(socket, libc::IPPROTO_IP, libc::IP_PKTINFO, &on)?;
    socket.set_multicast_all_v4(false)
}

/// Sends multicast by the interface with this index. By address alone, two interfaces that share one (a
/// bridge and its port) could not be told apart.
pub(in crate::net) fn set_multicast_interface(
    socket: &Socket,
    interface: InterfaceIndex,
    address: Ipv4Addr,
) -> io::Result<()> {
    let request = libc::ip_mreqn {
        imr_multiaddr: libc::in_addr { s_addr: 0 },
        imr_address: libc::in_addr { s_addr: address.to_bits().to_be() },
        imr_ifindex: libc::c_int::try_from(interface.0).map_err(|_| io::ErrorKind::InvalidInput)?,
    };
    set(socket, libc::IPPROTO_IP, libc::IP_MULTICAST_IF, &request)
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
