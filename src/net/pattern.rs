//! One pattern of the `interfaces` option.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

use super::Interface;

/// A pattern that means nothing, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadPattern {
    /// The pattern as it was given.
    pub pattern: String,
    /// What is wrong with it.
    pub reason: &'static str,
}

impl fmt::Display for BadPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: '{}'", self.reason, self.pattern)
    }
}

impl std::error::Error for BadPattern {}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Pattern {
    /// A name in which `*` stands for any run of characters.
    Name(String),
    /// An address, or a network when the prefix is shorter than the address.
    Network(IpAddr, u8),
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Network(ip, prefix) if *prefix == if ip.is_ipv4() { 32 } else { 128 } => ip.fmt(f),
            Self::Network(ip, prefix) => write!(f, "{ip}/{prefix}"),
        }
    }
}

impl Pattern {
    /// Parses a pattern without its `!`.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn parse(text: &str) -> Result<Self, &'static str> {
        if text.is_empty() {
            return Err("a pattern may not be empty");
        }
        if let Some((address, prefix)) = text.split_once('/') {
            let ip = IpAddr::from_str(address).map_err(|_| "a CIDR needs an address before the '/'")?;
            let most = if ip.is_ipv4() { 32 } else { 128 };
            let digits = !prefix.is_empty() && prefix.bytes().all(|byte| byte.is_ascii_digit());
            return match prefix.parse::<u8>() {
                Ok(bits) if digits && bits <= most => Ok(Self::Network(ip, bits)),
                _ if most == 32 => Err("an IPv4 CIDR ends in a prefix length from 0 to 32"),
                _ => Err("an IPv6 CIDR ends in a prefix length from 0 to 128"),
            };
        }
        match IpAddr::from_str(text) {
            Ok(ip) => Ok(Self::Network(ip, if ip.is_ipv4() { 32 } else { 128 })),
            // A name never looks like an address that almost is one.
            Err(_) if text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') => {
                Err("neither an interface name nor an address")
            }
            Err(_) if text.split_once('%').is_some_and(|(ip, _)| Ipv6Addr::from_str(ip).is_ok()) => {
                Err("an address has no '%' here; the interface can be named itself")
            }
            Err(_) if text.contains('!') => Err("'!' excludes only in front of a pattern, once"),
            Err(_) => Ok(Self::Name(text.to_owned())),
        }
    }

    /// Whether it means this interface: by its name, or by one of its addresses.
    pub(super) fn matches(&self, interface: &Interface) -> bool {
        match self {
            Self::Name(glob) => glob_matches(glob.as_bytes(), interface.name.as_bytes()),
            Self::Network(..) => interface.addresses.iter().any(|address| self.covers(address.ip)),
        }
    }

    /// Whether an address is in its network.
    pub(super) fn covers(&self, ip: IpAddr) -> bool {
        match (self, ip) {
            (Self::Network(IpAddr::V4(network), bits), IpAddr::V4(ip)) => {
                same_prefix(u128::from(network.to_bits()) << 96, u128::from(ip.to_bits()) << 96, *bits)
            }
            (Self::Network(IpAddr::V6(network), bits), IpAddr::V6(ip)) => {
                same_prefix(network.to_bits(), ip.to_bits(), *bits)
            }
            _ => false,
        }
    }
}

fn same_prefix(a: u128, b: u128, bits: u8) -> bool {
    // Shifting by the whole width is not defined; a prefix of 0 covers everything.
    bits == 0 || (a ^ b) >> (128 - u32::from(bits)) == 0
}

/// `*` in `glob` stands for any run of characters, the empty one included.
fn glob_matches(glob: &[u8], name: &[u8]) -> bool {
    // Where to go on when what follows the last star does not fit: one character further.
    let mut retry: Option<(usize, usize)> = None;
    let (mut g, mut n) = (0, 0);
    while n < name.len() {
        match glob.get(g) {
            Some(b'*') => {
                retry = Some((g + 1, n + 1));
                g += 1;
            }
            Some(&byte) if byte == name[n] => {
                g += 1;
                n += 1;
            }
            _ => match retry {
                Some((after_star, next)) => {
                    (g, n) = (after_star, next);
                    retry = Some((after_star, next + 1));
                }
                None => return false,
            },
        }
    }
    glob[g..].iter().all(|&byte| byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::super::Selection;
    use super::*;

    #[test]
    fn what_is_no_pattern_is_refused() {
        for pattern in ["", "!", "!!eth0", "10.0.0.0/33", "10.0.0.0/", "10.0.0.0/+8", "/24", "eth0/24"]
            .into_iter()
            .chain(["fe80::/129", "10.0.0", "1.2.3.4.5", "300.1.1.1", "eth!0", "fe80::1%eth0"])
        {
            let error = Selection::parse([pattern]).expect_err(pattern);
            assert_eq!(error.pattern, pattern);
        }
    }

    #[test]
    fn globs() {
        for (glob, name, expected) in [
            ("eth0", "eth0", true),
            ("eth0", "eth01", false),
            ("*", "", true),
            ("e*0", "eth0", true),
            ("*a*b*", "xaxxb", true),
            ("*a*b", "xaxbx", false),
            ("**th*", "eth0", true),
            ("veth*", "eth0", false),
        ] {
            assert_eq!(glob_matches(glob.as_bytes(), name.as_bytes()), expected, "{glob} {name}");
        }
    }
}
