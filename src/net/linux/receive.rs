//! Reads datagrams in batches with recvmmsg(2), each with its packet info (IP_PKTINFO of ip(7),
//! IPV6_PKTINFO of ipv6(7)).

use std::io;
use std::mem;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};
use std::os::fd::{AsFd, AsRawFd};
use std::ptr;

use crate::net::{Datagram, InterfaceIndex};

/// The most datagrams that one call reads, so that a flood at one socket leaves the others their turn.
const BATCH: usize = 64;

/// More than the largest UDP payload, so nothing is ever cut. Pages that no datagram reaches cost nothing:
/// the memory is zeroed by the kernel at first touch.
const SLOT: usize = 65_536;

/// Room for the packet info of one datagram.
#[repr(C, align(8))]
#[derive(Clone, Copy)]
struct Control([u8; 64]);

/// The receive buffer, and the datagrams of the last batch in it.
pub struct Datagrams {
    slots: Box<[u8]>,
    /// Each is a sockaddr_in if its family says so; that is the smaller one.
    sources: Box<[libc::sockaddr_in6]>,
    controls: Box<[Control]>,
    vectors: Box<[libc::iovec]>,
    headers: Box<[libc::mmsghdr]>,
    received: usize,
}

impl Default for Datagrams {
    fn default() -> Self {
        Self {
            slots: vec![0; BATCH * SLOT].into_boxed_slice(),
            // SAFETY: all zeros is a valid value of these plain C structures.
            sources: vec![unsafe { mem::zeroed() }; BATCH].into_boxed_slice(),
            controls: vec![Control([0; 64]); BATCH].into_boxed_slice(),
            // SAFETY: as above.
            vectors: vec![unsafe { mem::zeroed() }; BATCH].into_boxed_slice(),
            // SAFETY: as above.
            headers: vec![unsafe { mem::zeroed() }; BATCH].into_boxed_slice(),
            received: 0,
        }
    }
}

impl Datagrams {
    /// Reads what waits at `socket`, at most one batch, in place of what was read before. Nothing waiting
    /// is an empty batch, not an error.
    pub fn receive(&mut self, socket: &impl AsFd) -> io::Result<()> {
        self.received = 0;
        self.prepare();
        // SAFETY: `prepare` has made every header point to memory of this struct that nothing else
        // borrows during the call, with its true size.
        let received = unsafe {
            libc::recvmmsg(
                socket.as_fd().as_raw_fd(),
                self.headers.as_mut_ptr(),
                BATCH as libc::c_uint,
                libc::MSG_DONTWAIT,
                ptr::null_mut(),
            )
        };
        if let Ok(received) = usize::try_from(received) {
            self.received = received;
            return Ok(());
        }
        let error = io::Error::last_os_error();
        match error.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted => Ok(()),
            _ => Err(error),
        }
    }

    /// How many datagrams the last batch holds.
    pub fn len(&self) -> usize {
        self.received
    }

    /// Whether the last batch holds nothing.
    pub fn is_empty(&self) -> bool {
        self.received == 0
    }

    /// Whether more may be waiting: the last batch was as large as a batch can be.
    pub fn is_full(&self) -> bool {
        self.received == BATCH
    }

    /// The datagrams of the last batch, less any that came without packet info.
    pub fn iter(&self) -> impl Iterator<Item = Datagram<'_>> {
        (0..self.received).filter_map(|i| {
            let header = &self.headers[i];
            // SAFETY: the kernel has filled the header and the control memory that it points to.
            let (destination, interface) = unsafe { packet_info(&header.msg_hdr) }?;
            let start = i * SLOT;
            Some(Datagram {
                payload: &self.slots[start..start + header.msg_len as usize],
                source: source(&self.sources[i]),
                destination,
                interface,
            })
        })
    }

    /// Points every header to its slot; the kernel overwrites the lengths with each batch.
    fn prepare(&mut self) {
        for i in 0..BATCH {
            self.vectors[i] =
                libc::iovec { iov_base: self.slots[i * SLOT..].as_mut_ptr().cast(), iov_len: SLOT };
            let header = &mut self.headers[i].msg_hdr;
            header.msg_name = (&raw mut self.sources[i]).cast();
            header.msg_namelen = mem::size_of::<libc::sockaddr_in6>() as libc::socklen_t;
            header.msg_iov = &raw mut self.vectors[i];
            header.msg_iovlen = 1;
            header.msg_control = (&raw mut self.controls[i]).cast();
            header.msg_controllen = mem::size_of::<Control>() as _;
            header.msg_flags = 0;
        }
    }
}

/// The sender, with the interface it came in on if the address is of one link only.
fn source(source: &libc::sockaddr_in6) -> SocketAddr {
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
/// `header` was filled by recvmmsg and its control memory is still valid.
unsafe fn packet_info(header: &libc::msghdr) -> Option<(IpAddr, InterfaceIndex)> {
    // SAFETY: the CMSG functions walk the control memory within msg_controllen, and each type of message
    // carries the structure read for it.
    unsafe {
        let mut message = libc::CMSG_FIRSTHDR(header);
        while let Some(control) = message.as_ref() {
            match (control.cmsg_level, control.cmsg_type) {
                (libc::IPPROTO_IP, libc::IP_PKTINFO) => {
                    let info: libc::in_pktinfo = ptr::read_unaligned(libc::CMSG_DATA(control).cast());
                    let index = InterfaceIndex(info.ipi_ifindex.cast_unsigned());
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
