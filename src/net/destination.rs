//! Where a cast goes beside its groups: the `to` option.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use super::{InterfaceIndex, interface_index};

/// The longest name of an interface in bytes, of the systems that there are: IF_MAX_STRING_SIZE of Windows.
/// Linux has 15.
const MAX_INTERFACE_NAME: usize = 256;

/// One entry of the `to` option.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Destination {
    /// Whom to send to.
    pub host: Host,
    /// On which port.
    pub port: u16,
}

/// A host, as it is named.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Host {
    /// By its address.
    Address(IpAddr),
    /// By an IPv6 address of one link, and the link.
    Linked(Ipv6Addr, Scope),
    /// By a name that is to be resolved.
    Name(Arc<str>),
}

/// The interface in `fe80::1%eth0`, by its name or its index (RFC 4007 11).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Scope {
    /// Whatever interface has this name when something is sent.
    Name(Arc<str>),
    /// The interface with this index.
    Index(InterfaceIndex),
}

impl Destination {
    /// Parses `10.0.0.7`, `fd00::7`, `fe80::7%eth0` or a name, each alone or with a port: `10.0.0.7:9778`,
    /// `[fd00::7]:9778`, `peers.example:9778`.
    ///
    /// # Errors
    /// Why it is none of these, or cannot be sent to by unicast.
    pub fn parse(text: &str, default_port: u16) -> Result<Self, &'static str> {
        if text.contains('/') {
            return Err("neither a URL nor a network");
        }
        let (host, port) = split_port(text)?;
        let port = match port {
            None => default_port,
            Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
                digits.parse().ok().filter(|port| *port > 0).ok_or("a port is from 1 to 65535")?
            }
            Some(_) => return Err("a port is from 1 to 65535"),
        };
        Ok(Self { host: Host::parse(host)?, port })
    }
}

/// Takes the port off, if there is one. An IPv6 address is in brackets if a port follows.
fn split_port(text: &str) -> Result<(&str, Option<&str>), &'static str> {
    if let Some(bracketed) = text.strip_prefix('[') {
        let (host, rest) = bracketed.split_once(']').ok_or("a '[' needs a ']'")?;
        return match rest.strip_prefix(':') {
            _ if !host.contains(':') => Err("brackets are for IPv6 addresses"),
            Some(port) => Ok((host, Some(port))),
            None if rest.is_empty() => Ok((host, None)),
            None => Err("only a ':' and a port can follow the ']'"),
        };
    }
    match text.split_once(':') {
        Some((_, rest)) if rest.contains(':') => Ok((text, None)),
        Some((host, port)) => Ok((host, Some(port))),
        None => Ok((text, None)),
    }
}

impl Host {
    fn parse(text: &str) -> Result<Self, &'static str> {
        if let Some((address, scope)) = text.split_once('%') {
            let ip: Ipv6Addr = address.parse().map_err(|_| "a '%' follows only an IPv6 address")?;
            if !ip.is_unicast_link_local() {
                return Err("a '%' follows only an address of one link, fe80::/10");
            }
            return Ok(Self::Linked(ip, Scope::parse(scope)?));
        }
        match text.parse::<IpAddr>().map(|ip| ip.to_canonical()) {
            Ok(IpAddr::V6(ip)) if ip.is_unicast_link_local() => {
                Err("an address of one link, fe80::/10, needs its interface: fe80::1%eth0")
            }
            Ok(ip) if is_unicast(ip) => Ok(Self::Address(ip)),
            Ok(ip) if ip.is_multicast() => Err("a group is named in options.group"),
            Ok(IpAddr::V4(Ipv4Addr::BROADCAST)) => Err("to broadcast there is options.broadcast"),
            Ok(_) => Err("not the address of a host"),
            Err(_) => parse_name(text).map(|name| Self::Name(name.into())),
        }
    }
}

/// RFC 1123 2.1, and the underscore that some networks use.
fn parse_name(text: &str) -> Result<&str, &'static str> {
    let name = text.strip_suffix('.').unwrap_or(text);
    let is_label = |label: &str| {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        !label.is_empty() && label.len() <= 63 && !label.starts_with('-') && label.bytes().all(allowed)
    };
    // What resolvers take for an address, in octal, hexadecimal or cut short, nobody means by it. No domain at
    // the top is a number (RFC 3696 2).
    let last = name.rsplit('.').next().unwrap_or_default();
    let hexadecimal = last.to_ascii_lowercase().strip_prefix("0x").is_some_and(is_hexadecimal);
    let like_address = hexadecimal || last.bytes().all(|byte| byte.is_ascii_digit());
    if name.len() > 253 || like_address || !name.split('.').all(is_label) {
        return Err("neither an address nor a host name");
    }
    Ok(text)
}

