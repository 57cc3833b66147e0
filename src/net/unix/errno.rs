//! The system's error numbers, which are those that Node knows.

use std::io;

pub use libc::{
    EACCES, EADDRINUSE, EADDRNOTAVAIL, EAFNOSUPPORT, EAGAIN, EHOSTUNREACH, EIO, EMFILE, EMSGSIZE, ENETDOWN,
    ENETUNREACH, ENFILE, ENOBUFS, ENODEV, ENOMEM, EPERM,
};

/// The number of an error; EIO for one that has none of its own.
pub fn of(error: &io::Error) -> i32 {
    error.raw_os_error().unwrap_or(EIO)
}
