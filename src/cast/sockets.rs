//! The sockets that casts leave by, shared by all that want the same, and the addresses that they give us.

use std::io::{self, IoSlice};
use std::net::{IpAddr, SocketAddr};

use rustc_hash::{FxHashMap, FxHashSet};

use crate::error::Fault;
use crate::net::{Family, Interface, SendOptions, SendSocket};

/// All sending sockets.
#[derive(Default)]
pub(crate) struct Sockets {
    sockets: FxHashMap<SendOptions, Shared>,
    own: Own,
}

/// One socket; `None` until it can be opened.
#[derive(Default)]
struct Shared {
    socket: Option<SendSocket>,
    users: usize,
}

/// The addresses that this process sends from, each of them used by no other process.
#[derive(Default)]
pub(crate) struct Own {
    /// Of sockets bound to an address, and how many there are of each: an IPv6 address of one link may be on
    /// several.
    bound: FxHashMap<(IpAddr, u16), usize>,
    /// The ports of sockets that send from whatever address of this host the routing table says.
    routed: FxHashSet<(Family, u16)>,
    /// All addresses of this host.
    addresses: FxHashSet<IpAddr>,
}

impl Sockets {
    pub(super) fn own(&self) -> &Own {
        &self.own
    }

    /// Notes which addresses this host has.
    pub(super) fn note_addresses(&mut self, interfaces: &[Interface]) {
        let all = interfaces.iter().flat_map(|interface| &interface.addresses);
        self.own.addresses = all.map(|address| address.ip).collect();
    }

    /// One user more; the socket opens with the first datagram.
    pub(super) fn hold(&mut self, options: SendOptions) {
        self.sockets.entry(options).or_default().users += 1;
    }

    /// One user less; says whether it was the last.
    pub(super) fn release(&mut self, options: &SendOptions) -> bool {
        let Some(shared) = self.sockets.get_mut(options) else { return false };
        shared.users -= 1;
        shared.users == 0
    }

    /// Closes a socket, unless somebody uses it.
    pub(super) fn close_unused(&mut self, options: &SendOptions) {
        if self.sockets.get(options).is_some_and(|shared| shared.users == 0)
            && let Some(Shared { socket: Some(socket), .. }) = self.sockets.remove(options)
        {
            self.own.forget(socket.local());
        }
    }

    /// Sends one datagram, opening the socket first if that has not succeeded yet.
    pub(super) fn send(
        &mut self,
        options: &SendOptions,
        payload: &[u8],
        to: SocketAddr,
    ) -> Result<(), Fault> {
        let Self { sockets, own } = self;
        let shared = sockets.entry(*options).or_default();
        let socket = match &mut shared.socket {
            Some(socket) => socket,
            None => {
                let refused = |(syscall, error): (&'static str, io::Error)| {
                    let address = match options {
                        SendOptions::Interface { address, .. } => *address,
                        SendOptions::Routed(family) => family.unspecified(),
                    };
                    Fault::new(syscall, &error).at(address, 0)
                };
                let socket = SendSocket::open(options).map_err(refused)?;
                own.add(socket.local());
                shared.socket.insert(socket)
            }
        };
        if matches!(options, SendOptions::Interface { ttl: 0, .. }) {
            let refused = |error| Fault::new("join", &error).at(to.ip(), to.port());
            socket.keep_on_host(to.ip()).map_err(refused)?;
        }
        socket.send(payload, to).map_err(|error| Fault::new("send", &error).at(to.ip(), to.port()))
    }

    /// Sends several datagrams of one length at once, by a socket that is open; says whether it could.
    pub(super) fn send_together(
        &mut self,
        options: &SendOptions,
        payloads: &[IoSlice<'_>],
        to: SocketAddr,
    ) -> bool {
        // What must stay on this host takes preparation.
        let prepared = !matches!(options, SendOptions::Interface { ttl: 0, .. });
        let socket = self.sockets.get_mut(options).filter(|_| prepared);
        let socket = socket.and_then(|shared| shared.socket.as_mut());
        socket.is_some_and(|socket| socket.send_together(payloads, to).is_ok())
    }
}

impl Own {
    /// Whether a datagram from this address was sent by this process. An IPv6 address of one link may come
    /// in on another interface than it went out by, so that its scope says nothing.
    pub(crate) fn contains(&self, source: &SocketAddr) -> bool {
        let (ip, port) = (source.ip(), source.port());
        self.bound.contains_key(&(ip, port))
            || (self.routed.contains(&(Family::of(ip), port)) && self.addresses.contains(&ip))
    }

    fn add(&mut self, local: SocketAddr) {
        let (ip, port) = (local.ip(), local.port());
        if ip.is_unspecified() {
            self.routed.insert((Family::of(ip), port));
        } else {
            *self.bound.entry((ip, port)).or_default() += 1;
        }
    }

    fn forget(&mut self, local: SocketAddr) {
        let (ip, port) = (local.ip(), local.port());
        if ip.is_unspecified() {
            self.routed.remove(&(Family::of(ip), port));
        } else if let Some(sockets) = self.bound.get_mut(&(ip, port)) {
            *sockets -= 1;
            if *sockets == 0 {
                self.bound.remove(&(ip, port));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_addresses_are_told_from_others() {
        let mut own = Own::default();
        own.addresses.insert([10, 0, 0, 1].into());
        let at = |text: &str| -> SocketAddr { text.parse().unwrap() };
        own.add(at("10.0.0.1:1000"));
        own.add(at("[fe80::1%2]:1001"));
        own.add(at("0.0.0.0:2000"));
        own.add(at("[fe80::1%3]:1001"));
        own.forget(at("[fe80::1%3]:1001"));
        for (source, ours) in [
            ("10.0.0.1:1000", true),
            ("10.0.0.1:1001", false),
            ("10.0.0.2:1000", false),
            ("[fe80::1%2]:1001", true),
            ("[fe80::1%3]:1001", true),
            ("10.0.0.1:2000", true),
            ("10.0.0.2:2000", false),
            ("[fe80::1%2]:2000", false),
        ] {
            assert_eq!(own.contains(&at(source)), ours, "{source}");
        }
        own.forget(at("0.0.0.0:2000"));
        own.forget(at("10.0.0.1:1000"));
        assert!(!own.contains(&at("10.0.0.1:2000")) && !own.contains(&at("10.0.0.1:1000")));
    }
}
