//! Chance that nobody can foresee by more than guessing, and that keeps no secret.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::ops::Range;
use std::time::Duration;

/// Any number. The keys of each `RandomState` differ, and begin with some that the system has drawn.
pub fn any() -> u64 {
    RandomState::new().build_hasher().finish()
}

/// Any number from 0 to 1.
pub fn part() -> f64 {
    (any() >> 32) as f64 / f64::from(u32::MAX)
}

/// Some time within a range.
pub fn between(Range { start, end }: Range<Duration>) -> Duration {
    start + end.saturating_sub(start).mul_f64(part())
}
