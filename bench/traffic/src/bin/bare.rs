//! Hears a group with recvmmsg(2) alone, 64 at a time, each time as soon as one is there, and does nothing with it.
//!
//! `bare <address> <group> <count>`: on the interface with this address. Prints its port; and when it has heard as many,
//! or nothing for a second, what that has cost from the first on, in microseconds of the processor for each, and how
//! many have not come. Both are a line of JSON.

use std::error::Error;
use std::os::fd::AsRawFd;
use std::time::Duration;
use std::{io, mem, ptr};

use traffic::{arguments, headers, hear, parse};

const BATCH: usize = 64;
/// The largest datagram, as lan-peers has room for it.
const SLOT: usize = 65_536;

fn main() -> Result<(), Box<dyn Error>> {
    let [address, group, count] = arguments("bare <address> <group> <count>")?;
    let count: usize = parse(&count)?;
    // Until the first there is time.
    let socket = hear(parse(&address)?, parse(&group)?, Duration::from_secs(20))?;
    let mut slots = vec![0_u8; BATCH * SLOT];
    let mut vectors: Vec<_> = slots
        .chunks_exact_mut(SLOT)
        .map(|slot| libc::iovec { iov_base: slot.as_mut_ptr().cast(), iov_len: SLOT })
        .collect();
    // SAFETY: slots and vectors stay where they are, and nobody else uses them.
    let mut headers = unsafe { headers(&mut vectors, None) };
    let mut heard = 0;
    let mut before = 0.0;
    while heard < count {
        // SAFETY: see above.
        let received = unsafe {
            libc::recvmmsg(
                socket.as_raw_fd(),
                headers.as_mut_ptr(),
                BATCH as libc::c_uint,
                libc::MSG_WAITFORONE,
                ptr::null_mut(),
            )
        };
        let Ok(received) = usize::try_from(received) else {
            let error = io::Error::last_os_error();
            if error.kind() == io::ErrorKind::WouldBlock {
                break;
            }
            return Err(error.into());
        };
        if heard == 0 {
            before = processor_microseconds();
            socket.set_read_timeout(Some(Duration::from_secs(1)))?;
        }
        heard += received;
    }
    if heard == 0 {
        return Err("nothing came".into());
    }
    let cpu = (processor_microseconds() - before) / heard as f64;
    println!("{{\"cpu\":{cpu},\"lost\":{}}}", count.saturating_sub(heard));
    Ok(())
}

/// What this process has used of the processor, in microseconds.
fn processor_microseconds() -> f64 {
    // SAFETY: all zeros is a value of it, and it may be written to.
    let usage = unsafe {
        let mut usage: libc::rusage = mem::zeroed();
        let result = libc::getrusage(libc::RUSAGE_SELF, &raw mut usage);
        assert_eq!(result, 0, "a process may ask for its own");
        usage
    };
    let microseconds = |time: libc::timeval| time.tv_sec as f64 * 1e6 + time.tv_usec as f64;
    microseconds(usage.ru_utime) + microseconds(usage.ru_stime)
}
