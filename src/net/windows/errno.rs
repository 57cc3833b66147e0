//! The error numbers that Node knows: libuv's own (uv/errno.h), as Windows has none that are like those of Unix.

use std::io;

use windows_sys::Win32::Foundation::{
    ERROR_ACCESS_DENIED, ERROR_HOST_UNREACHABLE, ERROR_INVALID_PARAMETER, ERROR_NETWORK_UNREACHABLE,
    ERROR_NOT_ENOUGH_MEMORY, ERROR_NOT_SUPPORTED, ERROR_OUTOFMEMORY, ERROR_TOO_MANY_OPEN_FILES,
};
use windows_sys::Win32::Networking::WinSock::{
    WSAEACCES, WSAEADDRINUSE, WSAEADDRNOTAVAIL, WSAEAFNOSUPPORT, WSAEFAULT, WSAEHOSTUNREACH, WSAEINVAL,
    WSAEMFILE, WSAEMSGSIZE, WSAENETDOWN, WSAENETUNREACH, WSAENOBUFS, WSAENOTSOCK, WSAEWOULDBLOCK,
};

/// UV_EACCES.
pub const EACCES: i32 = 4092;
/// UV_EADDRINUSE.
pub const EADDRINUSE: i32 = 4091;
/// UV_EADDRNOTAVAIL.
pub const EADDRNOTAVAIL: i32 = 4090;
/// UV_EAFNOSUPPORT.
pub const EAFNOSUPPORT: i32 = 4089;
/// UV_EAGAIN.
pub const EAGAIN: i32 = 4088;
/// UV_EFAULT.
const EFAULT: i32 = 4074;
/// UV_EHOSTUNREACH.
pub const EHOSTUNREACH: i32 = 4073;
/// UV_EINVAL.
const EINVAL: i32 = 4071;
/// UV_EIO.
pub const EIO: i32 = 4070;
/// UV_EMFILE.
pub const EMFILE: i32 = 4066;
/// UV_EMSGSIZE.
pub const EMSGSIZE: i32 = 4065;
/// UV_ENETDOWN.
pub const ENETDOWN: i32 = 4063;
/// UV_ENETUNREACH.
pub const ENETUNREACH: i32 = 4062;
/// UV_ENFILE.
pub const ENFILE: i32 = 4061;
/// UV_ENOBUFS.
pub const ENOBUFS: i32 = 4060;
/// UV_ENODEV.
pub const ENODEV: i32 = 4059;
/// UV_ENOMEM.
pub const ENOMEM: i32 = 4057;
/// UV_ENOTSOCK.
const ENOTSOCK: i32 = 4050;
/// UV_ENOTSUP.
const ENOTSUP: i32 = 4049;
/// UV_EPERM.
pub const EPERM: i32 = 4048;
/// UV_UNKNOWN.
const UNKNOWN: i32 = 4094;

/// What a send fails with where a queue is full.
pub const QUEUE_IS_FULL: &[i32] = &[EAGAIN];

/// The number of an error, which libuv, too, gives it (`uv_translate_sys_error`; WSAENETDOWN, which it does not know,
/// goes without saying); EIO for one that has none of its own.
pub fn of(error: &io::Error) -> i32 {
    error.raw_os_error().map_or(EIO, translate)
}

fn translate(code: i32) -> i32 {
    match code {
        // One of these already: an error that was made here rather than by the system, which has none in between.
        4022..=4095 => code,
        WSAEACCES => EACCES,
        WSAEADDRINUSE => EADDRINUSE,
        WSAEADDRNOTAVAIL => EADDRNOTAVAIL,
        WSAEAFNOSUPPORT => EAFNOSUPPORT,
        WSAEWOULDBLOCK => EAGAIN,
        WSAEFAULT => EFAULT,
        WSAEHOSTUNREACH => EHOSTUNREACH,
        WSAEINVAL => EINVAL,
        WSAEMFILE => EMFILE,
        WSAEMSGSIZE => EMSGSIZE,
        WSAENETDOWN => ENETDOWN,
        WSAENETUNREACH => ENETUNREACH,
        WSAENOBUFS => ENOBUFS,
        WSAENOTSOCK => ENOTSOCK,
        _ => match code.cast_unsigned() {
            ERROR_ACCESS_DENIED => EPERM,
            ERROR_HOST_UNREACHABLE => EHOSTUNREACH,
            ERROR_INVALID_PARAMETER => EINVAL,
            ERROR_NETWORK_UNREACHABLE => ENETUNREACH,
            ERROR_NOT_ENOUGH_MEMORY | ERROR_OUTOFMEMORY => ENOMEM,
            ERROR_NOT_SUPPORTED => ENOTSUP,
            ERROR_TOO_MANY_OPEN_FILES => EMFILE,
            _ => UNKNOWN,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers() {
        for (code, number) in
            [(10048, 4091), (10013, 4092), (10051, 4062), (5, 4048), (ENODEV, ENODEV), (1, 4094)]
        {
            assert_eq!(of(&io::Error::from_raw_os_error(code)), number, "{code}");
        }
        assert_eq!(of(&io::ErrorKind::Unsupported.into()), EIO);
    }
}
