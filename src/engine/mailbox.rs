//! What a listener has heard and JavaScript has not fetched yet. Knows no socket and no clock.

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};

use crate::net::{InterfaceIndex, MAX_PAYLOAD};

/// The most messages in one batch: what JavaScript handles before the event loop gets its turn.
pub const BATCH_MESSAGES: usize = 256;

/// The most payload in one batch, in bytes.
pub const BATCH_BYTES: usize = 256 * 1024;

/// What each message counts beside its payload, in bytes.
pub const MESSAGE_OVERHEAD: usize = 64;

// The largest datagram must fit an empty batch.
const _: () = assert!(MAX_PAYLOAD <= BATCH_BYTES);
const _: () = assert!(size_of::<Message>() <= MESSAGE_OVERHEAD);

/// Where a message came from, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Source {
    /// The sender's address and port.
    pub address: SocketAddr,
    /// The interface it came in on.
    pub interface: InterfaceIndex,
    /// The group it was sent to; `None` if it was sent to this host.
    pub group: Option<IpAddr>,
}

/// A message of a batch: its payload begins where the one before ends.
#[derive(Clone, Copy, Debug)]
struct Message {
    source: Source,
    end: u32,
}

/// A run of messages with their payloads one after another, in the order of arrival.
#[derive(Debug, Default)]
pub struct Batch {
    bytes: Vec<u8>,
    messages: Vec<Message>,
    /// How many messages at the front have been dropped.
    dropped: usize,
}

impl Batch {
    /// How many messages it holds.
    pub fn len(&self) -> usize {
        self.messages.len() - self.dropped
    }

    /// Whether it holds no message.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All payloads, one after another.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes[self.start()..]
    }

    /// For each message its source and where its payload ends in [`Batch::bytes`].
    pub fn messages(&self) -> impl Iterator<Item = (&Source, usize)> {
        let start = self.start();
        self.messages[self.dropped..]
            .iter()
            .map(move |message| (&message.source, message.end as usize - start))
    }

    fn start(&self) -> usize {
        match self.dropped.checked_sub(1) {
            Some(last) => self.messages[last].end as usize,
            None => 0,
        }
    }

    fn has_room(&self, payload: usize) -> bool {
        self.messages.len() < BATCH_MESSAGES && self.bytes.len() + payload <= BATCH_BYTES
    }

    fn push(&mut self, source: Source, payload: &[u8]) {
        self.bytes.extend_from_slice(payload);
        // At most BATCH_BYTES, which has_room has seen to.
        self.messages.push(Message { source, end: self.bytes.len() as u32 });
    }

    /// Drops the oldest message and says what it weighed.
    fn drop_oldest(&mut self) -> usize {
        let start = self.start();
        let end = self.messages[self.dropped].end as usize;
        self.dropped += 1;
        end - start + MESSAGE_OVERHEAD
    }

    fn weight(&self) -> usize {
        self.bytes().len() + self.len() * MESSAGE_OVERHEAD
    }

    fn clear(&mut self) {
        self.bytes.clear();
        self.messages.clear();
        self.dropped = 0;
    }
}

/// A queue of messages, bounded by weight: past the limit the oldest go, and are counted.
#[derive(Debug)]
pub struct Mailbox {
    limit: usize,
    weight: usize,
    batches: VecDeque<Batch>,
    /// An empty batch kept for its memory, so that a steady flow allocates nothing.
    spare: Option<Batch>,
    dropped: usize,
}

impl Mailbox {
    /// An empty mailbox that may hold `limit` bytes, each message counting its payload and
    /// [`MESSAGE_OVERHEAD`].
    pub fn new(limit: usize) -> Self {
        Self { limit, weight: 0, batches: VecDeque::new(), spare: None, dropped: 0 }
    }

    /// Adds a message. Returns how many were dropped to make room for it; a message that is heavier than
    /// the limit is dropped itself.
    pub fn push(&mut self, source: Source, payload: &[u8]) -> usize {
        match self.batches.back_mut() {
            Some(batch) if batch.has_room(payload.len()) => batch.push(source, payload),
            _ => {
                let mut batch = self.spare.take().unwrap_or_default();
                batch.push(source, payload);
                self.batches.push_back(batch);
            }
        }
        self.weight += payload.len() + MESSAGE_OVERHEAD;
        let mut dropped = 0;
        while self.weight > self.limit
            && let Some(oldest) = self.batches.front_mut()
        {
            self.weight -= oldest.drop_oldest();
            dropped += 1;
            if oldest.is_empty()
                && let Some(batch) = self.batches.pop_front()
            {
                self.recycle(batch);
            }
        }
        self.dropped += dropped;
        dropped
    }

