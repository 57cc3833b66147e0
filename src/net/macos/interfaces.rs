//! What getifaddrs(3) does not say of IPv6 addresses, and says in its own way of netmasks.

use std::io;
use std::mem;
use std::net::{IpAddr, SocketAddrV6};
use std::os::fd::AsRawFd;

use socket2::{Domain, SockAddr, Socket, Type};

use crate::net::{Fitness, InterfaceIndex};

/// Interfaces by which Apple's devices talk to each other, by the beginning of their names: AirDrop (`awdl`), its
/// low-latency sibling (`llw`), the coprocessor (`anpi`) and the access point of the Wi-Fi (`ap`). They say that
/// they are up and carry multicast, and refuse most of it or waste the radio's time.
const OF_THE_SYSTEM: [&str; 4] = ["awdl", "llw", "anpi", "ap"];

/// Whether an interface carries only what the system itself sends.
pub(in crate::net) fn is_for_the_system(name: &str) -> bool {
    OF_THE_SYSTEM.contains(&name.trim_end_matches(|end: char| end.is_ascii_digit()))
}

/// How many bytes a netmask has: it is cut after the last that is not zero (`in_socktrim` of the kernel).
///
/// # Safety
/// `netmask` points to a netmask from getifaddrs(3).
pub(in crate::net) unsafe fn netmask_length(netmask: *const libc::sockaddr, _: libc::sa_family_t) -> usize {
    // SAFETY: the length is the first byte of it, and there even if it is 0.
    usize::from(unsafe { (*netmask).sa_len })
}

// The number has the length of the request in it, which the kernel compares with its own.
const _: () = assert!(libc::SIOCGIFAFLAG_IN6 == 0xc120_6949 && mem::size_of::<libc::in6_ifreq>() == 0x120);

/// Tells the states of IPv6 addresses: SIOCGIFAFLAG_IN6, on a socket of the family.
pub(in crate::net) struct AddressStates(io::Result<Socket>);

impl AddressStates {
    /// Ready to be asked.
    pub(in crate::net) fn get() -> Self {
        Self(Socket::new(Domain::IPV6, Type::DGRAM, None))
    }

    /// How fit an address of the interface with this name is to be sent from. One that the kernel says nothing of is
    /// taken for lasting: it was there a moment ago.
    pub(in crate::net) fn fitness(&self, name: &str, index: InterfaceIndex, ip: IpAddr) -> Fitness {
        let (Ok(socket), IpAddr::V6(ip)) = (&self.0, ip) else { return Fitness::Lasting };
        let scope = if ip.is_unicast_link_local() { index.0 } else { 0 };
        let address = SockAddr::from(SocketAddrV6::new(ip, 0, 0, scope));
        // SAFETY: all zeros is a valid value of this plain C structure.
        let mut request: libc::in6_ifreq = unsafe { mem::zeroed() };
        // The last byte stays zero.
        for (to, from) in request.ifr_name[..libc::IFNAMSIZ - 1].iter_mut().zip(name.bytes()) {
            *to = from.cast_signed();
        }
        // SAFETY: it is the address of an IPv6 socket.
        request.ifr_ifru.ifru_addr = unsafe { *address.as_ptr().cast::<libc::sockaddr_in6>() };
        // SAFETY: the request is as long as its number says, and the kernel writes no more than that.
        let result = unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCGIFAFLAG_IN6, &raw mut request) };
        if result != 0 {
            return Fitness::Lasting;
        }
        // SAFETY: the kernel has written the flags there.
        fitness(unsafe { request.ifr_ifru.ifru_flags6 })
    }
}

/// By the flags of an address (netinet6/in6_var.h). An optimistic one may be used while it is tried (RFC 4429).
fn fitness(flags: libc::c_int) -> Fitness {
    let has = |flag: libc::c_int| flags & flag != 0;
    if has(libc::IN6_IFF_TENTATIVE | libc::IN6_IFF_DUPLICATED | libc::IN6_IFF_DETACHED) {
        Fitness::Unusable
    } else if has(libc::IN6_IFF_DEPRECATED) {
        Fitness::Deprecated
    } else if has(libc::IN6_IFF_TEMPORARY) {
        Fitness::Temporary
    } else {
        Fitness::Lasting
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interfaces_of_the_system_are_known_by_name() {
        for name in ["awdl0", "llw0", "anpi1", "ap1"] {
            assert!(is_for_the_system(name), "{name}");
        }
        for name in ["en0", "lo0", "bridge100", "apx0", "awdl0x"] {
            assert!(!is_for_the_system(name), "{name}");
        }
    }

    #[test]
    fn states_of_addresses() {
        for (flags, expected) in [
            (0x440, Fitness::Lasting),
            (0x2, Fitness::Unusable),
            (0x4, Fitness::Unusable),
            (0x200, Fitness::Lasting),
            (0xd0, Fitness::Deprecated),
            (0xc0, Fitness::Temporary),
        ] {
            assert_eq!(fitness(flags), expected, "{flags:#x}");
        }
    }
}
