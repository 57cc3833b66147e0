//! What getifaddrs(3) does not say of IPv6 addresses: /proc/net/if_inet6.

use std::collections::HashMap;
use std::fs;
use std::mem;
use std::net::{IpAddr, Ipv6Addr};

use crate::net::{Fitness, InterfaceIndex};

/// Whether an interface carries only what the system itself sends. Linux has none.
pub(in crate::net) fn is_for_the_system(_name: &str) -> bool {
    false
}

/// How many bytes the netmask of an address of this family has: as many as the address.
///
/// # Safety
/// None; elsewhere the netmask is read.
pub(in crate::net) unsafe fn netmask_length(_: *const libc::sockaddr, family: libc::sa_family_t) -> usize {
    match libc::c_int::from(family) {
        libc::AF_INET => mem::size_of::<libc::sockaddr_in>(),
        _ => mem::size_of::<libc::sockaddr_in6>(),
    }
}

/// The IPv6 addresses that are less than lasting.
pub(in crate::net) struct AddressStates(HashMap<(InterfaceIndex, IpAddr), Fitness>);

impl AddressStates {
    /// Asks the kernel. Without IPv6 there is no such file, and no such address.
    pub(in crate::net) fn get() -> Self {
        let text = fs::read_to_string("/proc/net/if_inet6").unwrap_or_default();
        Self(text.lines().filter_map(unfit_address).collect())
    }

    /// How fit an address is to be sent from.
    pub(in crate::net) fn fitness(&self, _name: &str, index: InterfaceIndex, ip: IpAddr) -> Fitness {
        self.0.get(&(index, ip)).copied().unwrap_or(Fitness::Lasting)
    }
}

/// Parses a line of six words, all but the last in hexadecimal: address, index, prefix, scope, flags, name
/// (`if6_seq_show` of the kernel). None for an address that is lasting.
fn unfit_address(line: &str) -> Option<((InterfaceIndex, IpAddr), Fitness)> {
    let mut words = line.split_ascii_whitespace();
    let ip = u128::from_str_radix(words.next()?, 16).ok()?;
    let index = u32::from_str_radix(words.next()?, 16).ok()?;
    let flags = u32::from_str_radix(words.nth(2)?, 16).ok()?;
    let has = |flag: u32| flags & flag != 0;
    let tentative = has(libc::IFA_F_TENTATIVE) && !has(libc::IFA_F_OPTIMISTIC);
    let fitness = if tentative || has(libc::IFA_F_DADFAILED) {
        Fitness::Unusable
    } else if has(libc::IFA_F_DEPRECATED) {
        Fitness::Deprecated
    } else if has(libc::IFA_F_TEMPORARY) {
        Fitness::Temporary
    } else {
        return None;
    };
    Some(((InterfaceIndex(index), Ipv6Addr::from_bits(ip).into()), fitness))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_that_are_not_lasting_are_told() {
        let ip = |text: &str| -> IpAddr { text.parse().unwrap() };
        let line = |flags| format!("fd770001000000000000000000000050 0a 40 00 {flags}     eth0");
        for (flags, fitness) in [
            ("80", None),
            ("01", Some(Fitness::Temporary)),
            ("21", Some(Fitness::Deprecated)),
            ("40", Some(Fitness::Unusable)),
            ("44", None),
            ("c8", Some(Fitness::Unusable)),
        ] {
            let expected = fitness.map(|fitness| ((InterfaceIndex(10), ip("fd77:1::50")), fitness));
            assert_eq!(unfit_address(&line(flags)), expected, "{flags}");
        }
        assert_eq!(unfit_address("fd77 0a"), None);
    }
}