fn is_hexadecimal(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Whether a datagram to this address is for one host. 0.0.0.0/8 and 240.0.0.0/4 are nobody's (RFC 6890).
pub(crate) fn is_unicast(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => matches!(ip.octets()[0], 1..=223),
        IpAddr::V6(ip) => !ip.is_multicast() && !ip.is_unspecified(),
    }
}

impl Scope {
    fn parse(text: &str) -> Result<Self, &'static str> {
        if text.is_empty() || text.len() > MAX_INTERFACE_NAME || text.contains(char::is_whitespace) {
            return Err("the name or number of an interface must follow the '%'");
        }
        if text.bytes().any(|byte| !byte.is_ascii_digit()) {
            return Ok(Self::Name(text.into()));
        }
        let index = text.parse().ok().filter(|index| *index > 0);
        index.map(|index| Self::Index(InterfaceIndex(index))).ok_or("interfaces are numbered from 1")
    }

    /// The interface that is meant, if it is there.
    pub fn index(&self) -> Option<InterfaceIndex> {
        match self {
            Self::Name(name) => interface_index(name),
            Self::Index(index) => Some(*index),
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Index(index) => index.0.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn destinations() {
        let address = |text: &str| Host::Address(text.parse().unwrap());
        let linked = |scope| Host::Linked("fe80::7".parse().unwrap(), scope);
        let eth0 = || linked(Scope::Name("eth0".into()));
        let name = |text: &str| Host::Name(text.into());
        for (text, host, port) in [
            ("10.0.0.7", address("10.0.0.7"), 9778),
            ("10.0.0.7:5", address("10.0.0.7"), 5),
            ("fd00::7", address("fd00::7"), 9778),
            ("[fd00::7]", address("fd00::7"), 9778),
            ("[FD00:0::7]:65535", address("fd00::7"), 65535),
            ("::ffff:10.0.0.7", address("10.0.0.7"), 9778),
            ("fe80::7%eth0", eth0(), 9778),
            ("[fe80::7%eth0]:80", eth0(), 80),
            ("fe80::7%2", linked(Scope::Index(InterfaceIndex(2))), 9778),
            ("localhost", name("localhost"), 9778),
            ("peers.default.svc.cluster.local:1", name("peers.default.svc.cluster.local"), 1),
            ("a_b-c.example.", name("a_b-c.example."), 9778),
            ("7eleven", name("7eleven"), 9778),
            ("0xy", name("0xy"), 9778),
            ("fe80::7%+2", linked(Scope::Name("+2".into())), 9778),
        ] {
            assert_eq!(Destination::parse(text, 9778), Ok(Destination { host, port }), "{text}");
        }
    }

    #[test]
    fn what_is_no_destination_is_refused() {
        for text in ["", ".", "10.0.0", "10.0.0.256", "1", "10.0.0.7:", "10.0.0.7:0", "10.0.0.7:65536"]
            .into_iter()
            .chain(["10.0.0.7:+5", "[fd00::7", "[fd00::7]5", "[10.0.0.7]:5", "[name]:5", "fd00::7::5"])
            .chain(["fe80::7", "[fe80::7]:5", "fe80::7%", "fd00::7%eth0", "10.0.0.7%eth0", "name%eth0"])
            .chain(["224.0.0.1", "ff02::1", "255.255.255.255", "0.0.0.0", "::", "a b", "a..b", "-a"])
            .chain([
                "0x7f000001",
                "0x7f.0X1",
                "127.1",
                "a.1",
                "240.0.0.1",
                "0.1.2.3",
                "fe80::7%0",
                "fe80::7%a b",
            ])
            .chain(["http://a.example", "a.example/x", "user@host", "gr\u{fc}n.example"])
        {
            assert!(Destination::parse(text, 9778).is_err(), "{text}");
        }
        assert!(Destination::parse(&"a".repeat(64), 1).is_err());
        assert!(Destination::parse(&["a"; 127].join("."), 1).is_ok());
        assert!(Destination::parse(&["a"; 128].join("."), 1).is_err());
    }
}
