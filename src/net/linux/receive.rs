//! Reads datagrams in batches with recvmmsg(2), each with its packet info (ip(7), IP_PKTINFO).

use std::io;
use std::mem;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
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
    sources: Box<[libc::sockaddr_in]>,
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
            let info = unsafe { packet_info(&header.msg_hdr) }?;
            let source = &self.sources[i];
            let start = i * SLOT;
            Some(Datagram {
                payload: &self.slots[start..start + header.msg_len as usize],
                source: SocketAddr::from((address(source.sin_addr), u16::from_be(source.sin_port))),
                destination: IpAddr::V4(address(info.ipi_addr)),
                interface: InterfaceIndex(info.ipi_ifindex.cast_unsigned()),
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
            header.msg_namelen = mem::size_of::<libc::sockaddr_in>() as libc::socklen_t;
            header.msg_iov = &raw mut self.vectors[i];
            header.msg_iovlen = 1;
            header.msg_control = (&raw mut self.controls[i]).cast();
            header.msg_controllen = mem::size_of::<Control>() as _;
            header.msg_flags = 0;
        }
    }
}

fn address(address: libc::in_addr) -> Ipv4Addr {
    Ipv4Addr::from(u32::from_be(address.s_addr))
}

/// Finds IP_PKTINFO among the control messages.
///
/// # Safety
/// `header` was filled by recvmmsg and its control memory is still valid.
unsafe fn packet_info(header: &libc::msghdr) -> Option<libc::in_pktinfo> {
    // SAFETY: the CMSG functions walk the control memory within msg_controllen.
    unsafe {
        let mut message = libc::CMSG_FIRSTHDR(header);
        while let Some(control) = message.as_ref() {
            if control.cmsg_level == libc::IPPROTO_IP && control.cmsg_type == libc::IP_PKTINFO {
                return Some(ptr::read_unaligned(libc::CMSG_DATA(control).cast()));
            }
            message = libc::CMSG_NXTHDR(header, control);
        }
    }
    None
}
