//! Reads datagrams in batches with recvmmsg(2), each with its packet info (IP_PKTINFO of ip(7),
//! IPV6_PKTINFO of ipv6(7)).

use std::io;
use std::mem;
use std::os::fd::AsRawFd;
use std::ptr;

use crate::net::faults::{self, Call};
use crate::net::unix::{Control, packet_info, sender};
use crate::net::{BATCH, Datagram, SLOT, Watched};

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
        let mut datagrams = Self {
            slots: vec![0; BATCH * SLOT].into_boxed_slice(),
            // SAFETY: all zeros is a valid value of these plain C structures.
            sources: vec![unsafe { mem::zeroed() }; BATCH].into_boxed_slice(),
            controls: vec![Control::EMPTY; BATCH].into_boxed_slice(),
            // SAFETY: as above.
            vectors: vec![unsafe { mem::zeroed() }; BATCH].into_boxed_slice(),
            // SAFETY: as above.
            headers: vec![unsafe { mem::zeroed() }; BATCH].into_boxed_slice(),
            received: 0,
        };
        datagrams.prepare(BATCH);
        datagrams
    }
}

impl Datagrams {
    /// Reads what waits at `socket`, at most one batch, in place of what was read before. Nothing waiting
    /// is an empty batch, not an error.
    pub fn receive(&mut self, socket: &impl Watched) -> io::Result<()> {
        // One more than were filled: what an error has left behind.
        self.prepare(BATCH.min(self.received + 1));
        self.received = 0;
        match faults::at(Call::Receive, None).and_then(|()| self.receive_batch(socket)) {
            Ok(received) => {
                self.received = received;
                Ok(())
            }
            Err(error) => match error.kind() {
                io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted => Ok(()),
                _ => Err(error),
            },
        }
    }

    /// Gives how many were received.
    fn receive_batch(&mut self, socket: &impl Watched) -> io::Result<usize> {
        // SAFETY: `prepare` has made every header point to memory of this struct that nothing else
        // borrows during the call, with its true size.
        let received = unsafe {
            libc::recvmmsg(
                socket.socket().as_raw_fd(),
                self.headers.as_mut_ptr(),
                BATCH as libc::c_uint,
                libc::MSG_DONTWAIT as _, // unsigned in musl
                ptr::null_mut(),
            )
        };
        usize::try_from(received).map_err(|_| io::Error::last_os_error())
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
                source: sender(&self.sources[i]),
                destination,
                interface,
            })
        })
    }

    /// Points as many headers to their slots; the kernel overwrites the lengths of those that it has filled.
    fn prepare(&mut self, headers: usize) {
        for i in 0..headers {
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
