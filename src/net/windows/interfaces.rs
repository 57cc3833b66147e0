//! Lists the interfaces with GetAdaptersAddresses.

use std::io;
use std::iter;
use std::mem;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::slice;

use windows_sys::Win32::Foundation::{ERROR_BUFFER_OVERFLOW, ERROR_NO_DATA, ERROR_SUCCESS};
use windows_sys::Win32::NetworkManagement::IpHelper::{
    ConvertInterfaceAliasToLuid, ConvertInterfaceLuidToIndex, GAA_FLAG_SKIP_ANYCAST,
    GAA_FLAG_SKIP_DNS_SERVER, GAA_FLAG_SKIP_MULTICAST, GetAdaptersAddresses, IF_TYPE_PPP,
    IF_TYPE_PROP_VIRTUAL, IF_TYPE_SOFTWARE_LOOPBACK, IF_TYPE_TUNNEL, IP_ADAPTER_ADDRESSES_LH,
    IP_ADAPTER_NO_MULTICAST, IP_ADAPTER_UNICAST_ADDRESS_LH,
};
use windows_sys::Win32::NetworkManagement::Ndis::{IfOperStatusUp, NET_LUID_LH};
use windows_sys::Win32::Networking::WinSock::{
    AF_INET, AF_INET6, AF_UNSPEC, IpDadStateDeprecated, IpDadStatePreferred,
    IpPrefixOriginRouterAdvertisement, IpSuffixOriginRandom, SOCKADDR_IN, SOCKADDR_IN6, SOCKET_ADDRESS,
};
use windows_sys::core::PCWSTR;

use crate::net::{Fitness, Interface, InterfaceAddress, InterfaceIndex};

/// How often room is made for a list that has grown in between.
const TRIES: usize = 4;

/// Every interface of the host, in the system's order, under the names that people give them (`Ethernet 2`).
pub fn interfaces() -> io::Result<Vec<Interface>> {
    let adapters = Adapters::get()?;
    Ok(adapters.iter().filter_map(interface).collect())
}

/// The index of the interface with this name, if there is one.
pub fn interface_index(name: &str) -> Option<InterfaceIndex> {
    let name: Vec<u16> = name.encode_utf16().chain(iter::once(0)).collect();
    let mut luid = NET_LUID_LH::default();
    let mut index = 0;
    // SAFETY: the name ends with a zero, and `luid` and `index` are valid places for the results.
    let found = unsafe {
        ConvertInterfaceAliasToLuid(name.as_ptr(), &raw mut luid) == ERROR_SUCCESS
            && ConvertInterfaceLuidToIndex(&raw const luid, &raw mut index) == ERROR_SUCCESS
    };
    found.then_some(InterfaceIndex(index))
}

/// The list that the system fills: structures that point to each other, of this alignment at most.
struct Adapters(Vec<u64>);

impl Adapters {
    fn get() -> io::Result<Self> {
        // What Microsoft recommends to begin with.
        let mut bytes = 15_u32 << 10;
        for _ in 0..TRIES {
            let mut list = vec![0_u64; (bytes as usize).div_ceil(mem::size_of::<u64>())];
            // SAFETY: `list` has room for `bytes` bytes, and the system writes no more than that.
            let result = unsafe {
                GetAdaptersAddresses(
                    AF_UNSPEC.into(),
                    GAA_FLAG_SKIP_ANYCAST | GAA_FLAG_SKIP_MULTICAST | GAA_FLAG_SKIP_DNS_SERVER,
                    std::ptr::null(),
                    list.as_mut_ptr().cast(),
                    &raw mut bytes,
                )
            };
            match result {
                ERROR_SUCCESS => return Ok(Self(list)),
                ERROR_NO_DATA => return Ok(Self(Vec::new())),
                ERROR_BUFFER_OVERFLOW => {}
                error => return Err(io::Error::from_raw_os_error(error.cast_signed())),
            }
        }
        Err(io::Error::from_raw_os_error(ERROR_BUFFER_OVERFLOW.cast_signed()))
    }

    fn iter(&self) -> impl Iterator<Item = &IP_ADAPTER_ADDRESSES_LH> {
        let first = self.0.as_ptr().cast::<IP_ADAPTER_ADDRESSES_LH>();
        // SAFETY: a list that is not empty begins with an adapter, which lives as long as the list.
        let first = (!self.0.is_empty()).then(|| unsafe { &*first });
        // SAFETY: each adapter points to the next of the list, the last to none.
        iter::successors(first, |adapter| unsafe { adapter.Next.as_ref() })
    }
}

