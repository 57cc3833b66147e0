//! The system's error numbers, which are those that Node knows.

use std::io;

pub use libc::{
    EACCES, EADDRINUSE, EADDRNOTAVAIL, EAFNOSUPPORT, EAGAIN, EHOSTUNREACH, EIO, EMFILE, EMSGSIZE, ENETDOWN,
    ENETUNREACH, ENFILE, ENOBUFS, ENODEV, ENOMEM, EPERM,
};

/// What a send fails with where a queue is full. On macOS the queue is the interface's, which says ENOBUFS (send(2)).
pub const QUEUE_IS_FULL: &[i32] = if cfg!(target_os = "macos") { &[EAGAIN, ENOBUFS] } else { &[EAGAIN] };

/// The number of an error; EIO for one that has none of its own.
pub fn of(error: &io::Error) -> i32 {
    error.raw_os_error().unwrap_or(EIO)
}
