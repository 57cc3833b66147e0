//! The engine: one native thread that owns every socket and every deadline.
//!
//! There is one for each loaded copy of this library. It starts with the first object opened in the process
//! and is joined when the last one closes; while nothing arrives and nothing is due it sleeps. Nothing in it
//! is shared, so nothing in it is locked. Others talk to it through [`Client`]: commands in, and a
//! [`Doorbell`] out.
//!
//! - [`client`]: a JavaScript environment's way to the engine
//! - `process`: the engine's thread, its beginning and its end
//! - [`run`]: the loop, the commands it takes
//! - `network`: what is known of the interfaces
//! - [`timers`], [`backoff`], [`chance`]: deadlines, and when to try again
//! - [`mailbox`], [`peers`], [`doorbell`]: what waits for JavaScript, and how it is called
//! - `sync`, `models`: locks and threads, and the test that runs what uses them in every order

pub mod backoff;
pub mod chance;
pub mod client;
pub mod doorbell;
pub mod mailbox;
#[cfg(all(test, loom))]
mod models;
mod network;
pub mod peers;
pub(crate) mod process;
mod run;
mod sync;
pub mod timers;

pub use client::{Client, OpenError, Opened};
pub use doorbell::{Doorbell, Notice, Taken};
pub(crate) use run::Deadline;

/// Names an open object, in this process for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ObjectId(pub u32);

/// The counts of a listener.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ListenerStats {
    /// Datagrams that were for it.
    pub received: u64,
    /// Their payload in bytes.
    pub bytes: u64,
    /// Datagrams dropped because JavaScript did not fetch them in time.
    pub dropped: u64,
    /// Datagrams the kernel dropped at its socket since it was opened.
    pub lost: u64,
    /// The socket's receive buffer in bytes, as the system reports it.
    pub receive_buffer: u64,
}
