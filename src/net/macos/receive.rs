//! Reads a datagram with its packet info (IP_PKTINFO of ip(4), IPV6_PKTINFO of ip6(4)). There is no recvmmsg.

use std::io;
use std::mem;
use std::os::fd::AsRawFd;

use socket2::Socket;

use crate::net::one_by_one::Arrival;
use crate::net::unix::{Control, packet_info, sender};

// What `ip_savecontrol` and `ip6_savecontrol_v4` of the kernel write, after headers that are aligned to 4 bytes.
const _: () = {
    assert!(libc::IP_PKTINFO == 26 && mem::size_of::<libc::in_pktinfo>() == 12);
    assert!(libc::IPV6_RECVPKTINFO == 61 && libc::IPV6_PKTINFO == 46);
    assert!(mem::size_of::<libc::in6_pktinfo>() == 20 && mem::size_of::<libc::cmsghdr>() == 12);
};

/// Reads a datagram into `slot`; `None` if it came without packet info.
///
/// # Errors
/// EAGAIN if nothing waits.
pub(in crate::net) fn receive(socket: &Socket, slot: &mut [u8]) -> io::Result<Option<Arrival>> {
    // SAFETY: all zeros is a valid value of this plain C structure.
    let mut source: libc::sockaddr_in6 = unsafe { mem::zeroed() };
    let mut control = Control::EMPTY;
    let mut vector = libc::iovec { iov_base: slot.as_mut_ptr().cast(), iov_len: slot.len() };
    let mut header = libc::msghdr {
        msg_name: (&raw mut source).cast(),
        msg_namelen: mem::size_of_val(&source) as libc::socklen_t,
        msg_iov: &raw mut vector,
        msg_iovlen: 1,
        msg_control: (&raw mut control).cast(),
        msg_controllen: mem::size_of_val(&control) as libc::socklen_t,
        msg_flags: 0,
    };
    // SAFETY: the header points to memory that lives and is not used otherwise during the call, with its true size.
    let received = unsafe { libc::recvmsg(socket.as_raw_fd(), &raw mut header, libc::MSG_DONTWAIT) };
    let Ok(length) = usize::try_from(received) else { return Err(io::Error::last_os_error()) };
    // SAFETY: the kernel has filled the header and the control memory that it points to.
    let info = unsafe { packet_info(&header) };
    let source = sender(&source);
    Ok(info.map(|(destination, interface)| Arrival { length, source, destination, interface }))
}
