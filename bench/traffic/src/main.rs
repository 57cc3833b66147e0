//! Sends datagrams to a group at an exact rate, with nothing in the way, for the tests and the bench.
//!
//! `traffic <address> <group> <port> <bytes> <per second> <count>`: from the interface with this address.
//! Each payload begins with its number, from 0, in eight digits, if there is room. Prints the seconds it took.

use std::net::{Ipv4Addr, UdpSocket};
use std::thread;
use std::time::{Duration, Instant};

use socket2::SockRef;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [address, group, port, bytes, rate, count] = arguments.as_slice() else {
        return Err("traffic <address> <group> <port> <bytes> <per second> <count>".into());
    };
    let address: Ipv4Addr = address.parse()?;
    let group: Ipv4Addr = group.parse()?;
    let port: u16 = port.parse()?;
    let rate: f64 = rate.parse()?;
    let count: u32 = count.parse()?;
    let mut payload = vec![b'.'; bytes.parse()?];

    let socket = UdpSocket::bind((address, 0))?;
    SockRef::from(&socket).set_multicast_if_v4(&address)?;
    let start = Instant::now();
    let mut sent = 0;
    while sent < count {
        // What is due by now, in one go; then a wait that is shorter than the scheduler's own error.
        let due = ((start.elapsed().as_secs_f64() * rate) as u32 + 1).min(count);
        while sent < due {
            if let Some(number) = payload.get_mut(..8) {
                number.copy_from_slice(format!("{sent:08}").as_bytes());
            }
            socket.send_to(&payload, (group, port))?;
            sent += 1;
        }
        thread::sleep(Duration::from_micros(50));
    }
    println!("{:.3}", start.elapsed().as_secs_f64());
    Ok(())
}
