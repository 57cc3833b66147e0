//! Notices that interfaces and addresses change: rtnetlink(7).

use std::io;
use std::mem;

use socket2::{Domain, Protocol, SockAddr, Socket, Type};

use crate::net::{Changes, InterfaceIndex};

/// What is subscribed to. Links tell of the carrier, too; an IPv6 address tells when it may be used.
const GROUPS: libc::c_int = libc::RTMGRP_LINK | libc::RTMGRP_IPV4_IFADDR | libc::RTMGRP_IPV6_IFADDR;

/// A socket that is told of changes from now on. On failure says which call failed.
pub(in crate::net) fn subscribe() -> Result<Socket, (&'static str, io::Error)> {
    let family = Domain::from(libc::AF_NETLINK);
    let socket = Socket::new(family, Type::RAW, Some(Protocol::from(libc::NETLINK_ROUTE)))
        .map_err(|error| ("socket", error))?;
    socket.bind(&groups()).map_err(|error| ("bind", error))?;
    Ok(socket)
}

/// The address by which the socket subscribes; the kernel chooses the port.
fn groups() -> SockAddr {
    // SAFETY: all zeros is a valid sockaddr_nl, and it fits the storage.
    let (_, address) = unsafe {
        SockAddr::try_init(|storage, length| {
            let address = storage.cast::<libc::sockaddr_nl>();
            *address = mem::zeroed();
            (*address).nl_family = libc::AF_NETLINK as libc::sa_family_t;
            (*address).nl_groups = GROUPS.cast_unsigned();
            *length = mem::size_of::<libc::sockaddr_nl>() as libc::socklen_t;
            Ok(())
        })
    }
    .expect("the closure cannot fail");
    address
}

/// Notes what one read brought: `nlmsghdr`s of netlink(7), each with what it tells, aligned to four bytes. Only
/// of what is gone it matters what: the rest is listed again.
pub(in crate::net) fn take_in(mut messages: &[u8], changes: &mut Changes) {
    /// Of a `nlmsghdr`.
    const HEADER: usize = 16;
    changes.any = true;
    while let Some((length, kind)) = read_u32(messages, 0).zip(read_u32(messages, 4)) {
        // The index is the second word of an `ifinfomsg`; the kind is the first half of its word.
        if kind.to_ne_bytes()[..2] == libc::RTM_DELLINK.to_ne_bytes()
            && let Some(index) = read_u32(messages, HEADER + 4)
        {
            changes.removed.insert(InterfaceIndex(index));
        }
        let whole = (length as usize).next_multiple_of(4);
        if whole < HEADER || whole >= messages.len() {
            return;
        }
        messages = &messages[whole..];
    }
}

fn read_u32(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..at + 4)?.try_into().ok().map(u32::from_ne_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(kind: u16, index: u32) -> Vec<u8> {
        let mut message = vec![0; 33];
        message[..4].copy_from_slice(&33_u32.to_ne_bytes());
        message[4..6].copy_from_slice(&kind.to_ne_bytes());
        message[6..8].copy_from_slice(&[0xff; 2]);
        message[20..24].copy_from_slice(&index.to_ne_bytes());
        message.resize(36, 0);
        message
    }

    #[test]
    fn what_is_gone_is_told_and_nonsense_is_survived() {
        let told = |messages: &[u8]| {
            let mut changes = Changes::default();
            take_in(messages, &mut changes);
            assert!(changes.any && !changes.missed);
            let mut removed: Vec<_> = changes.removed.into_iter().map(|index| index.0).collect();
            removed.sort_unstable();
            removed
        };
        let [new, old, older] =
            [message(libc::RTM_NEWLINK, 3), message(libc::RTM_DELLINK, 4), message(libc::RTM_DELLINK, 500)];
        assert_eq!(told(&[&new[..], &old, &new, &older].concat()), [4, 500]);
        assert_eq!(told(&old[..33]), [4], "the last is not padded");
        assert_eq!(told(&old[..23]), [0; 0], "cut");
        assert_eq!(told(&[0; 64]), [0; 0], "no length");
        assert_eq!(told(&[]), [0; 0]);
    }
}
