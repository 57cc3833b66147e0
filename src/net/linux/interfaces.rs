//! Lists the interfaces with getifaddrs(3), and what it does not say of IPv6 addresses from /proc/net/if_inet6.

use std::collections::HashMap;
use std::ffi::{CStr, CString};
use std::fs;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ptr;

use crate::net::{Fitness, Interface, InterfaceAddress, InterfaceIndex};

/// Every interface of the host, in the system's order, those without an address included.
pub fn interfaces() -> io::Result<Vec<Interface>> {
    let list = List::get()?;
    let unfit = unfit_addresses();
    let mut interfaces: Vec<Interface> = Vec::new();
    let mut next = list.0;
    // SAFETY: `next` is null or a node of the list, which lives until `list` is dropped.
    while let Some(entry) = unsafe { next.as_ref() } {
        next = entry.ifa_next;
        // SAFETY: ifa_name is a C string of the list.
        let raw_name = unsafe { CStr::from_ptr(entry.ifa_name) };
        let name = raw_name.to_string_lossy();
        let position = match interfaces.iter().position(|interface| *interface.name == *name) {
            Some(position) => position,
            None => {
                // SAFETY: raw_name is a C string.
                let index = InterfaceIndex(unsafe { libc::if_nametoindex(raw_name.as_ptr()) });
                if index.0 == 0 {
                    continue; // gone since the list was made
                }
                // An address with a label (`eth0:1`) comes under that, and is of `eth0` all the same.
                let labelled = interfaces.iter().position(|interface| interface.index == index);
                labelled.unwrap_or_else(|| {
                    let has = |flag: libc::c_int| entry.ifa_flags & flag.cast_unsigned() != 0;
                    interfaces.push(Interface {
                        index,
                        name: name.as_ref().into(),
                        up: has(libc::IFF_UP),
                        running: has(libc::IFF_RUNNING),
                        multicast: has(libc::IFF_MULTICAST),
                        loopback: has(libc::IFF_LOOPBACK),
                        point_to_point: has(libc::IFF_POINTOPOINT),
                        addresses: Vec::new(),
                    });
                    interfaces.len() - 1
                })
            }
        };
        // SAFETY: the entry's address and netmask are null or sockaddrs of the family they state.
        let address = unsafe { ip(entry.ifa_addr).zip(ip(entry.ifa_netmask)) };
        if let Some((ip, netmask)) = address {
            let interface = &mut interfaces[position];
            let fitness = unfit.get(&(interface.index, ip)).copied().unwrap_or(Fitness::Lasting);
            interface.addresses.push(InterfaceAddress { ip, prefix: prefix(netmask), fitness });
        }
    }
    Ok(interfaces)
}

/// The index of the interface with this name, if there is one (if_nametoindex(3)).
pub fn interface_index(name: &str) -> Option<InterfaceIndex> {
    let name = CString::new(name).ok()?;
    // SAFETY: a C string.
    let index = unsafe { libc::if_nametoindex(name.as_ptr()) };
    (index != 0).then_some(InterfaceIndex(index))
}

/// The IPv6 addresses that are less than lasting. Without IPv6 there is no such file, and no such address.
fn unfit_addresses() -> HashMap<(InterfaceIndex, IpAddr), Fitness> {
    let text = fs::read_to_string("/proc/net/if_inet6").unwrap_or_default();
    text.lines().filter_map(unfit_address).collect()
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

struct List(*mut libc::ifaddrs);

impl List {
    fn get() -> io::Result<Self> {
        let mut list = ptr::null_mut();
        // SAFETY: `list` is a valid place for the result.
        if unsafe { libc::getifaddrs(&raw mut list) } == 0 {
            Ok(Self(list))
        } else {
            Err(io::Error::last_os_error())
        }
    }
}

impl Drop for List {
    fn drop(&mut self) {
        // SAFETY: the list came from getifaddrs and is freed once.
        unsafe { libc::freeifaddrs(self.0) };
    }
}

/// The IP address in a sockaddr, if it is one.
///
/// # Safety
/// `address` is null or points to a sockaddr of the family it states.
unsafe fn ip(address: *const libc::sockaddr) -> Option<IpAddr> {
    if address.is_null() {
        return None;
    }
    // SAFETY: not null; the caller says the family is right for what follows it.
    unsafe {
        match libc::c_int::from((*address).sa_family) {
            libc::AF_INET => {
                let address = &*address.cast::<libc::sockaddr_in>();
                Some(Ipv4Addr::from(u32::from_be(address.sin_addr.s_addr)).into())
            }
            libc::AF_INET6 => {
                let address = &*address.cast::<libc::sockaddr_in6>();
                Some(Ipv6Addr::from(address.sin6_addr.s6_addr).into())
            }
            _ => None,
        }
    }
}

fn prefix(netmask: IpAddr) -> u8 {
    let ones = match netmask {
        IpAddr::V4(mask) => mask.to_bits().leading_ones(),
        IpAddr::V6(mask) => mask.to_bits().leading_ones(),
    };
    // At most 128.
    ones as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_is_listed_with_its_address() {
        let interfaces = interfaces().unwrap();
        let loopback = interfaces.iter().find(|interface| interface.loopback).expect("a host has a loopback");
        assert_eq!(&*loopback.name, "lo");
        assert_eq!(interface_index("lo"), Some(loopback.index));
        assert_eq!(interface_index("no such"), None);
        assert!(loopback.index.0 > 0);
        assert!(!loopback.point_to_point);
        if loopback.up {
            let address =
                InterfaceAddress { ip: Ipv4Addr::LOCALHOST.into(), prefix: 8, fitness: Fitness::Lasting };
            assert!(loopback.addresses.contains(&address), "{:?}", loopback.addresses);
        }
    }

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
