//! The Node-API face of the engine: turns calls into commands and batches into arguments, and decides
//! nothing. Only this folder names napi.
//!
//! JavaScript makes one [`Client`] for each environment. Every function catches a panic and throws it, for
//! a panic that reached Node would end the process.

mod client;
mod options;

pub use client::Client;

use napi_derive::napi;

use crate::net::Selection;

/// The most messages that one `take` gives.
#[napi]
pub const BATCH_MESSAGES: u32 = crate::engine::mailbox::BATCH_MESSAGES as u32;

/// The most payload that one `take` gives, in bytes.
#[napi]
pub const BATCH_BYTES: u32 = crate::engine::mailbox::BATCH_BYTES as u32;

/// The largest payload of a datagram, in bytes.
#[napi]
pub const MAX_PAYLOAD: u32 = crate::net::MAX_PAYLOAD as u32;

/// What is wrong with the first wrong one of some interface patterns; `null` if nothing is.
#[napi(catch_unwind)]
pub fn check_interfaces(patterns: Vec<String>) -> Option<String> {
    Selection::parse(patterns).err().map(|bad| bad.to_string())
}
