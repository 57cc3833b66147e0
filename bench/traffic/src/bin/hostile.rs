//! Sends what no honest program sends, to those who discover: many kinds of floods, from addresses that it does not have. For a
//! network of its own: it needs the right to speak for any address (CAP_NET_ADMIN, and CAP_NET_RAW for fragments).
//!
//! `hostile <address> <group> <port> <flood> <per second> <count> <seed>`: from the interface with this address; with 0 per
//! second as fast as it goes. Prints the seconds it took. Another seed has somebody new be others. The floods:
//!
//! - `ids`: always somebody new
//! - `sources`: always somebody new, from an address of its own
//! - `addresses`: one peer, always from another address
//! - `goodbyes`: always somebody new, from an address of its own, who goes at once
//! - `asks`: a hundred peers, at the hundred addresses after this one, who ask to be answered
//! - `huge`: always somebody new, from an address of its own, with as much data as there is, which takes much memory when parsed
//! - `changes`: a hundred peers, at the hundred addresses after this one, which announce as much each time, and never the same
//! - `tiny`: datagrams of up to two bytes
//! - `fragments`: the first fragments of datagrams whose rest never comes
//! - `mix`: what is heard of others, repeated, cut and changed, with forged goodbyes and restarts of theirs and with strangers

use std::error::Error;
use std::io;
use std::net::{Ipv4Addr, UdpSocket};

use socket2::{Domain, Protocol, Socket, Type};
use traffic::{BATCH, Control, arguments, at_rate, destination, go_from, headers, parse, send_all};

/// What is announced is at most this long, with room for what stands around it.
const HUGE: usize = 65_000;

/// How many datagrams of others are kept to be changed.
const KEPT: usize = 64;

/// One datagram, and from where it is sent.
struct Datagram {
    source: Ipv4Addr,
    bytes: Vec<u8>,
}

/// What makes up a flood.
struct Hostile {
    flood: String,
    address: Ipv4Addr,
    group: Ipv4Addr,
    port: u16,
    seed: u64,
    chance: Chance,
    /// What `huge` and `changes` announce.
    data: String,
    /// What `mix` has heard of others, and where.
    heard: Vec<Vec<u8>>,
    ears: Option<UdpSocket>,
}

fn main() -> Result<(), Box<dyn Error>> {
    let [address, group, port, flood, rate, count, seed] =
        arguments("hostile <address> <group> <port> <flood> <per second> <count> <seed>")?;
    let address: Ipv4Addr = parse(&address)?;
    let (group, port) = (parse(&group)?, parse(&port)?);
    let to = destination(group, port);
    let is_raw = flood == "fragments";
    let socket = if is_raw {
        Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::from(libc::IPPROTO_RAW)))?
    } else {
        let socket = Socket::new(Domain::IPV4, Type::DGRAM, None)?;
        socket.set_ip_transparent_v4(true)?;
        socket
    };
    socket.set_multicast_if_v4(&address)?;
    let ears = if flood == "mix" {
        // It is to hear others, not itself.
        socket.set_multicast_loop_v4(false)?;
        Some(listen(address, group, port)?)
    } else {
        None
    };
    let socket: UdpSocket = socket.into();
    let data = format!(r#","data":[{}0]"#, "{},".repeat(HUGE / 3));
    let seed = parse(&seed)?;
    let chance = Chance(seed);
    let mut hostile = Hostile { flood, address, group, port, seed, chance, data, heard: Vec::new(), ears };
    at_rate(parse(&rate)?, parse(&count)?, |next, due| {
        hostile.hear();
        let mut batch = (next..).take(due).map(|i| hostile.datagram(i)).collect::<Result<Vec<_>, _>>()?;
        let mut vectors: Vec<_> = batch
            .iter_mut()
            .map(|Datagram { bytes, .. }| libc::iovec {
                iov_base: bytes.as_mut_ptr().cast(),
                iov_len: bytes.len(),
            })
            .collect();
        // SAFETY: the datagrams and vectors stay where they are until all is sent.
        let mut headers = unsafe { headers(&mut vectors, Some(&to)) };
        let mut controls = [Control::default(); BATCH];
        if !is_raw {
            for ((header, control), datagram) in headers.iter_mut().zip(&mut controls).zip(&batch) {
                go_from(&mut header.msg_hdr, control, datagram.source);
            }
        }
        // SAFETY: so do the controls.
        match unsafe { send_all(&socket, &mut headers) } {
            // The queue of the interface is full.
            Err(error) if error.raw_os_error() == Some(libc::ENOBUFS) => Ok(0),
            sent => Ok(sent?),
        }
    })
}

/// Hears the group beside those who discover.
fn listen(address: Ipv4Addr, group: Ipv4Addr, port: u16) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, None)?;
    socket.set_reuse_address(true)?;
    socket.bind(&std::net::SocketAddrV4::new(group, port).into())?;
    socket.join_multicast_v4(&group, &address)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

