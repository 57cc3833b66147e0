//! Deadlines. Knows no clock: the time is handed in.

use std::collections::{BTreeSet, HashMap};
use std::hash::Hash;
use std::time::Instant;

/// At most one deadline for each key, the earliest first.
///
/// Setting a deadline again replaces the one before, so that re-scheduling leaves nothing behind.
#[derive(Debug)]
pub struct Timers<K> {
    order: BTreeSet<(Instant, K)>,
    deadlines: HashMap<K, Instant>,
}

impl<K> Default for Timers<K> {
    fn default() -> Self {
        Self { order: BTreeSet::new(), deadlines: HashMap::new() }
    }
}

impl<K: Copy + Eq + Hash + Ord> Timers<K> {
    /// Sets the deadline of `key`.
    pub fn set(&mut self, key: K, at: Instant) {
        if let Some(before) = self.deadlines.insert(key, at) {
            self.order.remove(&(before, key));
        }
        self.order.insert((at, key));
    }

    /// Whether `key` has a deadline.
    pub fn is_set(&self, key: K) -> bool {
        self.deadlines.contains_key(&key)
    }

    /// Sets the deadline of `key` unless it has one.
    pub fn set_if_none(&mut self, key: K, at: Instant) {
        if !self.is_set(key) {
            self.set(key, at);
        }
    }

    /// Forgets the deadline of `key`, if it has one.
    pub fn cancel(&mut self, key: K) {
        if let Some(at) = self.deadlines.remove(&key) {
            self.order.remove(&(at, key));
        }
    }

    /// The earliest deadline.
    pub fn next(&self) -> Option<Instant> {
        self.order.first().map(|(at, _)| *at)
    }

    /// Takes the earliest deadline that is not after `now`, with its key.
    pub fn take_due(&mut self, now: Instant) -> Option<(Instant, K)> {
        let (at, key) = *self.order.first().filter(|(at, _)| *at <= now)?;
        self.cancel(key);
        Some((at, key))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn deadlines_come_in_order_and_only_when_due() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut timers = Timers::default();
        timers.set('b', at(20));
        timers.set('a', at(10));
        timers.set('c', at(20));
        assert_eq!(timers.next(), Some(at(10)));
        assert_eq!(timers.take_due(at(9)), None);
        assert_eq!(timers.take_due(at(20)), Some((at(10), 'a')));
        assert_eq!(timers.take_due(at(20)), Some((at(20), 'b')));
        assert_eq!(timers.take_due(at(20)), Some((at(20), 'c')));
        assert_eq!(timers.take_due(at(20)), None);
        assert_eq!(timers.next(), None);
    }

    #[test]
    fn setting_again_and_cancelling_leave_nothing_behind() {
        let start = Instant::now();
        let mut timers = Timers::default();
        for ms in 0..1000 {
            timers.set(1, start + Duration::from_millis(ms));
        }
        assert_eq!(timers.order.len(), 1);
        assert_eq!(timers.next(), Some(start + Duration::from_millis(999)));
        timers.cancel(1);
        timers.cancel(1);
        assert_eq!((timers.order.len(), timers.deadlines.len()), (0, 0));
    }
}
