//! The native core of lan-peers: UDP multicast on a thread of its own.
//!
//! Data flows one way: [`net`] hears, [`listen`] decides for whom, [`engine`] keeps it until JavaScript
//! comes for it through [`binding`]. The other way go commands, and [`cast`] sends.
//! [`discover`] is both at once, without a socket of its own; [`discovering`] gives it those of the others.

// Fuzzing and the models need a part of it.
#![cfg_attr(any(fuzzing, loom), allow(dead_code))]

#[cfg(not(any(fuzzing, loom)))]
pub mod binding;
pub mod cast;
pub mod discover;
pub mod discovering;
pub mod engine;
pub mod error;
pub mod listen;
pub mod net;
pub mod report;
