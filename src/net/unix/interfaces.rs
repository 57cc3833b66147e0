//! Lists the interfaces with getifaddrs(3).

use std::ffi::{CStr, CString};
use std::io;
use std::mem;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ptr;
use std::slice;

use crate::net::faults::{self, Call};
use crate::net::imp::{AddressStates, is_for_the_system, netmask_length};
use crate::net::{Interface, InterfaceAddress, InterfaceIndex};

/// Every interface of the host, in the system's order, those without an address included.
pub fn interfaces() -> io::Result<Vec<Interface>> {
    faults::at(Call::List, None)?;
    let list = List::get()?;
    let states = AddressStates::get();
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
                        point_to_point: has(libc::IFF_POINTOPOINT) || is_for_the_system(&name),
                        addresses: Vec::new(),
                    });
                    interfaces.len() - 1
                })
            }
        };
        // SAFETY: the entry's address is null or a sockaddr of the family it states; its netmask is null or a netmask.
        if let Some((ip, prefix)) =
            unsafe { ip(entry.ifa_addr).zip(prefix(entry.ifa_addr, entry.ifa_netmask)) }
        {
            let interface = &mut interfaces[position];
            let fitness = states.fitness(&interface.name, interface.index, ip);
            interface.addresses.push(InterfaceAddress { ip, prefix, fitness });
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

/// How many leading bits of an address its netmask covers, if it has one.
///
/// # Safety
/// `address` is null or points to an IP address; `netmask` is null or what the system says is its netmask.
unsafe fn prefix(address: *const libc::sockaddr, netmask: *const libc::sockaddr) -> Option<u8> {
    if address.is_null() || netmask.is_null() {
        return None;
    }
    // SAFETY: not null; that is how long the netmask is.
    let (family, netmask) = unsafe {
        let family = (*address).sa_family;
        (family, slice::from_raw_parts(netmask.cast::<u8>(), netmask_length(netmask, family)))
    };
    let (start, length) = match libc::c_int::from(family) {
        libc::AF_INET => (mem::offset_of!(libc::sockaddr_in, sin_addr), 4),
        _ => (mem::offset_of!(libc::sockaddr_in6, sin6_addr), 16),
    };
    let bytes = netmask.iter().skip(start).take(length);
    // At most 128.
    Some(bytes.map(|byte| byte.count_ones()).sum::<u32>() as u8)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::Fitness;

    #[test]
    fn loopback_is_listed_with_its_address() {
        let interfaces = interfaces().unwrap();
        let loopback = interfaces.iter().find(|interface| interface.loopback).expect("a host has a loopback");
        assert!(loopback.name.starts_with("lo"), "{}", loopback.name);
        assert_eq!(interface_index(&loopback.name), Some(loopback.index));
        assert_eq!(interface_index("no such"), None);
        assert!(loopback.index.0 > 0);
        assert!(!loopback.point_to_point);
        if loopback.up {
            let address =
                InterfaceAddress { ip: Ipv4Addr::LOCALHOST.into(), prefix: 8, fitness: Fitness::Lasting };
            assert!(loopback.addresses.contains(&address), "{:?}", loopback.addresses);
        }
    }
}
