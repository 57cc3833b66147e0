//! Which interfaces an object uses: the `interfaces` option.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::str::FromStr;

use super::{Interface, InterfaceIndex};

/// The parsed `interfaces` option: what to use and what to leave out.
///
/// With nothing to use named, the choice is automatic: every interface that is up, running,
/// multicast-capable, not point-to-point, and has an address.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    include: Vec<Pattern>,
    exclude: Vec<Pattern>,
}

/// An interface in use, and the address of it to send from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chosen {
    /// The interface.
    pub index: InterfaceIndex,
    /// The address named by the option, else the interface's first.
    pub address: Ipv4Addr,
}

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

#[derive(Clone, Debug)]
enum Pattern {
    /// A name in which `*` stands for any run of characters.
    Name(String),
    /// An address, or a network when the prefix is shorter than the address.
    Network(IpAddr, u8),
}

impl Selection {
    /// Parses patterns: interface names with `*`, addresses and CIDRs, each with `!` in front to exclude.
    pub fn parse<S: AsRef<str>>(patterns: impl IntoIterator<Item = S>) -> Result<Self, BadPattern> {
        let mut selection = Self::default();
        for given in patterns {
            let given = given.as_ref();
            let bad = |reason| BadPattern { pattern: given.to_owned(), reason };
            let (list, text) = match given.strip_prefix('!') {
                Some(text) => (&mut selection.exclude, text),
                None => (&mut selection.include, given),
            };
            list.push(Pattern::parse(text).map_err(bad)?);
        }
        Ok(selection)
    }

    /// The interfaces to listen on.
    pub fn listening(&self, interfaces: &[Interface]) -> Vec<Chosen> {
        interfaces.iter().filter_map(|interface| self.choose(interface)).collect()
    }

    /// The interfaces to send on: those to listen on, but loopback only when it was named or nothing else
    /// is usable.
    pub fn sending(&self, interfaces: &[Interface]) -> Vec<Chosen> {
        let loopback =
            |chosen: &Chosen| interfaces.iter().any(|one| one.index == chosen.index && one.loopback);
        let mut chosen = self.listening(interfaces);
        if self.include.is_empty() && chosen.iter().any(|one| !loopback(one)) {
            chosen.retain(|one| !loopback(one));
        }
        chosen
    }

    fn choose(&self, interface: &Interface) -> Option<Chosen> {
        let address = self.address(interface)?;
        Some(Chosen { index: interface.index, address })
    }

    fn address(&self, interface: &Interface) -> Option<Ipv4Addr> {
        if !interface.up || self.exclude.iter().any(|pattern| pattern.matches(interface)) {
            return None;
        }
        if self.include.is_empty() {
            let automatic =
                interface.loopback || (interface.running && interface.multicast && !interface.point_to_point);
            return if automatic { interface.ipv4().next() } else { None };
        }
        self.include.iter().filter(|pattern| pattern.matches(interface)).find_map(|pattern| match pattern {
            Pattern::Name(_) => interface.ipv4().next(),
            Pattern::Network(..) => interface.ipv4().find(|ip| pattern.covers(IpAddr::V4(*ip))),
        })
    }
}

