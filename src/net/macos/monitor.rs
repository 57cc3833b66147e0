//! Notices that interfaces and addresses change: route(4).

use std::io;
use std::mem;

use socket2::{Domain, Socket, Type};

use crate::net::{Changes, InterfaceIndex};

/// Room for messages in bytes. The socket begins with 8 KiB, tells of every route there is, too, and drops what has
/// no room without a word.
const BUFFER: usize = 256 << 10;

/// Where a message has what is read of it.
const KIND: usize = mem::offset_of!(libc::if_msghdr, ifm_type);
const FLAGS: usize = mem::offset_of!(libc::if_msghdr, ifm_flags);
const INDEX: usize = mem::offset_of!(libc::if_msghdr, ifm_index);

const _: () = {
    assert!(KIND == mem::offset_of!(libc::rt_msghdr, rtm_type));
    assert!(KIND == mem::offset_of!(libc::ifa_msghdr, ifam_type));
    // As net/if.h and net/route.h lay them out, whose names libc has.
    assert!(KIND == 3 && FLAGS == 8 && INDEX == 12);
};

/// A socket that is told of changes from now on. On failure says which call failed.
pub(in crate::net) fn subscribe() -> Result<Socket, (&'static str, io::Error)> {
    let socket =
        Socket::new(Domain::from(libc::PF_ROUTE), Type::RAW, None).map_err(|error| ("socket", error))?;
    // With less room more can be missed, which the list's age mends.
    let _ = socket.set_recv_buffer_size(BUFFER);
    Ok(socket)
}

/// Notes what one read brought: one message, an `rt_msghdr` or of its kin, of net/route.h and net/if.h. They all begin
/// with length, version and kind. Only of what is gone it matters what: the rest is listed again.
pub(in crate::net) fn take_in(message: &[u8], changes: &mut Changes) {
    let Some(kind) = message.get(KIND).map(|kind| libc::c_int::from(*kind)) else { return };
    match kind {
        libc::RTM_NEWADDR | libc::RTM_DELADDR => changes.any = true,
        libc::RTM_IFINFO => {
            changes.any = true;
            // The kernel switches an interface off before it takes it away (`ifnet_detach`), and tells of that
            // alone. One that was only switched off is none the worse for being joined again.
            let flags = bytes(message, FLAGS).map(i32::from_ne_bytes);
            let index = bytes(message, INDEX).map(u16::from_ne_bytes);
            if let Some((flags, index)) = flags.zip(index)
                && flags & libc::IFF_UP == 0
            {
                changes.removed.insert(InterfaceIndex(index.into()));
            }
        }
        // Routes come and go with every neighbour.
        _ => {}
    }
}

fn bytes<const LENGTH: usize>(message: &[u8], at: usize) -> Option<[u8; LENGTH]> {
    message.get(at..at + LENGTH)?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_gone_is_told_and_nonsense_is_survived() {
        let told = |kind: libc::c_int, flags: libc::c_int, length: usize| {
            let mut message = [0; 112];
            message[3] = kind as u8;
            message[8..12].copy_from_slice(&flags.to_ne_bytes());
            message[12..14].copy_from_slice(&7_u16.to_ne_bytes());
            let mut changes = Changes::default();
            take_in(&message[..length], &mut changes);
            assert!(!changes.missed);
            (changes.any, changes.removed.contains(&InterfaceIndex(7)))
        };
        assert_eq!(told(libc::RTM_IFINFO, libc::IFF_UP, 112), (true, false));
        assert_eq!(told(libc::RTM_IFINFO, 0, 112), (true, true));
        assert_eq!(told(libc::RTM_IFINFO, 0, 13), (true, false), "cut");
        assert_eq!(told(libc::RTM_NEWADDR, 0, 112), (true, false));
        assert_eq!(told(libc::RTM_ADD, 0, 112), (false, false));
        assert_eq!(told(libc::RTM_IFINFO, 0, 0), (false, false));
    }
}
