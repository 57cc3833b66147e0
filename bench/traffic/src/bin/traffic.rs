//! Sends datagrams to a group at an exact rate, with nothing in the way.
//!
//! `traffic <address> <group> <port> <bytes> <per second> <count>`: from the interface with this address; with
//! 0 per second as fast as it goes. Each payload begins with its number, from 0, in eight digits, if there is room; and
//! with a blank and the time when it was sent, as `process.hrtime.bigint()` has it, in nineteen, if there is room for
//! that, too. Prints the seconds it took.

use std::error::Error;
use std::io::Write;
use std::net::{Ipv4Addr, UdpSocket};
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};
use std::{io, thread};

use socket2::SockRef;
use traffic::{arguments, headers, monotonic_nanoseconds, parse};

/// The most datagrams in one system call.
const BATCH: usize = 64;

const NUMBER: usize = 8;
const NUMBER_AND_TIME: usize = 28;

fn main() -> Result<(), Box<dyn Error>> {
    let [address, group, port, bytes, rate, count] =
        arguments("traffic <address> <group> <port> <bytes> <per second> <count>")?;
    let address: Ipv4Addr = parse(&address)?;
    let group: Ipv4Addr = parse(&group)?;
    let port: u16 = parse(&port)?;
    let bytes: usize = parse(&bytes)?;
    let rate: f64 = parse(&rate)?;
    let count: u32 = parse(&count)?;

    let socket = UdpSocket::bind((address, 0))?;
    SockRef::from(&socket).set_multicast_if_v4(&address)?;
    let to = libc::sockaddr_in {
        sin_family: libc::AF_INET as libc::sa_family_t,
        sin_port: port.to_be(),
        sin_addr: libc::in_addr { s_addr: u32::from(group).to_be() },
        sin_zero: [0; 8],
    };
    let mut payloads = vec![vec![b'.'; bytes]; BATCH];
    let mut vectors: Vec<_> = payloads
        .iter_mut()
        .map(|payload| libc::iovec { iov_base: payload.as_mut_ptr().cast(), iov_len: payload.len() })
        .collect();
    // SAFETY: payloads and vectors stay where they are, and the payloads are written to between calls only.
    let mut headers = unsafe { headers(&mut vectors, Some(&to)) };

    let start = Instant::now();
    let mut sent = 0;
    while sent < count {
        // What is due by now, in one go; then a wait that is shorter than the scheduler's own error.
        let due = match rate {
            0.0 => count,
            rate => ((start.elapsed().as_secs_f64() * rate) as u32 + 1).min(count),
        };
        while sent < due {
            let batch = ((due - sent) as usize).min(BATCH);
            for (payload, number) in payloads.iter_mut().zip(sent..).take(batch) {
                label(payload, number)?;
            }
            // SAFETY: see above.
            let taken =
                unsafe { libc::sendmmsg(socket.as_raw_fd(), headers.as_mut_ptr(), batch as libc::c_uint, 0) };
            sent += u32::try_from(taken).map_err(|_| io::Error::last_os_error())?;
        }
        thread::sleep(Duration::from_micros(50));
    }
    println!("{:.3}", start.elapsed().as_secs_f64());
    Ok(())
}

/// Writes number and time into a payload, as far as they fit.
fn label(payload: &mut [u8], number: u32) -> io::Result<()> {
    if payload.len() >= NUMBER_AND_TIME {
        write!(&mut *payload, "{number:08} {:019}", monotonic_nanoseconds())
    } else if payload.len() >= NUMBER {
        write!(&mut *payload, "{number:08}")
    } else {
        Ok(())
    }
}
