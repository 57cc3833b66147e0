//! Whether what was sealed is not of long ago, and nobody repeats it: told by the time that is sealed in.

use std::time::{Duration, Instant};

/// What is fresh.
#[derive(Debug)]
pub(super) struct Freshness {
    /// By how much a time may be off.
    tolerance: Duration,
    /// How long this host has slept in all, which `Instant` may not count.
    slept: Duration,
}

/// The newest time that somebody has sealed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Newest {
    /// In milliseconds since 1970, by its clock.
    pub(super) at: u64,
    /// When that was heard, and how long this host had slept by then.
    heard: Instant,
    slept: Duration,
}

impl Freshness {
    pub(super) fn new(tolerance: Duration) -> Self {
        Self { tolerance, slept: Duration::ZERO }
    }

    /// This host has slept for so long.
    pub(super) fn slept(&mut self, time: Duration) {
        self.slept += time;
    }

    /// A time that was heard just now, and is newer than any.
    pub(super) fn newest(&self, at: u64, now: Instant) -> Newest {
        Newest { at, heard: now, slept: self.slept }
    }

    /// By how many milliseconds a time is ahead of `wall`, our clock, if it is off by too much. Of somebody who is known it may lag
    /// behind what its newest would be by now: its clock is its own. Of others it may be off ours.
    pub(super) fn skew(&self, at: u64, newest: Option<Newest>, now: Instant, wall: u64) -> Option<i64> {
        let tolerance = self.tolerance.as_millis() as i128;
        let (at, wall) = (i128::from(at), i128::from(wall));
        let is_off = match newest {
            Some(Newest { at: newest, heard, slept }) => {
                let since = now.saturating_duration_since(heard) + (self.slept - slept);
                i128::from(newest) + since.as_millis() as i128 - at > tolerance
            }
            None => (at - wall).abs() > tolerance,
        };
        is_off.then(|| i64::try_from(at - wall).unwrap_or(i64::MAX))
    }

    /// For how long from `wall` on what was sealed at this time is fresh to who does not know its sender.
    pub(super) fn remains(&self, at: u64, wall: u64) -> Duration {
        (Duration::from_millis(at) + self.tolerance).saturating_sub(Duration::from_millis(wall))
    }
}
