//! What the native programs of the tests and the bench have in common. Linux only.
//!
//! - `traffic` sends datagrams at an exact rate
//! - `bare` hears them with nothing but recvmmsg(2): what the least is that hearing costs
//! - `arrivals` says when datagrams have come

use std::error::Error;
use std::io;
use std::net::{Ipv4Addr, SocketAddrV4, UdpSocket};
use std::str::FromStr;
use std::time::Duration;

use socket2::SockRef;

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
        let mut header: libc::mmsghdr = unsafe { std::mem::zeroed() };
        header.msg_hdr.msg_iov = vector;
        header.msg_hdr.msg_iovlen = 1;
        if let Some(name) = name {
            header.msg_hdr.msg_name = std::ptr::from_ref(name).cast_mut().cast();
            header.msg_hdr.msg_namelen = size_of::<libc::sockaddr_in>() as libc::socklen_t;
        }
        header
    };
    vectors.iter_mut().map(header).collect()
}
