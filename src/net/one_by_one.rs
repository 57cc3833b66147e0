//! Reads datagrams in batches where the system gives one a call, and sends them one by one.

use std::io::{self, IoSlice};
use std::net::{IpAddr, SocketAddr};

use socket2::Socket;

use crate::net::imp::receive;
use crate::net::{BATCH, Datagram, InterfaceIndex, SLOT, Watched};

/// What the system says of a datagram.
pub(in crate::net) struct Arrival {
    /// How long the payload is.
    pub(in crate::net) length: usize,
    /// See [`Datagram::source`].
    pub(in crate::net) source: SocketAddr,
    /// See [`Datagram::destination`].
    pub(in crate::net) destination: IpAddr,
    /// See [`Datagram::interface`].
    pub(in crate::net) interface: InterfaceIndex,
}

/// The receive buffer, and the datagrams of the last batch in it.
pub struct Datagrams {
    slots: Box<[u8]>,
    /// Each with its payload in the slot of the same position.
    arrivals: Vec<Arrival>,
    full: bool,
}

impl Default for Datagrams {
    fn default() -> Self {
        let slots = vec![0; BATCH * SLOT].into_boxed_slice();
        Self { slots, arrivals: Vec::with_capacity(BATCH), full: false }
    }
}

impl Datagrams {
    /// Reads what waits at `socket`, at most one batch, in place of what was read before. Nothing waiting
    /// is an empty batch, not an error.
    pub fn receive(&mut self, socket: &impl Watched) -> io::Result<()> {
        self.arrivals.clear();
        self.full = false;
        for _ in 0..BATCH {
            let start = self.arrivals.len() * SLOT;
            match receive(socket.socket(), &mut self.slots[start..start + SLOT]) {
                Ok(arrival) => self.arrivals.extend(arrival),
                Err(error) => match error.kind() {
                    io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted => return Ok(()),
                    // What has come is delivered first; an error that lasts comes again.
                    _ if !self.arrivals.is_empty() => return Ok(()),
                    _ => return Err(error),
                },
            }
        }
        self.full = true;
        Ok(())
    }

    /// How many datagrams the last batch holds.
    pub fn len(&self) -> usize {
        self.arrivals.len()
    }

    /// Whether the last batch holds nothing.
    pub fn is_empty(&self) -> bool {
        self.arrivals.is_empty()
    }

    /// Whether more may be waiting: the last batch ended before the system said that there is nothing.
    pub fn is_full(&self) -> bool {
        self.full
    }

    /// The datagrams of the last batch.
    pub fn iter(&self) -> impl Iterator<Item = Datagram<'_>> {
        self.arrivals.iter().zip(self.slots.chunks_exact(SLOT)).map(|(arrival, slot)| Datagram {
            payload: &slot[..arrival.length],
            source: arrival.source,
            destination: arrival.destination,
            interface: arrival.interface,
        })
    }
}

/// See [`crate::net::most_together`].
pub(in crate::net) fn most_together(_length: usize) -> usize {
    1
}

/// See [`crate::net::SendSocket::send_together`].
pub(in crate::net) fn send_together(
    _socket: &Socket,
    _payloads: &[IoSlice<'_>],
    _to: SocketAddr,
) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}
