//! The sockets that casts leave by, shared by all that want the same, and the addresses that they give us. Of those that a
//! discovery sends by, the answers are read.

use std::io::{self, IoSlice};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};

use crate::error::Fault;
use crate::net::{Datagrams, Family, Interface, Poll, Registered, SendOptions, SendSocket};

/// The receive buffer for answers, in bytes: thousands may come within a second.
const RECEIVE_BUFFER: usize = 1 << 20;

/// All sending sockets.
pub(crate) struct Sockets {
    sockets: FxHashMap<SendOptions, Shared>,
    ears: Ears,
    own: Own,
}

/// Those that are heard and open, by what they are to the poller.
struct Ears {
    poll: Arc<Poll>,
    heard: FxHashMap<SenderId, SendOptions>,
    next: usize,
}

/// What a sending socket that is heard is to the poller. Listening sockets have smaller numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct SenderId(usize);

impl SenderId {
    const FIRST: usize = usize::MAX / 2;

    /// The socket with this number, if it is one that sends.
    pub(crate) fn of(key: usize) -> Option<Self> {
        (key >= Self::FIRST).then_some(Self(key))
    }
}

/// One socket; `None` until it can be opened.
#[derive(Default)]
struct Shared {
    socket: Option<Open>,
    users: usize,
    /// Somebody wants to hear the answers.
    is_heard: bool,
}

/// A socket that is open.
enum Open {
    Deaf(SendSocket),
    Heard(SenderId, Registered<SendSocket>),
}

impl Open {
    fn socket(&mut self) -> &mut SendSocket {
        match self {
            Self::Deaf(socket) => socket,
            Self::Heard(_, socket) => socket,
        }
    }
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
    pub(super) fn new(poll: Arc<Poll>) -> Self {
        let ears = Ears { poll, heard: FxHashMap::default(), next: SenderId::FIRST };
        Self { sockets: FxHashMap::default(), ears, own: Own::default() }
    }

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
        if self.sockets.get(options).is_some_and(|shared| shared.users == 0) {
            self.close(options);
            self.sockets.remove(options);
        }
    }

    /// Has answers that come to a socket be told of by the poller, as long as it is used.
    pub(super) fn hear(&mut self, options: SendOptions) {
        let shared = self.sockets.entry(options).or_default();
        if std::mem::replace(&mut shared.is_heard, true) {
            return;
        }
        if let Some(Open::Deaf(socket)) = shared.socket.take() {
            let local = socket.local();
            match self.ears.open_to(&options, socket) {
                Ok(open) => shared.socket = Some(open),
                // It is opened again when something is sent, and if it fails then, that is told.
                Err(_) => self.own.forget(local),
            }
        }
    }

    /// Reads one batch of answers into `datagrams`, and says to which socket. One that cannot be read is opened anew
    /// for the next datagram.
    pub(super) fn read(&mut self, id: SenderId, datagrams: &mut Datagrams) -> Option<SendOptions> {
        let options = *self.ears.heard.get(&id)?;
        let open = self.sockets.get_mut(&options).and_then(|shared| shared.socket.as_mut())?;
        if datagrams.receive(open.socket()).is_err() {
            self.close(&options);
            return None;
        }
        Some(options)
    }

    /// What a socket is to the poller, if it is open and heard.
    pub(super) fn id(&self, options: &SendOptions) -> Option<SenderId> {
        match self.sockets.get(options)?.socket {
            Some(Open::Heard(id, _)) => Some(id),
            _ => None,
        }
    }

    /// Sends one datagram, opening the socket first if that has not succeeded yet.
    pub(super) fn send(
        &mut self,
        options: &SendOptions,
        payload: &[u8],
        to: SocketAddr,
    ) -> Result<(), Fault> {
        let Self { sockets, ears, own } = self;
        let shared = sockets.entry(*options).or_default();
        let open = match &mut shared.socket {
            Some(open) => open,
            None => {
                let socket = SendSocket::open(options).map_err(|refused| refusal(options, refused))?;
                let local = socket.local();
                let open = if shared.is_heard { ears.open_to(options, socket)? } else { Open::Deaf(socket) };
                own.add(local);
                shared.socket.insert(open)
            }
        };
        let socket = open.socket();
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
        let shared = self.sockets.get_mut(options).filter(|_| prepared);
        let open = shared.and_then(|shared| shared.socket.as_mut());
        open.is_some_and(|open| open.socket().send_together(payloads, to).is_ok())
    }

    fn close(&mut self, options: &SendOptions) {
        let open = self.sockets.get_mut(options).and_then(|shared| shared.socket.take());
        if let Some(mut open) = open {
            self.own.forget(open.socket().local());
            if let Open::Heard(id, _) = open {
                self.ears.heard.remove(&id);
            }
        }
    }
}

impl Ears {
    /// Has a socket be heard.
    fn open_to(&mut self, options: &SendOptions, socket: SendSocket) -> Result<Open, Fault> {
        let id = SenderId(self.next);
        let registered = socket
            .set_receive_buffer(RECEIVE_BUFFER)
            .map_err(|error| ("setsockopt", error))
            .and_then(|()| self.poll.register(socket, id.0).map_err(|error| ("poll", error)))
            .map_err(|refused| refusal(options, refused))?;
        self.next += 1;
        self.heard.insert(id, *options);
        Ok(Open::Heard(id, registered))
    }
}

fn refusal(options: &SendOptions, (syscall, error): (&'static str, io::Error)) -> Fault {
    Fault::new(syscall, &error).at(options.address(), 0)
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
