//! Sends datagrams to a group at an exact rate, with nothing in the way.
//!
//! `traffic <address> <group> <port> <bytes> <per second> <count>`: from the interface with this address; with
//! 0 per second as fast as it goes. Each payload begins with its number, from 0, in eight digits, if there is room; and
//! with a blank and the time when it was sent, as `process.hrtime.bigint()` has it, in nineteen, if there is room for
//! that, too. Prints the seconds it took.

use std::error::Error;
use std::io::{self, Write};
use std::net::{Ipv4Addr, UdpSocket};

use socket2::SockRef;
use traffic::{BATCH, arguments, at_rate, destination, headers, monotonic_nanoseconds, parse, send_all};

const NUMBER: usize = 8;
const NUMBER_AND_TIME: usize = 28;

fn main() -> Result<(), Box<dyn Error>> {
    let [address, group, port, bytes, rate, count] =
        arguments("traffic <address> <group> <port> <bytes> <per second> <count>")?;
    let address: Ipv4Addr = parse(&address)?;
    let to = destination(parse(&group)?, parse(&port)?);
    let bytes: usize = parse(&bytes)?;

    let socket = UdpSocket::bind((address, 0))?;
    SockRef::from(&socket).set_multicast_if_v4(&address)?;
    let mut payloads = vec![vec![b'.'; bytes]; BATCH];
    let mut vectors: Vec<_> = payloads
        .iter_mut()
        .map(|payload| libc::iovec { iov_base: payload.as_mut_ptr().cast(), iov_len: payload.len() })
        .collect();
    // SAFETY: payloads and vectors stay where they are, and the payloads are written to between calls only.
    let mut headers = unsafe { headers(&mut vectors, Some(&to)) };
    at_rate(parse(&rate)?, parse(&count)?, |next, due| {
        for (payload, number) in payloads.iter_mut().zip(next..).take(due) {
            label(payload, number)?;
        }
        // SAFETY: see above.
        Ok(unsafe { send_all(&socket, &mut headers[..due]) }?)
    })
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
