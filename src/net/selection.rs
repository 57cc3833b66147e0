//! Which interfaces an object uses: the `interfaces` option.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;
use std::sync::Arc;

use super::{Family, Fitness, Interface, InterfaceAddress, InterfaceIndex};

/// The parsed `interfaces` option: what to use and what to leave out.
///
/// With nothing to use named, the choice is automatic: every interface that is up, running,
/// multicast-capable, not point-to-point, and has an address.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    include: Vec<Pattern>,
    exclude: Vec<Pattern>,
}

/// An interface in use for one family.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chosen {
    /// The interface.
    pub index: InterfaceIndex,
    /// Its name.
    pub name: Arc<str>,
    /// Whether it is the loopback interface.
    pub loopback: bool,
    /// Whether it delivers multicast of the family.
    pub multicast: bool,
    /// Its addresses of the family that may be used; at least one.
    addresses: Vec<InterfaceAddress>,
}

/// Why an interface is not used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Skipped {
    /// By this pattern, with its `!`.
    Excluded(Arc<str>),
    /// Others are named.
    NotNamed,
    /// It is named by addresses of the other family.
    OtherFamilyNamed(Family),
    /// It is switched off.
    Down,
    /// No cable, no Wi-Fi.
    NoCarrier,
    /// It does not say that it carries multicast.
    NoMulticast,
    /// It has exactly one other end.
    PointToPoint,
    /// It has no address of the family.
    NoAddress,
    /// Sending on loopback reaches nobody that the others do not reach.
    OthersAreUsable,
    /// No system delivers IPv6 multicast there, or not reliably.
    LoopbackV6,
    /// The object has no group of this family.
    NoGroup(Family),
    /// It was not there, or not usable, when the object looked.
    NotThen,
}

impl fmt::Display for Skipped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Excluded(pattern) => write!(f, "excluded by {pattern}"),
            Self::NotNamed => f.write_str("not named in interfaces"),
            Self::OtherFamilyNamed(family) => write!(f, "no {family} address of it is named in interfaces"),
            Self::Down => f.write_str("down"),
            Self::NoCarrier => f.write_str("no carrier"),
            Self::NoMulticast => f.write_str("not capable of multicast"),
            Self::PointToPoint => f.write_str("point-to-point"),
            Self::NoAddress => f.write_str("no address yet"),
            Self::OthersAreUsable => f.write_str("loopback is sent on only when nothing else is usable"),
            Self::LoopbackV6 => f.write_str("loopback carries no IPv6 multicast"),
            Self::NoGroup(family) => write!(f, "no {family} group"),
            Self::NotThen => f.write_str("not usable when this was opened"),
        }
    }
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

    /// For each interface whether it is listened on, or why not.
    pub fn listening(&self, interfaces: &[Interface], family: Family) -> Vec<Result<Chosen, Skipped>> {
        interfaces.iter().map(|interface| self.choose(interface, family)).collect()
    }

    /// For each interface whether it is sent on, or why not: as for listening, but loopback only when it was
    /// named or nothing else is usable, and for IPv6 never.
    pub fn sending(&self, interfaces: &[Interface], family: Family) -> Vec<Result<Chosen, Skipped>> {
        let mut verdicts = self.listening(interfaces, family);
        let others = verdicts.iter().flatten().any(|chosen| !chosen.loopback);
        for verdict in &mut verdicts {
            match verdict {
                Ok(chosen) if !chosen.multicast => *verdict = Err(Skipped::LoopbackV6),
                Ok(chosen) if chosen.loopback && others && self.include.is_empty() => {
                    *verdict = Err(Skipped::OthersAreUsable);
                }
                _ => {}
            }
        }
        verdicts
    }

    /// Whether an interface is listened on, or why not. One that delivers no multicast still delivers what is
    /// sent straight to this host.
    pub fn choose(&self, interface: &Interface, family: Family) -> Result<Chosen, Skipped> {
        if let Some(pattern) = self.exclude.iter().find(|pattern| pattern.matches(interface)) {
            return Err(Skipped::Excluded(format!("!{pattern}").into()));
        }
        let named = !self.include.is_empty();
        if named && !self.include.iter().any(|pattern| pattern.matches(interface)) {
            return Err(Skipped::NotNamed);
        }
        if !interface.up {
            return Err(Skipped::Down);
        }
        if !named && !interface.loopback {
            if interface.point_to_point {
                return Err(Skipped::PointToPoint);
            }
            if !interface.multicast {
                return Err(Skipped::NoMulticast);
            }
            if !interface.running {
                return Err(Skipped::NoCarrier);
            }
        }
        let all: Vec<_> = interface.addresses_of(family).collect();
        if all.is_empty() {
            return Err(Skipped::NoAddress);
        }
        let addresses = if named { self.named_addresses(interface, all) } else { all };
        if addresses.is_empty() {
            return Err(Skipped::OtherFamilyNamed(family));
        }
        let &Interface { index, ref name, loopback, .. } = interface;
        let multicast = !loopback || family == Family::V4;
        Ok(Chosen { index, name: Arc::clone(name), loopback, multicast, addresses })
    }

    /// Of some addresses of an interface those that the first pattern for them names: all, if it is a name.
    fn named_addresses(&self, interface: &Interface, all: Vec<InterfaceAddress>) -> Vec<InterfaceAddress> {
        let named = self.include.iter().filter(|pattern| pattern.matches(interface)).find_map(|pattern| {
            let mut addresses = all.clone();
            if matches!(pattern, Pattern::Network(..)) {
                addresses.retain(|address| pattern.covers(address.ip));
            }
            (!addresses.is_empty()).then_some(addresses)
        });
        named.unwrap_or_default()
    }
}