    /// Takes the oldest batch; the messages in it weigh no longer.
    pub fn take(&mut self) -> Option<Batch> {
        let batch = self.batches.pop_front()?;
        self.weight -= batch.weight();
        Some(batch)
    }

    /// Gives a batch back for its memory.
    pub fn recycle(&mut self, mut batch: Batch) {
        batch.clear();
        self.spare = Some(batch);
    }

    /// How many messages were dropped since this was last asked.
    pub fn take_dropped(&mut self) -> usize {
        std::mem::take(&mut self.dropped)
    }

    /// Whether there is nothing to tell: no message, and none dropped.
    pub fn is_quiet(&self) -> bool {
        self.batches.is_empty() && self.dropped == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(port: u16) -> Source {
        Source { address: ([10, 0, 0, 1], port).into(), interface: InterfaceIndex(2), group: None }
    }

    /// Everything in the mailbox, as (port, payload).
    fn drain(mailbox: &mut Mailbox) -> Vec<(u16, Vec<u8>)> {
        let mut all = Vec::new();
        while let Some(batch) = mailbox.take() {
            assert!(batch.len() <= BATCH_MESSAGES);
            assert!(batch.bytes().len() <= BATCH_BYTES);
            let mut start = 0;
            for (source, end) in batch.messages() {
                all.push((source.address.port(), batch.bytes()[start..end].to_vec()));
                start = end;
            }
            assert_eq!(start, batch.bytes().len());
            mailbox.recycle(batch);
        }
        assert_eq!(mailbox.weight, 0);
        all
    }

    #[test]
    fn messages_come_out_as_they_went_in() {
        let mut mailbox = Mailbox::new(usize::MAX);
        let sent: Vec<_> = (0..1000_u16).map(|i| (i, vec![i as u8; usize::from(i) * 7 % 2000])).collect();
        for (port, payload) in &sent {
            assert_eq!(mailbox.push(source(*port), payload), 0);
        }
        assert_eq!(drain(&mut mailbox), sent);
        assert!(mailbox.is_quiet());
    }

    #[test]
    fn past_the_limit_the_oldest_go() {
        let each = 100 + MESSAGE_OVERHEAD;
        let mut mailbox = Mailbox::new(10 * each);
        for port in 0..25 {
            assert_eq!(mailbox.push(source(port), &[port as u8; 100]), usize::from(port >= 10));
        }
        assert_eq!(mailbox.take_dropped(), 15);
        assert_eq!(mailbox.take_dropped(), 0);
        let ports: Vec<_> = drain(&mut mailbox).into_iter().map(|(port, _)| port).collect();
        assert_eq!(ports, (15..25).collect::<Vec<_>>());
    }

    #[test]
    fn one_large_message_makes_room_by_dropping_several() {
        let mut mailbox = Mailbox::new(1000);
        for port in 0..10 {
            mailbox.push(source(port), &[0; 30]);
        }
        assert_eq!(mailbox.push(source(10), &[0; 600]), 7);
        let ports: Vec<_> = drain(&mut mailbox).into_iter().map(|(port, _)| port).collect();
        assert_eq!(ports, [7, 8, 9, 10]);
    }

    #[test]
    fn empty_messages_weigh_too() {
        let mut mailbox = Mailbox::new(MESSAGE_OVERHEAD * 3);
        for port in 0..5 {
            mailbox.push(source(port), &[]);
        }
        assert_eq!(drain(&mut mailbox), [(2, vec![]), (3, vec![]), (4, vec![])]);
    }

    #[test]
    fn a_message_heavier_than_the_limit_is_dropped_and_told() {
        let mut mailbox = Mailbox::new(100);
        assert_eq!(mailbox.push(source(1), &[0; 200]), 1);
        assert!(!mailbox.is_quiet());
        assert_eq!(mailbox.take_dropped(), 1);
        assert!(mailbox.is_quiet());
    }

    #[test]
    fn memory_stays_within_the_limit_and_two_batches() {
        let mut mailbox = Mailbox::new(1 << 20);
        for _ in 0..50_000 {
            mailbox.push(source(1), &[0; 1000]);
        }
        let batches = mailbox.batches.iter().chain(&mailbox.spare);
        let held: usize = batches
            .map(|batch| batch.bytes.capacity() + batch.messages.capacity() * size_of::<Message>())
            .sum();
        // A vector may have twice the room it needs.
        assert!(held <= 2 * ((1 << 20) + 2 * (BATCH_BYTES + BATCH_MESSAGES * MESSAGE_OVERHEAD)), "{held}");
    }
}
