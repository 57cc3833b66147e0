//! What an object does with each interface of the host, for whoever asks.

use crate::error::Fault;
use crate::net::{Family, Interface, Obstacle, Unused};

/// An interface, and what an object does with it in each family.
#[derive(Clone, Debug)]
pub struct InterfaceReport {
    /// The interface as it is now.
    pub interface: Interface,
    /// What is done with it over IPv4.
    pub v4: Usage,
    /// What is done with it over IPv6.
    pub v6: Usage,
}

/// What an object does with an interface in one family.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Usage {
    /// A listener hears its groups there; a cast sends there. It may be in vain.
    Joined(Option<Obstacle>),
    /// It is left out, for good or until something changes ([`Unused::is_waiting`]).
    Unused(Unused),
    /// It is tried and refused.
    Failing(Fault),
}

/// Reports on all interfaces; `usage` is asked for each of them by its position, and each family.
pub(crate) fn report(
    interfaces: &[Interface],
    usage: impl Fn(usize, Family) -> Usage,
) -> Vec<InterfaceReport> {
    let of = |(i, interface): (usize, &Interface)| InterfaceReport {
        interface: interface.clone(),
        v4: usage(i, Family::V4),
        v6: usage(i, Family::V6),
    };
    interfaces.iter().enumerate().map(of).collect()
}
