//! Reads a datagram with its packet info: WSARecvMsg.

use std::io;
use std::mem;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ptr;
use std::sync::OnceLock;

use socket2::{SockAddr, Socket};
use windows_sys::Win32::Networking::WinSock::{
    CMSGHDR, IN_PKTINFO, IN6_PKTINFO, IP_PKTINFO, IPPROTO_IP, IPPROTO_IPV6, IPV6_PKTINFO, LPFN_WSARECVMSG,
    LPWSAOVERLAPPED_COMPLETION_ROUTINE, SIO_GET_EXTENSION_FUNCTION_POINTER, SOCKET, WSABUF, WSAECONNRESET,
    WSAEMSGSIZE, WSAENETRESET, WSAID_WSARECVMSG, WSAIoctl, WSAMSG,
};
use windows_sys::Win32::System::IO::OVERLAPPED;

use super::options::handle;
use crate::net::InterfaceIndex;
use crate::net::one_by_one::Arrival;

/// Room for the packet info of one datagram.
#[repr(C, align(8))]
struct Control([u8; 64]);

// What WSA_CMSG_DATA and WSA_CMSG_LEN of ws2def.h make of it: the data follows the header at once, aligned as a pointer is.
const _: () = {
    assert!(mem::size_of::<CMSGHDR>() == mem::size_of::<usize>() + 8);
    assert!(mem::size_of::<CMSGHDR>().is_multiple_of(mem::align_of::<usize>()));
    assert!(mem::size_of::<IN_PKTINFO>() == 8 && mem::size_of::<IN6_PKTINFO>() == 20);
};

/// The type of WSARecvMsg.
type ReceiveFunction = unsafe extern "system" fn(
    SOCKET,
    *mut WSAMSG,
    *mut u32,
    *mut OVERLAPPED,
    LPWSAOVERLAPPED_COMPLETION_ROUTINE,
) -> i32;

/// Reads a datagram into `slot`; `None` if it came without packet info, or if it was none.
///
/// # Errors
/// WSAEWOULDBLOCK if nothing waits.
pub(in crate::net) fn receive(socket: &Socket, slot: &mut [u8]) -> io::Result<Option<Arrival>> {
    let receive = receive_function(socket)?;
    let mut control = Control([0; 64]);
    let mut length = 0;
    let mut buffer = WSABUF { len: slot.len() as u32, buf: slot.as_mut_ptr() };
    let mut message = WSAMSG {
        name: ptr::null_mut(),
        namelen: 0,
        lpBuffers: &raw mut buffer,
        dwBufferCount: 1,
        Control: WSABUF { len: mem::size_of_val(&control) as u32, buf: control.0.as_mut_ptr() },
        dwFlags: 0,
    };
    let call = |storage: *mut socket2::SockAddrStorage, namelen: *mut i32| {
        message.name = storage.cast();
        // SAFETY: the message points to memory that lives and is not used otherwise during the call, with its true
        // size; it is over when it returns, for it is not overlapped.
        unsafe {
            message.namelen = *namelen;
            let result = receive(handle(socket), &raw mut message, &raw mut length, ptr::null_mut(), None);
            *namelen = message.namelen;
            if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
        }
    };
    // SAFETY: the call writes a socket address to the storage, and how long it is.
    let source = match unsafe { SockAddr::try_init(call) } {
        Ok(((), source)) => source,
        Err(error) => {
            return match error.raw_os_error() {
                // What ICMP says of a datagram sent before; or one that does not fit and is gone.
                Some(WSAECONNRESET | WSAENETRESET | WSAEMSGSIZE) => Ok(None),
                _ => Err(error),
            };
        }
    };
    let info = packet_info(control.0.get(..message.Control.len as usize).unwrap_or_default());
    let arrival = source.as_socket().zip(info).map(|(source, (destination, interface))| Arrival {
        length: length as usize,
        source,
        destination,
        interface,
    });
    Ok(arrival)
}

