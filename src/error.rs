//! What the operating system refused, in the terms of Node's system errors.

use std::fmt;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;

use crate::net::{Obstacle, errno};

/// A refusal of the operating system: which call, which error, and where.
///
/// It becomes a JavaScript Error with `code`, `errno`, `syscall` and, where known, `address`, `port` and
/// `interface`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The call that failed, such as `bind`.
    pub syscall: &'static str,
    /// The system's error number, positive; EIO where the system gave none.
    pub errno: i32,
    /// The address concerned.
    pub address: Option<IpAddr>,
    /// The port concerned.
    pub port: Option<u16>,
    /// The name of the interface concerned.
    pub interface: Option<Arc<str>>,
    /// What about the interface may be the cause.
    pub obstacle: Option<Obstacle>,
}

impl Fault {
    /// A failed call, with nothing more known about it.
    pub fn new(syscall: &'static str, error: &io::Error) -> Self {
        Self::of(syscall, errno::of(error))
    }

    /// A failed call, by the number of its error.
    pub fn of(syscall: &'static str, errno: i32) -> Self {
        Self { syscall, errno, address: None, port: None, interface: None, obstacle: None }
    }

    /// Adds the address and port that the call was about.
    #[must_use]
    pub fn at(self, address: IpAddr, port: u16) -> Self {
        Self { address: Some(address), port: Some(port), ..self }
    }

    /// Adds the interface that the call was about.
    #[must_use]
    pub fn on(self, interface: Arc<str>) -> Self {
        Self { interface: Some(interface), ..self }
    }

    /// Adds what about the interface may be the cause.
    #[must_use]
    pub fn behind(self, obstacle: Option<Obstacle>) -> Self {
        Self { obstacle, ..self }
    }

    /// The cure, in a sentence, for somebody who has never heard of multicast sockets.
    pub fn hint(&self) -> &'static str {
        match (self.syscall, self.errno) {
            ("join", errno::ENOBUFS) => {
                "The system allows a socket too few memberships; raise net.ipv4.igmp_max_memberships, or name \
                 fewer groups or interfaces. It is tried again."
            }
            ("watch", _) => {
                "The system does not tell of changes of the network here; they are looked for every 5 s instead."
            }
            ("bind", errno::EADDRINUSE) => {
                "Another program on this computer uses the port without sharing it; end it, let it share \
                 (reuseAddr in dgram), or choose another port."
            }
            ("bind", errno::EACCES) => {
                "The port needs rights that this process has not (below 1024), or, on Windows, another program has it \
                 for itself; choose another port."
            }
            ("send", errno::EPERM) => {
                "A firewall on this computer refuses the datagram; allow outgoing UDP to the group."
            }
            ("send", errno::EMSGSIZE) => "The payload is too large for this interface; send less.",
            ("socket", errno::EAFNOSUPPORT) => {
                "This system has no IPv6: name an IPv4 group, too, or switch IPv6 on."
            }
            ("send", errno::EACCES) => {
                "This is a broadcast address, or a firewall refuses it; to broadcast there is options.broadcast."
            }
            ("join" | "send", errno) if errno != errno::EMSGSIZE && self.obstacle.is_some() => {
                self.obstacle.map(Obstacle::hint).unwrap_or_default()
            }
            ("send", errno::EHOSTUNREACH) => {
                "There is no route, or this is macOS and the app may not use the local network: allow it in System \
                 Settings, Privacy & Security, Local Network; an app asks for it by NSLocalNetworkUsageDescription \
                 in its Info.plist."
            }
            ("send", errno::ENETUNREACH | errno::ENETDOWN | errno::ENODEV) => {
                "The interface is down or gone, or there is no route; sending goes on and succeeds once it is back."
            }
            ("send" | "bind", errno::EADDRNOTAVAIL) => {
                "The interface does not have the address any more or, if it has just come up, not yet; sending \
                 goes on and succeeds once it has."
            }
            (_, errno::EMFILE | errno::ENFILE) => {
                "There are no file descriptors left; close some, or raise the limit (ulimit -n)."
            }
            (_, errno::EACCES | errno::EPERM) => {
                "The system does not allow it; check the rights of this process and the firewall."
            }
            ("join", _) => "The group is not heard on this interface; joining it is tried again.",
            ("send", _) => "Sending goes on; the error code says what the system objects to.",
            _ => "The error code says what the system objects to.",
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} failed with error {}", self.syscall, self.errno)
    }
}

impl std::error::Error for Fault {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_causes_have_their_own_hint() {
        let none = None;
        for (syscall, errno, obstacle, expected) in [
            ("join", errno::ENOBUFS, none, "igmp_max_memberships"),
            ("send", errno::EPERM, none, "firewall"),
            ("send", errno::EHOSTUNREACH, none, "NSLocalNetworkUsageDescription"),
            ("send", errno::ENETUNREACH, none, "no route"),
            ("send", errno::ENETUNREACH, Some(Obstacle::NoCarrier), "cable"),
            ("send", errno::EADDRNOTAVAIL, Some(Obstacle::PointToPoint), "VPN"),
            ("join", errno::ENODEV, Some(Obstacle::PointToPoint), "VPN"),
            ("send", errno::EMSGSIZE, Some(Obstacle::PointToPoint), "too large"),
            ("bind", errno::EADDRNOTAVAIL, none, "not yet"),
            ("bind", errno::EACCES, none, "below 1024"),
            ("watch", errno::EACCES, none, "every 5 s"),
            ("getifaddrs", errno::EMFILE, none, "ulimit"),
        ] {
            let hint = Fault::of(syscall, errno).behind(obstacle).hint();
            assert!(hint.contains(expected), "{syscall} {errno} {obstacle:?}: {hint}");
        }
    }
}
