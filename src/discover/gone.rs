//! The memory of goodbyes.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// For so long nothing is heard of somebody who has gone: a late copy raises no ghost.
const GONE: Duration = Duration::from_secs(60);

/// Who has said goodbye lately: what still comes of them says nothing.
#[derive(Debug)]
pub(super) struct Gone {
    /// Which instance, and until when nothing is heard of it.
    boots: HashMap<Arc<str>, (u64, Instant)>,
    order: VecDeque<(Instant, Arc<str>)>,
    /// Past so many the oldest are forgotten.
    most: usize,
}

impl Gone {
    /// Remembers so many at most.
    pub(super) fn new(most: usize) -> Self {
        Self { boots: HashMap::new(), order: VecDeque::new(), most }
    }

    /// An instance has said goodbye; copies of what it said before can come for so long, if that is longer than [`GONE`].
    pub(super) fn remember(&mut self, id: &str, boot: u64, now: Instant, copies: Duration) {
        let id: Arc<str> = id.into();
        let until = now.checked_add(copies.max(GONE)).unwrap_or(now + GONE);
        self.boots.insert(Arc::clone(&id), (boot, until));
        self.order.push_back((until, id));
        while self.order.len() > self.most || self.order.front().is_some_and(|(until, _)| *until <= now) {
            let Some((until, id)) = self.order.pop_front() else { return };
            // Unless it has come and gone again since.
            if self.boots.get(&id).is_some_and(|(_, latest)| *latest == until) {
                self.boots.remove(&id);
            }
        }
    }

    /// Whether this very instance has said goodbye lately.
    pub(super) fn contains(&self, id: &str, boot: u64, now: Instant) -> bool {
        self.boots.get(id).is_some_and(|(gone, until)| *gone == boot && now < *until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_remembered_is_bounded_and_forgotten_in_time() {
        let (mut gone, now) = (Gone::new(8), Instant::now());
        for i in 0..1000 {
            gone.remember(&i.to_string(), 10, now, Duration::ZERO);
        }
        assert!(gone.boots.len() <= 8 && gone.order.len() <= 8);
        assert!(gone.contains("999", 10, now) && !gone.contains("999", 11, now));
        assert!(!gone.contains("999", 10, now + GONE));
    }

    #[test]
    fn who_has_come_and_gone_again_is_remembered_as_it_was_last() {
        let (mut gone, now) = (Gone::new(2), Instant::now());
        let later = now + Duration::from_secs(1);
        gone.remember("a", 1, now, Duration::ZERO);
        gone.remember("a", 2, later, Duration::ZERO);
        // The first of these is forgotten for want of room.
        gone.remember("b", 1, later, Duration::ZERO);
        assert!(gone.contains("a", 2, later) && !gone.contains("a", 1, later));
    }
}
