//! Sends many datagrams with one call: UDP_SEGMENT of udp(7), which has the kernel, or the network card, cut one large
//! one up.

use std::io::{self, IoSlice};
use std::mem;
use std::net::SocketAddr;
use std::os::fd::AsRawFd;
use std::sync::OnceLock;

use socket2::{MsgHdr, Socket};

use super::options::get;
use crate::net::MAX_PAYLOAD;

/// UDP_MAX_SEGMENTS of linux/udp.h, as it was before it grew.
const SEGMENTS: usize = 64;

/// The longest that can be sent in one Ethernet frame: 1,500 bytes less 40 of IPv6 and 8 of UDP header. What takes
/// several cannot be sent so.
const LENGTH: usize = 1452;

/// See [`crate::net::most_together`].
pub(in crate::net) fn most_together(length: usize) -> usize {
    if (1..=LENGTH).contains(&length) { SEGMENTS.min(MAX_PAYLOAD / length) } else { 1 }
}

/// See [`crate::net::SendSocket::send_together`].
pub(in crate::net) fn send_together(
    socket: &Socket,
    payloads: &[IoSlice<'_>],
    to: SocketAddr,
) -> io::Result<()> {
    if !is_known(socket) {
        return Err(io::ErrorKind::Unsupported.into());
    }
    let control = control(payloads[0].len() as u16);
    let to = to.into();
    let message = MsgHdr::new().with_addr(&to).with_buffers(payloads).with_control(&control);
    match socket.sendmsg(&message, 0) {
        Ok(_) => Ok(()),
        Err(error) => Err(match error.raw_os_error() {
            // EIO: the interface has checksums made by the system. EINVAL, and EMSGSIZE of newer kernels: it carries less
            // than such a datagram.
            Some(libc::EIO | libc::EINVAL | libc::EMSGSIZE) => io::ErrorKind::Unsupported.into(),
            _ => error,
        }),
    }
}

/// Whether the kernel knows UDP_SEGMENT (Linux 4.18). An older one ignores the control message, and would send one
/// large datagram.
fn is_known(socket: &Socket) -> bool {
    static KNOWN: OnceLock<bool> = OnceLock::new();
    *KNOWN.get_or_init(|| get::<libc::c_int>(socket.as_raw_fd(), libc::SOL_UDP, libc::UDP_SEGMENT).is_ok())
}

/// The control message that says how long each datagram is: `struct cmsghdr` of cmsg(3), then the length, then what
/// aligns it.
fn control(length: u16) -> [u8; CONTROL] {
    let mut control = [0; CONTROL];
    let parts: [&[u8]; 4] = [
        &(HEADER + mem::size_of_val(&length)).to_ne_bytes(),
        &libc::SOL_UDP.to_ne_bytes(),
        &libc::UDP_SEGMENT.to_ne_bytes(),
        &length.to_ne_bytes(),
    ];
    let mut rest = &mut control[..];
    for part in parts {
        rest[..part.len()].copy_from_slice(part);
        rest = &mut rest[part.len()..];
    }
    control
}

const HEADER: usize = mem::size_of::<usize>() + 2 * mem::size_of::<libc::c_int>();
const CONTROL: usize = HEADER + mem::size_of::<usize>();
