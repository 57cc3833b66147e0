//! Whether what was sealed is not of long ago, and nobody repeats it: told by the time that is sealed in.

use std::time::Duration;

use super::Moment;

/// What is fresh.
#[derive(Debug)]
pub(super) struct Freshness {
    /// By how much a time may be off.
    tolerance: Duration,
}

/// The newest time that somebody has sealed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Newest {
    /// In milliseconds since 1970, by its clock.
    pub(super) at: u64,
    /// When that was heard.
    pub(super) heard: Moment,
}

impl Freshness {
    pub(super) fn new(tolerance: Duration) -> Self {
        Self { tolerance }
    }

    /// By how many milliseconds a time is ahead of our clock, if it is off by too much. Of somebody who is known it may lag
    /// behind what its newest would be by now: its clock is its own. Of others it may be off ours.
    pub(super) fn skew(&self, at: u64, newest: Option<Newest>, now: Moment) -> Option<i64> {
        let tolerance = self.tolerance.as_millis() as i128;
        let (at, wall) = (i128::from(at), i128::from(now.wall));
        let is_off = match newest {
            Some(Newest { at: newest, heard }) => {
                let slept = now.suspended.saturating_sub(heard.suspended);
                let since = now.now.saturating_duration_since(heard.now) + slept;
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