/// The adapter as an interface; none if no version of IP is bound to it.
fn interface(adapter: &IP_ADAPTER_ADDRESSES_LH) -> Option<Interface> {
    // SAFETY: the system has filled the structure; each union holds what is read here.
    let (v4_index, flags, name) = unsafe {
        (adapter.Anonymous1.Anonymous.IfIndex, adapter.Anonymous2.Flags, text(adapter.FriendlyName))
    };
    // The numbers of one adapter are the same; one is 0 where that version of IP is switched off.
    let index = Some(v4_index).filter(|index| *index != 0).unwrap_or(adapter.Ipv6IfIndex);
    // Windows has one state for both, and refuses to join where there is no carrier. A disabled adapter is not
    // listed at all.
    let up = adapter.OperStatus == IfOperStatusUp;
    // SAFETY: null or the first address, which lives as long as the adapter.
    let first = unsafe { adapter.FirstUnicastAddress.as_ref() };
    // SAFETY: each address points to the next of the adapter, the last to none.
    let addresses = iter::successors(first, |address| unsafe { address.Next.as_ref() });
    (index != 0).then(|| Interface {
        index: InterfaceIndex(index),
        name: name.into(),
        up,
        running: up,
        multicast: flags & IP_ADAPTER_NO_MULTICAST == 0,
        loopback: adapter.IfType == IF_TYPE_SOFTWARE_LOOPBACK,
        // There is no flag for it. What dials is PPP, what wraps packets into others a tunnel, and most VPNs
        // (Wintun) call themselves a "proprietary virtual" interface; none of them has neighbours.
        point_to_point: matches!(adapter.IfType, IF_TYPE_PPP | IF_TYPE_TUNNEL | IF_TYPE_PROP_VIRTUAL),
        addresses: addresses.filter_map(interface_address).collect(),
    })
}

fn interface_address(address: &IP_ADAPTER_UNICAST_ADDRESS_LH) -> Option<InterfaceAddress> {
    // SAFETY: the system has filled the structure, and what it points to lives as long.
    let ip = unsafe { ip(&address.Address) }?;
    Some(InterfaceAddress { ip, prefix: address.OnLinkPrefixLength, fitness: fitness(address) })
}

/// How fit an address is by its state (NL_DAD_STATE), which IPv4 addresses have here, too, and by its origin:
/// Windows makes up the temporary ones of RFC 8981 for a prefix that a router advertises.
fn fitness(address: &IP_ADAPTER_UNICAST_ADDRESS_LH) -> Fitness {
    let temporary = address.PrefixOrigin == IpPrefixOriginRouterAdvertisement
        && address.SuffixOrigin == IpSuffixOriginRandom;
    match address.DadState {
        state if state == IpDadStatePreferred && temporary => Fitness::Temporary,
        state if state == IpDadStatePreferred => Fitness::Lasting,
        state if state == IpDadStateDeprecated => Fitness::Deprecated,
        _ => Fitness::Unusable,
    }
}

/// The IP address in a socket address, if it is one.
///
/// # Safety
/// It is null or points to a socket address of the family it states.
unsafe fn ip(address: &SOCKET_ADDRESS) -> Option<IpAddr> {
    // SAFETY: the caller says that it is right.
    unsafe {
        let pointer = address.lpSockaddr;
        match pointer.as_ref()?.sa_family {
            AF_INET => {
                let address = &*pointer.cast::<SOCKADDR_IN>();
                Some(Ipv4Addr::from_bits(u32::from_be(address.sin_addr.S_un.S_addr)).into())
            }
            AF_INET6 => {
                let address = &*pointer.cast::<SOCKADDR_IN6>();
                Some(Ipv6Addr::from(address.sin6_addr.u.Byte).into())
            }
            _ => None,
        }
    }
}

/// A text of the system.
///
/// # Safety
/// `text` points to characters that end with a zero.
unsafe fn text(text: PCWSTR) -> String {
    // SAFETY: as the caller says; what is read ends before the zero.
    let characters = unsafe {
        let length = (0..).take_while(|i| *text.add(*i) != 0).count();
        slice::from_raw_parts(text, length)
    };
    String::from_utf16_lossy(characters)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_is_listed_with_its_address() {
        let interfaces = interfaces().unwrap();
        let loopback = interfaces.iter().find(|interface| interface.loopback).expect("a host has a loopback");
        let address =
            InterfaceAddress { ip: Ipv4Addr::LOCALHOST.into(), prefix: 8, fitness: Fitness::Lasting };
        assert!(loopback.addresses.contains(&address), "{:?}", loopback.addresses);
        assert_eq!(interface_index(&loopback.name), Some(loopback.index));
        assert_eq!(interface_index("no such"), None);
    }
}
