//! The native core of lan-peers: UDP multicast on a thread of its own.
//!
//! Data flows one way: [`net`] hears, [`listen`] decides for whom, [`engine`] keeps it until JavaScript
//! comes for it through [`binding`]. The other way go commands, and [`cast`] sends.
//! [`discover`] will be both at once; so far nothing uses it.

// The models have an engine of their own.
#![cfg_attr(all(test, loom), allow(dead_code))]

pub mod binding;
pub mod cast;
pub mod discover;
pub mod engine;
pub mod error;
pub mod listen;
pub mod net;
pub mod report;
