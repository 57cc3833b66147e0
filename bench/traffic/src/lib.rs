//! What the native programs of the tests and the bench have in common. Linux only.
//!
//! - `traffic` sends datagrams at an exact rate
//! - `peers` sends what many peers announce
//! - `hostile` sends what no honest program does
//! - `bare` hears them with nothing but recvmmsg(2): what the least is that hearing costs
//! - `arrivals` says when datagrams have come

use std::error::Error;
use std::net::{Ipv4Addr, SocketAddrV4, UdpSocket};
use std::os::fd::AsRawFd;
use std::str::FromStr;
use std::time::{Duration, Instant};
use std::{io, mem, ptr, thread};

use socket2::SockRef;

/// The most datagrams in one system call.
pub const BATCH: usize = 64;

/// The shortest wait: less than the scheduler's own error.
const WAIT: Duration = Duration::from_micros(50);

/// As much as lan-peers asks for.
const RECEIVE_BUFFER: usize = 4 * 1024 * 1024;

/// The arguments of this program, which has so many; without them it says what they are.
pub fn arguments<const N: usize>(usage: &str) -> Result<[String; N], Box<dyn Error>> {
    let given: Vec<String> = std::env::args().skip(1).collect();
    given.try_into().map_err(|_| usage.into())
}

/// Reads one argument.
pub fn parse<T: FromStr<Err: Error + 'static>>(argument: &str) -> Result<T, Box<dyn Error>> {
    argument.parse().map_err(|error| format!("{argument}: {error}").into())
}

/// A socket that hears a group on the interface with this address, on a port of its own, which it prints.
/// Reading ends with an error after `patience` without a datagram.
pub fn hear(address: Ipv4Addr, group: Ipv4Addr, patience: Duration) -> io::Result<UdpSocket> {
    let socket = UdpSocket::bind(SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 0))?;
    SockRef::from(&socket).set_recv_buffer_size(RECEIVE_BUFFER)?;
    socket.join_multicast_v4(&group, &address)?;
    socket.set_read_timeout(Some(patience))?;
    println!("{{\"port\":{}}}", socket.local_addr()?.port());
    Ok(socket)
}

/// A group and port, as system calls take it.
pub fn destination(group: Ipv4Addr, port: u16) -> libc::sockaddr_in {
    libc::sockaddr_in {
        sin_family: libc::AF_INET as libc::sa_family_t,
        sin_port: port.to_be(),
        sin_addr: libc::in_addr { s_addr: u32::from(group).to_be() },
        sin_zero: [0; 8],
    }
}

/// Has `send` send `count` in all, `rate` a second, or as fast as it goes if that is 0. It is told the number of the next one,
/// from 0, and how many are due, [`BATCH`] at most, and says how many it has sent. Prints the seconds it took.
pub fn at_rate(
    rate: f64,
    count: u32,
    mut send: impl FnMut(u32, usize) -> Result<u32, Box<dyn Error>>,
) -> Result<(), Box<dyn Error>> {
    let start = Instant::now();
    let mut sent = 0;
    while sent < count {
        // What is due by now, in one go.
        let due = match rate {
            0.0 => count,
            rate => ((start.elapsed().as_secs_f64() * rate) as u32 + 1).min(count),
        };
        while sent < due {
            sent += send(sent, ((due - sent) as usize).min(BATCH))?;
        }
        thread::sleep(WAIT);
    }
    println!("{:.3}", start.elapsed().as_secs_f64());
    Ok(())
}

/// Sends as many as there are headers; gives how many were sent.
///
/// # Safety
/// What the headers point to is as sendmmsg(2) wants it.
pub unsafe fn send_all(socket: &UdpSocket, headers: &mut [libc::mmsghdr]) -> io::Result<u32> {
    // SAFETY: the caller sees to it.
    let sent =
        unsafe { libc::sendmmsg(socket.as_raw_fd(), headers.as_mut_ptr(), headers.len() as libc::c_uint, 0) };
    u32::try_from(sent).map_err(|_| io::Error::last_os_error())
}

/// Now, by the clock that `process.hrtime` of Node has, too (CLOCK_MONOTONIC), in nanoseconds.
pub fn monotonic_nanoseconds() -> i64 {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `now` may be written to.
    let result = unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut now) };
    assert_eq!(result, 0, "Linux has this clock");
    now.tv_sec * 1_000_000_000 + now.tv_nsec
}

/// Headers for sendmmsg(2) or recvmmsg(2), one for each of `vectors`, to or from wherever.
///
/// # Safety
/// They point to the vectors: they may be used while those stay where they are and nobody else uses what they
/// point to.
pub unsafe fn headers(vectors: &mut [libc::iovec], name: Option<&libc::sockaddr_in>) -> Vec<libc::mmsghdr> {
    let header = |vector: &mut libc::iovec| {
        // SAFETY: all zeros is a value of it.
        let mut header: libc::mmsghdr = unsafe { mem::zeroed() };
        header.msg_hdr.msg_iov = vector;
        header.msg_hdr.msg_iovlen = 1;
        if let Some(name) = name {
            header.msg_hdr.msg_name = ptr::from_ref(name).cast_mut().cast();
            header.msg_hdr.msg_namelen = size_of::<libc::sockaddr_in>() as libc::socklen_t;
        }
        header
    };
    vectors.iter_mut().map(header).collect()
}

/// Room for one control message, which says from which address a datagram goes, aligned as it must be.
#[repr(C, align(8))]
#[derive(Clone, Copy, Default)]
pub struct Control([u8; 32]);

/// Has a datagram go out from this address (IP_PKTINFO, ip(7)).
pub fn go_from(header: &mut libc::msghdr, control: &mut Control, address: Ipv4Addr) {
    let info = libc::in_pktinfo {
        ipi_ifindex: 0,
        ipi_spec_dst: libc::in_addr { s_addr: u32::from(address).to_be() },
        ipi_addr: libc::in_addr { s_addr: 0 },
    };
    let length = size_of_val(&info) as libc::c_uint;
    header.msg_control = ptr::from_mut(control).cast();
    // SAFETY: CMSG_SPACE only reckons; the control message has its 32 bytes in `control`, which is aligned for its head.
    unsafe {
        header.msg_controllen = libc::CMSG_SPACE(length) as usize;
        assert!(header.msg_controllen <= size_of::<Control>());
        let message = libc::CMSG_FIRSTHDR(header);
        (*message).cmsg_level = libc::IPPROTO_IP;
        (*message).cmsg_type = libc::IP_PKTINFO;
        (*message).cmsg_len = libc::CMSG_LEN(length) as usize;
        ptr::write_unaligned(libc::CMSG_DATA(message).cast(), info);
    }
}
