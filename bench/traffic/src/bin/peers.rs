//! Announces what many peers announce, one after another and again, each from an address of its own, at an exact rate.
//!
//! `peers <address> <group> <port> <file> <per second> <count>`: on the loopback interface, whose address this is; the peers
//! have those that follow it. The file holds what each peer announces, in hexadecimal, a line each; ten `#` in it stand
//! for a number that is one more with each announcement. Prints the seconds it took.

use std::error::Error;
use std::fs;
use std::net::{Ipv4Addr, UdpSocket};

use socket2::SockRef;
use traffic::{BATCH, Control, arguments, at_rate, destination, go_from, headers, parse, send_all};

/// In place of a number, which has as many digits from [`FIRST`] on.
const NUMBER: &[u8] = b"##########";
const FIRST: u32 = 1_000_000_000;

/// What one peer announces.
struct Announcement {
    bytes: Vec<u8>,
    /// Where its number begins, if it has one.
    number: Option<usize>,
}

fn main() -> Result<(), Box<dyn Error>> {
    let [address, group, port, file, rate, count] =
        arguments("peers <address> <group> <port> <file> <per second> <count>")?;
    let address: Ipv4Addr = parse(&address)?;
    let to = destination(parse(&group)?, parse(&port)?);
    let mut peers = fs::read_to_string(&file)?.lines().map(announcement).collect::<Result<Vec<_>, _>>()?;

    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
    SockRef::from(&socket).set_multicast_if_v4(&address)?;
    let mut controls = [Control::default(); BATCH];
    at_rate(parse(&rate)?, parse(&count)?, |next, due| {
        let count = peers.len();
        let first = next as usize % count;
        let round = FIRST + next / count as u32;
        // Those of one round at a time.
        let batch = &mut peers[first..count.min(first + due)];
        let mut vectors = Vec::with_capacity(batch.len());
        for Announcement { bytes, number } in batch.iter_mut() {
            if let Some(at) = *number {
                bytes[at..at + NUMBER.len()].copy_from_slice(round.to_string().as_bytes());
            }
            vectors.push(libc::iovec { iov_base: bytes.as_mut_ptr().cast(), iov_len: bytes.len() });
        }
        // SAFETY: the announcements and vectors stay where they are until all is sent.
        let mut headers = unsafe { headers(&mut vectors, Some(&to)) };
        for ((header, control), peer) in headers.iter_mut().zip(&mut controls).zip(first..) {
            go_from(&mut header.msg_hdr, control, Ipv4Addr::from_bits(address.to_bits() + 1 + peer as u32));
        }
        // SAFETY: so do the controls.
        Ok(unsafe { send_all(&socket, &mut headers) }?)
    })
}

/// Reads a line of the file.
fn announcement(line: &str) -> Result<Announcement, Box<dyn Error>> {
    let digits = line.as_bytes().chunks(2);
    let bytes = digits
        .map(|pair| Ok(u8::from_str_radix(str::from_utf8(pair)?, 16)?))
        .collect::<Result<Vec<_>, Box<dyn Error>>>()?;
    let number = bytes.windows(NUMBER.len()).position(|window| window == NUMBER);
    Ok(Announcement { bytes, number })
}