impl Chosen {
    /// The address to send from to `group`: the first of those named by the option, else of all. For IPv6 one
    /// that reaches as far as the group does, if there is one (RFC 6724 5, rule 2): of the link for
    /// `ff02::1`, wider for `ff05::1`; and of these the fittest.
    pub fn source_for(&self, group: IpAddr) -> InterfaceAddress {
        let link_local = matches!(group, IpAddr::V6(group) if is_within_link(group));
        let rank = |address: &&InterfaceAddress| {
            let reaches = match address.ip {
                IpAddr::V4(_) => true,
                IpAddr::V6(ip) => ip.is_unicast_link_local() == link_local,
            };
            (address.fitness == Fitness::Unusable, !reaches, address.fitness)
        };
        // Of equals the first.
        let best = self.addresses.iter().min_by_key(rank);
        *best.expect("choose takes no interface without an address")
    }
}

/// Whether an IPv6 group is of the interface or of the link: scope 1 or 2 of RFC 4291 2.7.
fn is_within_link(group: Ipv6Addr) -> bool {
    matches!(group.octets()[1] & 0x0f, 1 | 2)
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
            Err(_) if text.split_once('%').is_some_and(|(ip, _)| Ipv6Addr::from_str(ip).is_ok()) => {
                Err("an address has no '%' here; the interface can be named itself")
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
                    InterfaceAddress {
                        ip: ip.parse().unwrap(),
                        prefix: prefix.parse().unwrap(),
                        fitness: Fitness::Lasting,
                    }
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

    fn indexes(verdicts: Vec<Result<Chosen, Skipped>>) -> Vec<u32> {
        verdicts.iter().flatten().map(|one| one.index.0).collect()
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
            let (v4, host) = (Family::V4, host());
            assert_eq!(&indexes(selection.listening(&host, v4)), listening, "{patterns:?} listening");
            assert_eq!(&indexes(selection.sending(&host, v4)), sending, "{patterns:?} sending");
        }
    }

    #[test]
    fn for_ipv6_an_address_of_it_counts_and_loopback_is_not_sent_on() {
        let cases: &[(&[&str], &[u32], &[u32])] = &[
            // patterns, listened on, sent on
            (&[], &[1, 2, 9], &[2, 9]),
            (&["!lo", "!eth*"], &[9], &[9]),
            (&["fe80::5"], &[2], &[2]),
            (&["fe80::/10"], &[2, 9], &[2, 9]),
            (&["lo"], &[1], &[]),
            (&["127.0.0.1"], &[], &[]),
            (&["10.0.0.0/8"], &[], &[]),
            (&["10.0.0.0/8", "eth0"], &[2], &[2]),
        ];
        for (patterns, listening, sending) in cases {
            let selection = Selection::parse(*patterns).unwrap();
            let (v6, host) = (Family::V6, host());
            assert_eq!(&indexes(selection.listening(&host, v6)), listening, "{patterns:?} listening");
            assert_eq!(&indexes(selection.sending(&host, v6)), sending, "{patterns:?} sending");
        }
    }

    #[test]
    fn what_is_skipped_says_why() {
        let reasons = |patterns: &[&str], family| -> Vec<String> {
            let verdicts = Selection::parse(patterns).unwrap().sending(&host(), family);
            verdicts
                .into_iter()
                .map(|verdict| verdict.map_or_else(|why| why.to_string(), |_| String::new()))
                .collect()
        };
        let auto = reasons(&["!docker*", "!192.168.0.0/16"], Family::V4);
        assert_eq!(
            auto,
            [
                "loopback is sent on only when nothing else is usable",
                "",
                "excluded by !192.168.0.0/16",
                "excluded by !docker*",
                "point-to-point",
                "down",
                "no carrier",
                "not capable of multicast",
                "no address yet",
            ]
        );
        let named = reasons(&["10.0.0.5", "lo", "wlan0"], Family::V6);
        let expected = [
            "loopback carries no IPv6 multicast",
            "no IPv6 address of it is named in interfaces",
            "no address yet",
        ];
        assert_eq!(named[..3], expected);
        assert_eq!(named[3..], ["not named in interfaces"; 6]);
    }

    #[test]
    fn loopback_is_sent_on_when_nothing_else_is_usable() {
        let alone = &host()[..1];
        let sending =
            |patterns: &[&str]| indexes(Selection::parse(patterns).unwrap().sending(alone, Family::V4));
        assert_eq!(sending(&[]), [1]);
        assert_eq!(sending(&["!lo"]), []);
    }

    #[test]
    fn the_address_sent_from_is_the_one_named_or_reaches_as_far_as_the_group() {
        let mut host = host();
        let address =
            |text: &str, fitness| InterfaceAddress { ip: text.parse().unwrap(), prefix: 64, fitness };
        host[1].addresses.push(address("fd00::5", Fitness::Lasting));
        let source = |pattern: &str, group: &str| source(&host, pattern, group);
        assert_eq!(source("eth0", "224.0.0.1"), "10.0.0.5");
        assert_eq!(source("10.0.1.5", "224.0.0.1"), "10.0.1.5");
        assert_eq!(source("10.0.1.0/24", "224.0.0.1"), "10.0.1.5");
        assert_eq!(source("eth0", "ff02::1"), "fe80::5");
        assert_eq!(source("eth0", "ff12::4d4d"), "fe80::5");
        assert_eq!(source("eth0", "ff05::1"), "fd00::5");
        assert_eq!(source("fd00::/8", "ff02::1"), "fd00::5");
        assert_eq!(source("veth1", "ff05::1"), "fe80::1", "what there is");
    }

    #[test]
    fn the_fittest_address_is_sent_from() {
        let mut host = host();
        let address =
            |text: &str, fitness| InterfaceAddress { ip: text.parse().unwrap(), prefix: 64, fitness };
        host[1].addresses = vec![
            address("fd00::1", Fitness::Unusable),
            address("fe80::1", Fitness::Unusable),
            address("fd00::2", Fitness::Deprecated),
            address("fd00::3", Fitness::Temporary),
        ];
        assert_eq!(source(&host, "eth0", "ff05::1"), "fd00::3");
        assert_eq!(source(&host, "eth0", "ff02::1"), "fd00::3", "rather than one that is refused");
        host[1].addresses.push(address("fd00::4", Fitness::Lasting));
        assert_eq!(source(&host, "eth0", "ff05::1"), "fd00::4");
        host[1].addresses.truncate(2);
        assert_eq!(source(&host, "eth0", "ff02::1"), "fe80::1", "it may become usable");
    }

    fn source(host: &[Interface], pattern: &str, group: &str) -> String {
        let group: IpAddr = group.parse().unwrap();
        let verdicts = Selection::parse([pattern]).unwrap().sending(host, Family::of(group));
        verdicts.iter().flatten().next().unwrap().source_for(group).ip.to_string()
    }

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
