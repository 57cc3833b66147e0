//! Says when the datagrams of a group come.
//!
//! `arrivals <address> <group> <seconds>`: on the interface with this address, for so long from the first on. Prints its
//! port, and then when each has come, in milliseconds since the first. Both are a line of JSON.

use std::error::Error;
use std::io;
use std::time::{Duration, Instant};

use traffic::{arguments, hear, parse};

fn main() -> Result<(), Box<dyn Error>> {
    let [address, group, seconds] = arguments("arrivals <address> <group> <seconds>")?;
    let time = Duration::from_secs(parse(&seconds)?);
    let socket = hear(parse(&address)?, parse(&group)?, Duration::from_secs(20))?;
    let mut payload = [0; 65_536];
    socket.recv(&mut payload)?;
    let first = Instant::now();
    let mut arrivals = vec![Duration::ZERO];
    while let Some(left) = time.checked_sub(first.elapsed()).filter(|left| !left.is_zero()) {
        socket.set_read_timeout(Some(left))?;
        match socket.recv(&mut payload) {
            Ok(_) => arrivals.push(first.elapsed()),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
            Err(error) => return Err(error.into()),
        }
    }
    let milliseconds: Vec<_> =
        arrivals.iter().map(|at| format!("{:.3}", at.as_secs_f64() * 1000.0)).collect();
    println!("[{}]", milliseconds.join(","));
    Ok(())
}
