//! Which interfaces an object uses: the `interfaces` option.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;

use super::pattern::Pattern;
use super::{BadPattern, Family, Fitness, Interface, InterfaceAddress, InterfaceIndex};

/// The parsed `interfaces` option: what to use and what to leave out.
///
/// With nothing to use named, the choice is automatic: every interface that is up, running,
/// multicast-capable, not point-to-point, and has an address.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
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
    /// What about it may be in the way, though it is used.
    pub obstacle: Option<Obstacle>,
    /// Its addresses of the family that may be used; at least one.
    addresses: Vec<InterfaceAddress>,
}

/// What mostly keeps multicast from getting through, though the system may not say so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Obstacle {
    /// It has no carrier: what is sent goes nowhere.
    NoCarrier,
    /// It has exactly one other end.
    PointToPoint,
}

/// Why an interface is not used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unused {
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
    /// Another interface may still come up.
    OthersMayCome,
    /// No system delivers IPv6 multicast there, or not reliably.
    LoopbackV6,
    /// The object has no group of this family.
    NoGroup(Family),
    /// What is sent there is for nobody: a broadcast on loopback, or what may neither leave the host nor be heard on it.
    Nobody,
}

impl Unused {
    /// Whether it is used as soon as that is over: nothing but time, or a change of the interface, is missing.
    pub fn is_waiting(&self) -> bool {
        matches!(self, Self::Down | Self::NoCarrier | Self::NoAddress | Self::OthersMayCome)
    }

    /// The cure, in a sentence, where there is one that is not plain from the reason.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::NoCarrier => Some(Obstacle::NoCarrier.hint()),
            Self::PointToPoint => Some(
                "It has one other end, as most VPNs have, and few of those carry multicast; to try, name it in \
                 options.interfaces.",
            ),
            Self::NoMulticast => Some("To try it all the same, name it in options.interfaces."),
            _ => None,
        }
    }
}

impl fmt::Display for Obstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoCarrier => "no carrier",
            Self::PointToPoint => "point-to-point",
        })
    }
}

impl Obstacle {
    /// The cure, in a sentence.
    pub fn hint(self) -> &'static str {
        match self {
            Self::NoCarrier => {
                "The interface has no carrier: plug the cable in, or join the Wi-Fi; it is used once it has one."
            }
            Self::PointToPoint => {
                "The interface has one other end, as most VPNs have, and few of those carry multicast: use \
                 options.to with the addresses of the others."
            }
        }
    }
}

