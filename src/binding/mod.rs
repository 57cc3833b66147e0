//! The Node-API face of the engine: turns calls into commands and batches into arguments, and decides
//! nothing. Only this folder names napi.
//!
//! JavaScript makes one [`Client`] for each environment. Every function catches a panic and throws it, for
//! a panic that reached Node would end the process.

mod client;
mod discovery;
mod options;
#[cfg(feature = "test-hooks")]
pub mod test_hooks;

pub use client::Client;

use std::net::{IpAddr, Ipv4Addr};
use std::str::FromStr;

use crate::discover::announcement;
use crate::error;
use crate::net::{self, Destination, Interface, Selection};
use napi::Result;
use napi::bindgen_prelude::Either;
use napi_derive::napi;
use options::{Fault, InterfaceReport, parse_interfaces};

/// The version of lan-peers that this was built of.
#[napi]
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The most messages that one `take` gives.
#[napi]
pub const BATCH_MESSAGES: u32 = crate::engine::mailbox::BATCH_MESSAGES as u32;

/// The most payload that one `take` gives, in bytes.
#[napi]
pub const BATCH_BYTES: u32 = crate::engine::mailbox::BATCH_BYTES as u32;

/// The largest payload of a datagram, in bytes.
#[napi]
pub const MAX_PAYLOAD: u32 = crate::net::MAX_PAYLOAD as u32;

/// The address of a group in the one way it is written (RFC 5952 for IPv6); `null` if the text is none.
#[napi(catch_unwind)]
pub fn canonical_group(text: String) -> Option<String> {
    IpAddr::from_str(&text).ok().filter(IpAddr::is_multicast).map(|group| group.to_string())
}

/// Whether a text is the IPv4 address of a host: 0.0.0.0/8 and 240.0.0.0/4 are nobody's (RFC 6890), and between
/// are the groups.
#[napi(catch_unwind)]
pub fn is_ipv4_host(text: String) -> bool {
    Ipv4Addr::from_str(&text).is_ok_and(|address| (1..224).contains(&address.octets()[0]))
}

/// What is wrong with the first wrong one of some interface patterns; `null` if nothing is.
#[napi(catch_unwind)]
pub fn check_interfaces(patterns: Vec<String>) -> Option<String> {
    Selection::parse(patterns).err().map(|bad| bad.to_string())
}

/// What is wrong with an entry of the `to` option; `null` if nothing is.
#[napi(catch_unwind)]
pub fn check_destination(to: String) -> Option<String> {
    // Any port will do.
    Destination::parse(&to, 1).err().map(str::to_owned)
}

/// Whether a text may be a discovery's id.
#[napi(catch_unwind)]
pub fn is_id(id: String) -> bool {
    announcement::is_id(&id)
}

/// How long an announcement of this JSON can become, in bytes; `null` if it cannot be announced.
#[napi(catch_unwind)]
pub fn announcement_length(id: String, app: String, data: String, sealed: bool) -> Option<u32> {
    let length = announcement::longest(&app, &id, &data, sealed);
    announcement::is_announceable(&data).then_some(u32::try_from(length).unwrap_or(u32::MAX))
}

/// The interfaces of this host, and what a listener with these patterns would make of them.
#[napi(catch_unwind)]
pub fn interfaces(patterns: Vec<String>) -> Result<Either<Vec<InterfaceReport>, Fault>> {
    let selection = parse_interfaces(patterns)?;
    let describe = |interface: &Interface| InterfaceReport::of_selection(&selection, interface);
    Ok(match net::interfaces() {
        Ok(interfaces) => Either::A(interfaces.iter().map(describe).collect()),
        Err(error) => Either::B(error::Fault::new("getifaddrs", &error).into()),
    })
}
