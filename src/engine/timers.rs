//! Deadlines. Knows no clock: the time is handed in.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::hash::Hash;
use std::time::Instant;

use rustc_hash::FxHashMap;

/// At most one deadline for each key, the earliest first.
///
/// Setting a deadline again replaces the one before.
#[derive(Debug)]
pub struct Timers<K> {
    deadlines: FxHashMap<K, Instant>,
    /// The deadlines in order, and those that were replaced or cancelled: they are passed over when their time comes, or
    /// cleared out before they are as many as the others.
    order: BinaryHeap<Reverse<(Instant, K)>>,
}

/// So few outdated entries are not worth a look.
const CLEAR_OUT: usize = 16;

impl<K: Ord> Default for Timers<K> {
    fn default() -> Self {
        Self { deadlines: FxHashMap::default(), order: BinaryHeap::new() }
    }
}

impl<K: Copy + Eq + Hash + Ord> Timers<K> {
    /// Sets the deadline of `key`.
    pub fn set(&mut self, key: K, at: Instant) {
        if self.deadlines.insert(key, at) == Some(at) {
            return;
        }
        if self.order.len() >= 2 * self.deadlines.len() + CLEAR_OUT {
            let Self { deadlines, order } = self;
            order.retain(|Reverse((at, key))| deadlines.get(key) == Some(at));
        }
        self.order.push(Reverse((at, key)));
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

    /// Sees to it that `key` has a deadline that is no later than this.
    pub fn set_by(&mut self, key: K, at: Instant) {
        if self.deadlines.get(&key).is_none_or(|set| at < *set) {
            self.set(key, at);
        }
    }

    /// Forgets the deadline of `key`, if it has one.
    pub fn cancel(&mut self, key: K) {
        self.deadlines.remove(&key);
    }

    /// The earliest deadline.
    pub fn earliest(&mut self) -> Option<Instant> {
        while let Some(Reverse((at, key))) = self.order.peek() {
            if self.deadlines.get(key) == Some(at) {
                return Some(*at);
            }
            self.order.pop();
        }
        None
    }

    /// Takes the earliest deadline that is not after `now`, with its key.
    pub fn take_due(&mut self, now: Instant) -> Option<(Instant, K)> {
        self.earliest().filter(|at| *at <= now)?;
        let Reverse((at, key)) = self.order.pop()?;
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
        assert_eq!(timers.earliest(), Some(at(10)));
        assert_eq!(timers.take_due(at(9)), None);
        assert_eq!(timers.take_due(at(20)), Some((at(10), 'a')));
        assert_eq!(timers.take_due(at(20)), Some((at(20), 'b')));
        assert_eq!(timers.take_due(at(20)), Some((at(20), 'c')));
        assert_eq!(timers.take_due(at(20)), None);
        assert_eq!(timers.earliest(), None);
    }

    #[test]
    fn what_is_to_be_done_by_a_time_is_done_sooner_and_never_later() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut timers = Timers::default();
        for (by, set) in [(20, 20), (30, 20), (10, 10)] {
            timers.set_by('a', at(by));
            assert_eq!(timers.earliest(), Some(at(set)));
        }
    }

    #[test]
    fn setting_again_and_cancelling_leave_nothing_behind() {
        let start = Instant::now();
        let mut timers = Timers::default();
        for ms in 0..1000 {
            timers.set(1, start + Duration::from_millis(ms));
        }
        assert!(timers.order.len() <= 2 + CLEAR_OUT);
        assert_eq!(timers.earliest(), Some(start + Duration::from_millis(999)));
        timers.cancel(1);
        timers.cancel(1);
        assert_eq!(timers.earliest(), None);
        assert_eq!((timers.order.len(), timers.deadlines.len()), (0, 0));
    }

    #[test]
    fn a_deadline_that_was_replaced_or_cancelled_is_not_met() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut timers = Timers::default();
        timers.set('a', at(10));
        timers.set('a', at(30));
        timers.set('b', at(20));
        timers.cancel('b');
        timers.set('c', at(5));
        timers.cancel('c');
        timers.set('c', at(5));
        assert_eq!(timers.take_due(at(29)), Some((at(5), 'c')));
        assert_eq!(timers.take_due(at(29)), None);
        assert_eq!(timers.take_due(at(30)), Some((at(30), 'a')));
        assert_eq!(timers.take_due(at(99)), None);
    }

    #[test]
    fn many_that_are_set_again_and_again_take_no_more_room() {
        let start = Instant::now();
        let mut timers = Timers::default();
        for ms in 0..100 {
            for key in 0..1000 {
                timers.set(key, start + Duration::from_millis(1000 * ms + key));
            }
        }
        assert!(timers.order.len() <= 2 * 1000 + CLEAR_OUT, "{}", timers.order.len());
        let order: Vec<_> = std::iter::from_fn(|| timers.take_due(start + Duration::from_secs(100)))
            .map(|(_, key)| key)
            .collect();
        assert_eq!(order, (0..1000).collect::<Vec<_>>());
    }
}