impl fmt::Display for Unused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Excluded(pattern) => write!(f, "excluded by {pattern}"),
            Self::NotNamed => f.write_str("not named in interfaces"),
            Self::OtherFamilyNamed(family) => write!(f, "no {family} address of it is named in interfaces"),
            Self::Down => f.write_str("down"),
            Self::NoCarrier => Obstacle::NoCarrier.fmt(f),
            Self::NoMulticast => f.write_str("not capable of multicast"),
            Self::PointToPoint => Obstacle::PointToPoint.fmt(f),
            Self::NoAddress => f.write_str("no address yet"),
            Self::OthersAreUsable => f.write_str("loopback is sent on only while nothing else is usable"),
            Self::OthersMayCome => {
                f.write_str("loopback is sent on once nothing else has been usable for 2 s")
            }
            Self::LoopbackV6 => f.write_str("loopback carries no IPv6 multicast"),
            Self::NoGroup(family) => write!(f, "no {family} group"),
            Self::Nobody => f.write_str("nobody to send to"),
        }
    }
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

    /// Whether nothing is named, so that the choice is automatic.
    pub fn is_automatic(&self) -> bool {
        self.include.is_empty()
    }

    /// Whether some are named and none of them is there.
    pub fn names_none_of(&self, interfaces: &[Interface]) -> bool {
        let named = |interface| self.include.iter().any(|pattern| pattern.matches(interface));
        !self.is_automatic() && !interfaces.iter().any(named)
    }

    /// For each interface whether it is listened on, or why not.
    pub fn listening(&self, interfaces: &[Interface], family: Family) -> Vec<Result<Chosen, Unused>> {
        interfaces.iter().map(|interface| self.choose(interface, family)).collect()
    }

    /// For each interface whether it is sent on, or why not: as for listening, but loopback only when it was
    /// named or nothing else is usable, and for IPv6 never; and nothing without an address that the system lets
    /// be sent from, as an IPv6 one is not until it is known that nobody else has it (RFC 4862 5.4).
    pub fn sending(&self, interfaces: &[Interface], family: Family) -> Vec<Result<Chosen, Unused>> {
        let mut verdicts = self.listening(interfaces, family);
        for verdict in &mut verdicts {
            if let Ok(chosen) = verdict {
                chosen.addresses.retain(|address| address.fitness != Fitness::Unusable);
                if chosen.addresses.is_empty() {
                    *verdict = Err(Unused::NoAddress);
                }
            }
        }
        let others = verdicts.iter().flatten().any(|chosen| !chosen.loopback);
        for verdict in &mut verdicts {
            match verdict {
                Ok(chosen) if !chosen.multicast => *verdict = Err(Unused::LoopbackV6),
                Ok(chosen) if chosen.loopback && others && self.is_automatic() => {
                    *verdict = Err(Unused::OthersAreUsable);
                }
                _ => {}
            }
        }
        verdicts
    }

    /// Whether an interface is listened on, or why not. One that delivers no multicast still delivers what is
    /// sent straight to this host.
    pub fn choose(&self, interface: &Interface, family: Family) -> Result<Chosen, Unused> {
        if let Some(pattern) = self.exclude.iter().find(|pattern| pattern.matches(interface)) {
            return Err(Unused::Excluded(format!("!{pattern}").into()));
        }
        let named = !self.is_automatic();
        if named && !self.include.iter().any(|pattern| pattern.matches(interface)) {
            return Err(Unused::NotNamed);
        }
        let automatic = !named && !interface.loopback;
        if automatic && interface.point_to_point {
            return Err(Unused::PointToPoint);
        }
        if automatic && !interface.multicast {
            return Err(Unused::NoMulticast);
        }
        if !interface.up {
            return Err(Unused::Down);
        }
        if automatic && !interface.running {
            return Err(Unused::NoCarrier);
        }
        let all: Vec<_> = interface.addresses_of(family).collect();
        if all.is_empty() {
            return Err(Unused::NoAddress);
        }
        let addresses = if named { self.named_addresses(interface, all) } else { all };
        if addresses.is_empty() {
            return Err(Unused::OtherFamilyNamed(family));
        }
        let &Interface { index, ref name, loopback, .. } = interface;
        let multicast = !loopback || family == Family::V4;
        let obstacle = if loopback {
            None
        } else if !interface.running {
            Some(Obstacle::NoCarrier)
        } else {
            interface.point_to_point.then_some(Obstacle::PointToPoint)
        };
        Ok(Chosen { index, name: Arc::clone(name), loopback, multicast, obstacle, addresses })
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

    fn indexes(verdicts: Vec<Result<Chosen, Unused>>) -> Vec<u32> {
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
    fn what_is_unused_says_why() {
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
                "loopback is sent on only while nothing else is usable",
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
        assert!(sending(&["!lo"]).is_empty());
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
        let selection = Selection::parse(["eth0"]).unwrap();
        assert_eq!(selection.sending(&host, Family::V6)[1], Err(Unused::NoAddress), "it may become usable");
        assert!(selection.listening(&host, Family::V6)[1].is_ok(), "that needs no address");
    }

    fn source(host: &[Interface], pattern: &str, group: &str) -> String {
        let group: IpAddr = group.parse().unwrap();
        let verdicts = Selection::parse([pattern]).unwrap().sending(host, Family::of(group));
        verdicts.iter().flatten().next().unwrap().source_for(group).ip.to_string()
    }
}
