//! What recvmsg(2) says of a datagram beside the payload.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};
use std::ptr;

use crate::net::InterfaceIndex;

/// Room for the packet info of one datagram.
#[repr(C, align(8))]
#[derive(Clone, Copy)]
pub(in crate::net) struct Control([u8; 64]);

impl Control {
    /// Nothing yet.
    pub(in crate::net) const EMPTY: Self = Self([0; 64]);
}

/// The sender, with the interface it came in on if the address is of one link only.
pub(in crate::net) fn sender(source: &libc::sockaddr_in6) -> SocketAddr {
    if libc::c_int::from(source.sin6_family) == libc::AF_INET {
        // SAFETY: the kernel has written a sockaddr_in here, which is no larger and no stricter aligned.
        let source = unsafe { &*ptr::from_ref(source).cast::<libc::sockaddr_in>() };
        return SocketAddr::from((v4(source.sin_addr), u16::from_be(source.sin_port)));
    }
    let port = u16::from_be(source.sin6_port);
    SocketAddrV6::new(v6(source.sin6_addr), port, 0, source.sin6_scope_id).into()
}

fn v4(address: libc::in_addr) -> Ipv4Addr {
    Ipv4Addr::from_bits(u32::from_be(address.s_addr))
}

fn v6(address: libc::in6_addr) -> Ipv6Addr {
    Ipv6Addr::from(address.s6_addr)
}

/// Finds the destination and the arrival interface among the control messages.
///
/// # Safety
/// `header` was filled by recvmsg or recvmmsg and its control memory is still valid.
pub(in crate::net) unsafe fn packet_info(header: &libc::msghdr) -> Option<(IpAddr, InterfaceIndex)> {
    // SAFETY: the CMSG functions walk the control memory within msg_controllen, and each type of message
    // carries the structure read for it.
    unsafe {
        let mut message = libc::CMSG_FIRSTHDR(header);
        while let Some(control) = message.as_ref() {
            match (control.cmsg_level, control.cmsg_type) {
                (libc::IPPROTO_IP, libc::IP_PKTINFO) => {
                    let info: libc::in_pktinfo = ptr::read_unaligned(libc::CMSG_DATA(control).cast());
                    let index = InterfaceIndex(info.ipi_ifindex as u32);
                    return Some((v4(info.ipi_addr).into(), index));
                }
                (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO) => {
                    let info: libc::in6_pktinfo = ptr::read_unaligned(libc::CMSG_DATA(control).cast());
                    return Some((v6(info.ipi6_addr).into(), InterfaceIndex(info.ipi6_ifindex)));
                }
                _ => message = libc::CMSG_NXTHDR(header, control),
            }
        }
    }
    None
}
