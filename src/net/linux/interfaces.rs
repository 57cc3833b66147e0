//! Lists the interfaces with getifaddrs(3).

use std::ffi::CStr;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ptr;

use crate::net::{Interface, InterfaceAddress, InterfaceIndex};

/// Every interface of the host, in the system's order, those without an address included.
pub fn interfaces() -> io::Result<Vec<Interface>> {
    let list = List::get()?;
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
            interfaces[position].addresses.push(InterfaceAddress { ip, prefix: prefix(netmask) });
        }
    }
    Ok(interfaces)
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
        assert!(loopback.index.0 > 0);
        assert!(!loopback.point_to_point);
        if loopback.up {
            let address = InterfaceAddress { ip: Ipv4Addr::LOCALHOST.into(), prefix: 8 };
            assert!(loopback.addresses.contains(&address), "{:?}", loopback.addresses);
        }
    }
}
