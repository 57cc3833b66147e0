//! When casts are due.

use std::time::{Duration, Instant};

/// The time between two moments at which casts are due. Many casts then wake the thread no more often than few.
pub(super) const TICK: Duration = Duration::from_millis(1);

/// The moments at which casts are due.
#[derive(Default)]
pub(super) struct Schedule {
    /// From when on the [`TICK`]s are counted.
    first_tick: Option<Instant>,
}

impl Schedule {
    /// The first [`TICK`] that is not before a moment. Intervals are whole numbers of them, so that a schedule that begins
    /// with one keeps to them.
    pub(super) fn tick_after(&mut self, at: Instant) -> Instant {
        let first = *self.first_tick.get_or_insert(at);
        let past = at.saturating_duration_since(first).as_nanos() % TICK.as_nanos();
        if past == 0 { at } else { at + (TICK - Duration::from_nanos(past as u64)) }
    }
}

/// The next deadline after `due`: one interval later, or where the schedule was missed (the computer slept)
/// the first that is still to come. So it neither drifts nor bursts.
pub(super) fn next_due(due: Instant, interval: Duration, now: Instant) -> Instant {
    let next = due + interval;
    if next > now {
        return next;
    }
    // The interval is at least 1 ms, and at most 2^31 of them.
    let missed = now.duration_since(next).as_nanos() / interval.as_nanos() + 1;
    next + Duration::from_nanos((missed * interval.as_nanos()) as u64)
}