impl Hostile {
    /// The next datagram, the `i`th.
    fn datagram(&mut self, i: u32) -> Result<Datagram, Box<dyn Error>> {
        let own = self.address;
        let id = self.somebody(i);
        let (source, bytes) = match &*self.flood {
            "ids" => (own, announcement(&id, 1, "", "")),
            "sources" => (self.anybody(), announcement(&id, 1, "", "")),
            "addresses" => (self.anybody(), announcement("hostile", i.into(), "", "")),
            "goodbyes" => {
                let bye = if i.is_multiple_of(2) { "" } else { r#","bye":true"# };
                let id = self.somebody(i / 2);
                (self.anybody(), announcement(&id, 1 + u64::from(i % 2), bye, ""))
            }
            "asks" => {
                let who = i % 100;
                let asks = announcement(&format!("hostile-{who}"), i.into(), r#","ask":true"#, "");
                (Ipv4Addr::from_bits(own.to_bits() + 1 + who), asks)
            }
            "huge" => (self.anybody(), announcement(&id, 1, "", &self.data)),
            "changes" => {
                let who = i % 100;
                let data = format!(r#"{},"i":{i}"#, self.data);
                let changes = announcement(&format!("hostile-{who}"), i.into(), "", &data);
                (Ipv4Addr::from_bits(own.to_bits() + 1 + who), changes)
            }
            "tiny" => {
                let length = self.chance.below(3);
                (own, (0..length).map(|_| self.chance.byte()).collect())
            }
            "fragments" => (own, self.fragment(i)),
            "mix" => self.mixed(i),
            other => return Err(format!("there is no flood {other}").into()),
        };
        Ok(Datagram { source, bytes })
    }

    /// The id of somebody new, the `i`th.
    fn somebody(&self, i: u32) -> String {
        format!("hostile-{}-{i}", self.seed)
    }

    /// An address that somebody may have.
    fn anybody(&mut self) -> Ipv4Addr {
        Ipv4Addr::from_bits(0x0a00_0000 | self.chance.next() as u32 & 0x00ff_ffff)
    }

    /// The first fragment of a datagram, with its IP header; the kernel puts in checksum and total length.
    fn fragment(&mut self, i: u32) -> Vec<u8> {
        const MORE: u16 = 0x2000;
        let mut bytes = vec![0; 20 + 1480];
        bytes[0] = 0x45;
        bytes[4..6].copy_from_slice(&(i as u16).to_be_bytes());
        bytes[6..8].copy_from_slice(&MORE.to_be_bytes());
        bytes[8] = 1;
        bytes[9] = libc::IPPROTO_UDP as u8;
        bytes[12..16].copy_from_slice(&self.anybody().octets());
        bytes[16..20].copy_from_slice(&self.group.octets());
        bytes[20..22].copy_from_slice(&5000_u16.to_be_bytes());
        bytes[22..24].copy_from_slice(&self.port.to_be_bytes());
        bytes[24..26].copy_from_slice(&60_000_u16.to_be_bytes());
        bytes
    }

    /// Notes what others say.
    fn hear(&mut self) {
        let Some(ears) = &self.ears else { return };
        let mut datagram = [0; 65_536];
        while let Ok(length) = ears.recv(&mut datagram) {
            if length == 0 {
                continue;
            }
            if self.heard.len() == KEPT {
                self.heard.swap_remove(self.chance.below(KEPT));
            }
            self.heard.push(datagram[..length].to_vec());
        }
    }

    fn mixed(&mut self, i: u32) -> (Ipv4Addr, Vec<u8>) {
        let source = if self.chance.below(2) == 0 { self.address } else { self.anybody() };
        let kinds = if self.heard.is_empty() { 1 } else { 6 };
        let kind = self.chance.below(kinds);
        let mut bytes = match kind {
            0 => announcement(&self.somebody(i), 1, "", ""),
            _ => self.heard[self.chance.below(self.heard.len())].clone(),
        };
        match kind {
            // Bytes changed, or some of them gone, or all as it was.
            1 => {
                for _ in 0..=self.chance.below(3) {
                    let at = self.chance.below(bytes.len());
                    bytes[at] = self.chance.byte();
                }
            }
            2 => bytes.truncate(self.chance.below(bytes.len())),
            // The beginning of one and the end of another.
            3 => {
                let other = &self.heard[self.chance.below(self.heard.len())];
                let at = self.chance.below(bytes.len().min(other.len()));
                bytes.truncate(at);
                bytes.extend_from_slice(&other[at..]);
            }
            // In somebody's name, if it can be read: a goodbye, or a restart.
            4 => {
                let text = String::from_utf8_lossy(&bytes);
                let id = text.split_once(r#""id":""#).and_then(|(_, rest)| rest.split_once('"'));
                let id = id.map_or("somebody", |(id, _)| id);
                let bye = if self.chance.below(2) == 0 { r#","bye":true"# } else { "" };
                bytes = announcement(id, self.chance.next() >> 12, bye, "");
            }
            _ => {}
        }
        (source, bytes)
    }
}

/// An announcement as docs/protocol.md has it, of a peer that stays for long; with further fields, and data.
fn announcement(id: &str, seq: u64, fields: &str, data: &str) -> Vec<u8> {
    format!(
        r#"{{"lan-peers":{{"v":1,"id":"{id}","boot":1,"seq":{seq},"every":600000,"n":1{fields}}}{data}}}"#
    )
    .into_bytes()
}

/// Chance that is the same for the same seed: splitmix64.
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    fn byte(&mut self) -> u8 {
        self.next() as u8
    }
}
