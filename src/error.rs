//! What the operating system refused, in the terms of Node's system errors.

use std::fmt;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;

/// A refusal of the operating system: which call, which error, and where.
///
/// It becomes a JavaScript Error with `code`, `errno`, `syscall` and, where known, `address`, `port` and
/// `interface`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The call that failed, such as `bind`.
    pub syscall: &'static str,
    /// The system's error number, positive; [`UNKNOWN_ERRNO`] where the system gave none.
    pub errno: i32,
    /// The address concerned.
    pub address: Option<IpAddr>,
    /// The port concerned.
    pub port: Option<u16>,
    /// The name of the interface concerned.
    pub interface: Option<Arc<str>>,
}

/// EIO: stands in for an error that has no number of its own.
pub const UNKNOWN_ERRNO: i32 = 5;

impl Fault {
    /// A failed call, with nothing more known about it.
    pub fn new(syscall: &'static str, error: &io::Error) -> Self {
        let errno = error.raw_os_error().unwrap_or(UNKNOWN_ERRNO);
        Self { syscall, errno, address: None, port: None, interface: None }
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

    /// The cure, in a sentence, for somebody who has never heard of multicast sockets.
    pub fn hint(&self) -> &'static str {
        match (self.syscall, self.errno) {
            ("join", libc::ENOBUFS) => {
                "This socket has all the memberships that the system allows; raise \
                 net.ipv4.igmp_max_memberships, or name fewer groups or interfaces."
            }
            ("bind", libc::EADDRINUSE) => {
                "Another program on this computer uses the port without sharing it; end it, let it share \
                 (reuseAddr in dgram), or choose another port."
            }
            ("send", libc::EPERM) => {
                "A firewall on this computer refuses the datagram; allow outgoing UDP to the group."
            }
            ("send", libc::EMSGSIZE) => "The payload is too large for this interface; send less.",
            ("socket", libc::EAFNOSUPPORT) => {
                "This system has no IPv6: name an IPv4 group, too, or switch IPv6 on."
            }
            ("send", libc::EACCES) => {
                "This is a broadcast address, or a firewall refuses it; to broadcast there is options.broadcast."
            }
            ("send", libc::ENETUNREACH | libc::ENETDOWN | libc::EHOSTUNREACH | libc::ENODEV) => {
                "The interface is down or gone, or there is no route; sending goes on and succeeds once it is back."
            }
            ("send" | "bind", libc::EADDRNOTAVAIL) => {
                "The interface does not have the address any more or, if it has just come up, not yet; sending \
                 goes on and succeeds once it has."
            }
            (_, libc::EMFILE | libc::ENFILE) => {
                "There are no file descriptors left; close some, or raise the limit (ulimit -n)."
            }
            (_, libc::EACCES | libc::EPERM) => {
                "The system does not allow it; check the rights of this process and the firewall."
            }
            ("join", _) => {
                "The group is not heard on this interface; once the cause is gone, leave and join it again."
            }
            ("send", _) => "Sending goes on; the error code says what the system objects to.",
            _ => "The error code says what the system objects to.",
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.syscall, io::Error::from_raw_os_error(self.errno))
    }
}

impl std::error::Error for Fault {}