/// WSARecvMsg. It is of no library: the provider of sockets is asked for it, once.
fn receive_function(socket: &Socket) -> io::Result<ReceiveFunction> {
    static FUNCTION: OnceLock<ReceiveFunction> = OnceLock::new();
    if let Some(function) = FUNCTION.get() {
        return Ok(*function);
    }
    let (id, mut function, mut written) = (WSAID_WSARECVMSG, LPFN_WSARECVMSG::None, 0);
    // SAFETY: `id` is valid for its size, and `function` has room for what is asked for.
    let result = unsafe {
        WSAIoctl(
            handle(socket),
            SIO_GET_EXTENSION_FUNCTION_POINTER,
            (&raw const id).cast(),
            mem::size_of_val(&id) as u32,
            (&raw mut function).cast(),
            mem::size_of_val(&function) as u32,
            &raw mut written,
            ptr::null_mut(),
            None,
        )
    };
    match function {
        Some(function) if result == 0 => Ok(*FUNCTION.get_or_init(|| function)),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Finds the destination and the arrival interface among control messages (WSACMSGHDR).
fn packet_info(mut messages: &[u8]) -> Option<(IpAddr, InterfaceIndex)> {
    const HEADER: usize = mem::size_of::<CMSGHDR>();
    while messages.len() >= HEADER {
        // SAFETY: the bytes are there, and every value of them is a valid header.
        let header: CMSGHDR = unsafe { ptr::read_unaligned(messages.as_ptr().cast()) };
        let data = messages.get(HEADER..header.cmsg_len)?;
        match (header.cmsg_level, header.cmsg_type) {
            (IPPROTO_IP, IP_PKTINFO) if data.len() >= mem::size_of::<IN_PKTINFO>() => {
                // SAFETY: the bytes are there, and every value of them is valid.
                let info: IN_PKTINFO = unsafe { ptr::read_unaligned(data.as_ptr().cast()) };
                // SAFETY: every view of an address is valid.
                let address = Ipv4Addr::from_bits(u32::from_be(unsafe { info.ipi_addr.S_un.S_addr }));
                return Some((address.into(), InterfaceIndex(info.ipi_ifindex)));
            }
            (IPPROTO_IPV6, IPV6_PKTINFO) if data.len() >= mem::size_of::<IN6_PKTINFO>() => {
                // SAFETY: as above.
                let info: IN6_PKTINFO = unsafe { ptr::read_unaligned(data.as_ptr().cast()) };
                // SAFETY: as above.
                let address = Ipv6Addr::from(unsafe { info.ipi6_addr.u.Byte });
                return Some((address.into(), InterfaceIndex(info.ipi6_ifindex)));
            }
            _ => messages = messages.get(header.cmsg_len.next_multiple_of(mem::align_of::<usize>())..)?,
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A control message: length, level and kind, and what it carries.
    fn message(level: i32, kind: i32, data: &[u8]) -> Vec<u8> {
        let length = mem::size_of::<CMSGHDR>() + data.len();
        let mut bytes = length.to_ne_bytes().to_vec();
        bytes.extend(level.to_ne_bytes());
        bytes.extend(kind.to_ne_bytes());
        bytes.extend(data);
        bytes.resize(length.next_multiple_of(8), 0);
        bytes
    }

    #[test]
    fn packet_info_is_found_and_nonsense_is_survived() {
        let v4 = message(IPPROTO_IP, IP_PKTINFO, &[224, 0, 0, 1, 7, 0, 0, 0]);
        let expected = Some((IpAddr::from([224, 0, 0, 1]), InterfaceIndex(7)));
        assert_eq!(packet_info(&v4), expected);
        assert_eq!(packet_info(&[message(IPPROTO_IP, 0, &[1]), v4.clone()].concat()), expected);
        let group = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
        let v6 = message(IPPROTO_IPV6, IPV6_PKTINFO, &[&group.octets()[..], &[9, 0, 0, 0]].concat());
        assert_eq!(packet_info(&v6), Some((group.into(), InterfaceIndex(9))));
        assert_eq!(
            packet_info(&[message(IPPROTO_IPV6, 0, &[1; 9]), v6].concat()).map(|info| info.1.0),
            Some(9)
        );
        assert_eq!(packet_info(&v4[..23]), None, "cut");
        assert_eq!(packet_info(&message(IPPROTO_IP, IP_PKTINFO, &[1])), None, "short");
        assert_eq!(packet_info(&[0; 64]), None, "no length");
        assert_eq!(packet_info(&[]), None);
    }
}