impl Pattern {
    fn parse(text: &str) -> Result<Self, &'static str> {
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
            Err(_) if text.contains('!') => Err("'!' excludes only in front of a pattern, once"),
            Err(_) => Ok(Self::Name(text.to_owned())),
        }
    }

    fn matches(&self, interface: &Interface) -> bool {
        match self {
            Self::Name(glob) => glob_matches(glob.as_bytes(), interface.name.as_bytes()),
            Self::Network(..) => interface.addresses.iter().any(|address| self.covers(address.ip)),
        }
    }

    fn covers(&self, ip: IpAddr) -> bool {
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
    use super::super::InterfaceAddress;
    use super::*;

    fn interface(index: u32, name: &str, addresses: &[&str]) -> Interface {
        Interface {
            index: InterfaceIndex(index),
            name: name.into(),
            up: true,
            running: true,
            multicast: true,
            loopback: name == "lo",
            point_to_point: false,
            addresses: addresses
                .iter()
                .map(|text| {
                    let (ip, prefix) = text.split_once('/').expect("a test address has a prefix");
                    InterfaceAddress { ip: ip.parse().unwrap(), prefix: prefix.parse().unwrap() }
                })
                .collect(),
        }
    }

    fn host() -> Vec<Interface> {
        vec![
            interface(1, "lo", &["127.0.0.1/8", "::1/128"]),
            interface(2, "eth0", &["10.0.0.5/24", "10.0.1.5/24", "fe80::5/64"]),
            interface(3, "wlan0", &["192.168.1.9/24"]),
            interface(4, "docker0", &["172.17.0.1/16"]),
            Interface { point_to_point: true, ..interface(5, "tun0", &["10.8.0.2/32"]) },
            Interface { up: false, ..interface(6, "eth1", &["10.0.2.5/24"]) },
            Interface { running: false, ..interface(7, "eth2", &["10.0.3.5/24"]) },
            Interface { multicast: false, ..interface(8, "slip0", &["10.0.4.5/24"]) },
            interface(9, "veth1", &["fe80::1/64"]),
        ]
    }

    #[test]
    fn patterns_choose_interfaces() {
        let cases: &[(&[&str], &[u32], &[u32])] = &[
            // patterns, listened on, sent on
            (&[], &[1, 2, 3, 4], &[2, 3, 4]),
            (&["!docker0"], &[1, 2, 3], &[2, 3]),
            (&["!docker*", "!wlan0"], &[1, 2], &[2]),
            (&["!10.0.1.0/24", "!192.168.1.9"], &[1, 4], &[4]),
            (&["!lo"], &[2, 3, 4], &[2, 3, 4]),
            (&["eth0"], &[2], &[2]),
            (&["eth*"], &[2, 7], &[2, 7]),
            (&["*th*", "!eth2"], &[2], &[2]),
            (&["*"], &[1, 2, 3, 4, 5, 7, 8], &[1, 2, 3, 4, 5, 7, 8]),
            (&["tun0"], &[5], &[5]),
            (&["127.0.0.1"], &[1], &[1]),
            (&["lo", "wlan0"], &[1, 3], &[1, 3]),
            (&["10.0.0.0/16"], &[2, 7, 8], &[2, 7, 8]),
            (&["0.0.0.0/0", "!127.0.0.0/8"], &[2, 3, 4, 5, 7, 8], &[2, 3, 4, 5, 7, 8]),
            (&["nosuch"], &[], &[]),
            (&["fe80::5"], &[], &[]),
            (&["fe80::5", "eth0"], &[2], &[2]),
            (&["fe80::/10", "10.0.0.0/16", "!eth2"], &[2, 8], &[2, 8]),
        ];
        for (patterns, listening, sending) in cases {
            let selection = Selection::parse(*patterns).unwrap();
            let indexes = |chosen: Vec<Chosen>| chosen.iter().map(|one| one.index.0).collect::<Vec<_>>();
            assert_eq!(&indexes(selection.listening(&host())), listening, "{patterns:?} listening");
            assert_eq!(&indexes(selection.sending(&host())), sending, "{patterns:?} sending");
        }
    }

    #[test]
    fn loopback_is_sent_on_when_nothing_else_is_usable() {
        let alone = &host()[..1];
        let selection = Selection::default();
        assert_eq!(selection.sending(alone).len(), 1);
        assert_eq!(Selection::parse(["!lo"]).unwrap().sending(alone), []);
    }

    #[test]
    fn a_named_address_is_the_one_sent_from() {
        let address = |pattern: &str| Selection::parse([pattern]).unwrap().sending(&host())[0].address;
        assert_eq!(address("eth0"), Ipv4Addr::new(10, 0, 0, 5));
        assert_eq!(address("10.0.1.5"), Ipv4Addr::new(10, 0, 1, 5));
        assert_eq!(address("10.0.1.0/24"), Ipv4Addr::new(10, 0, 1, 5));
    }

    #[test]
    fn what_is_no_pattern_is_refused() {
        for pattern in ["", "!", "!!eth0", "10.0.0.0/33", "10.0.0.0/", "10.0.0.0/+8", "/24", "eth0/24"]
            .into_iter()
            .chain(["fe80::/129", "10.0.0", "1.2.3.4.5", "300.1.1.1", "eth!0"])
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
