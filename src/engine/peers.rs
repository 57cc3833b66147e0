//! What JavaScript has yet to be told of a discovery's peers, and has been counted there. Knows no socket and no clock.

use std::sync::Arc;

use crate::discover::Counts;
use crate::discover::news::{Is, Reason};
use crate::discover::peer::Source;

/// What there is to tell of an id: that the one JavaScript knows has gone, that there is one, or both.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerNews {
    /// Of whom.
    pub id: Arc<str>,
    /// The one that JavaScript knows has gone.
    pub down: Option<Reason>,
    /// There is one, new or changed.
    pub is: Option<(Is, PeerState)>,
}

/// A peer as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerState {
    /// What it announces, as JSON, if that is other than what JavaScript knows.
    pub data: Option<Arc<str>>,
    /// Where it was heard from; the first is the one to speak to.
    pub addresses: Vec<Source>,
    /// Whether it takes no part.
    pub plain: bool,
    /// When it was first heard, in milliseconds since 1970.
    pub since: u64,
}

/// The counts of a discovery.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DiscoveryStats {
    /// Datagrams that came.
    pub received: u64,
    /// Their payload in bytes.
    pub bytes: u64,
    /// Datagrams the kernel dropped at the port since it was opened.
    pub lost: u64,
    /// The port's receive buffer in bytes, as the system reports it.
    pub receive_buffer: u64,
    /// How many peers there are.
    pub peers: u64,
    /// What was made of the datagrams.
    pub counts: Counts,
}

/// The most that is told at once: the event loop is to have its turn.
pub const BATCH_NEWS: usize = 256;

/// The same in bytes: with so many no more is added. A datagram has hardly more, so that at most twice as many are told at once, of
/// which the worst takes twenty milliseconds to be made objects of.
pub const BATCH_NEWS_BYTES: usize = 64 * 1024;

/// What waits for JavaScript: one batch at most, and none between the moment when it takes one and the moment when it asks for more,
/// which it does after a turn of its event loop. What happens meanwhile is kept where it is made.
#[derive(Debug, Default)]
pub(super) struct Peers {
    news: Vec<PeerNews>,
    /// JavaScript has taken a batch and has not asked for more since.
    is_telling: bool,
    /// There is more where that was made.
    more: bool,
    pub(super) stats: DiscoveryStats,
}

impl Peers {
    /// Takes in a batch, if there is room for it; says whether JavaScript has to come for it.
    pub(super) fn offer(&mut self, batch: impl FnOnce() -> (Vec<PeerNews>, bool)) -> bool {
        if self.is_telling || !self.news.is_empty() {
            self.more = true;
            return false;
        }
        (self.news, self.more) = batch();
        !self.news.is_empty()
    }

    /// Gives the batch that waits. No other is taken in before [`Peers::take_more`] is called.
    pub(super) fn take(&mut self) -> Vec<PeerNews> {
        self.is_telling = true;
        std::mem::take(&mut self.news)
    }

    /// Whether there is more to ask for, once.
    pub(super) fn take_more(&mut self) -> bool {
        self.is_telling = false;
        std::mem::take(&mut self.more)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_batch_waits_and_the_rest_is_asked_for() {
        let news = |id: &str| PeerNews { id: id.into(), down: Some(Reason::Bye), is: None };
        let mut peers = Peers::default();
        assert!(!peers.offer(|| (Vec::new(), false)));
        assert!(peers.offer(|| (vec![news("a")], false)));
        assert!(!peers.offer(|| unreachable!("there is no room")));
        assert_eq!(peers.take(), vec![news("a")]);
        assert!(!peers.offer(|| unreachable!("JavaScript has not had its turn")));
        assert!(peers.take_more() && !peers.take_more());
        assert!(peers.offer(|| (vec![news("b")], true)));
        assert_eq!(peers.take(), vec![news("b")]);
        assert!(peers.take_more());
        assert_eq!(peers.take(), []);
        assert!(!peers.take_more());
    }
}
