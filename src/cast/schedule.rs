//! When casts are due.

use std::time::{Duration, Instant};

/// The least time between two moments at which casts are due. Many casts then wake the thread no more often than few, and
/// those that fall due together are sent together.
const TICK: Duration = Duration::from_millis(1);

/// Of a longer interval so small a part is waited for others, too.
const PART: u128 = 128;

/// The moments at which casts are due.
#[derive(Default)]
pub(super) struct Schedule {
    /// From when on ticks are counted.
    first_tick: Option<Instant>,
}

impl Schedule {
    /// The first tick that is not before a moment, for casts of this interval. Intervals are whole numbers of their ticks,
    /// so that a schedule that begins with one keeps to them.
    pub(super) fn tick_after(&mut self, at: Instant, interval: Duration) -> Instant {
        let tick = tick(interval).as_nanos();
        let first = *self.first_tick.get_or_insert(at);
        let past = at.saturating_duration_since(first).as_nanos() % tick;
        if past == 0 { at } else { at + Duration::from_nanos((tick - past) as u64) }
    }
}

/// The time between two ticks for casts of an interval: the longest that is the least doubled a number of times, at most the
/// [`PART`] of the interval, and divides it. The ticks of one are then among those of any other that is shorter.
fn tick(interval: Duration) -> Duration {
    let interval = interval.as_nanos();
    let mut tick = TICK;
    while interval >= 2 * PART * tick.as_nanos() && interval.is_multiple_of(2 * tick.as_nanos()) {
        tick *= 2;
    }
    tick
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tick_is_a_small_part_of_the_interval_and_divides_it() {
        for (interval, ticks) in
            [(1, 1), (20, 1), (255, 1), (256, 2), (257, 1), (1000, 4), (2000, 8), (2001, 1), (60_000, 32)]
        {
            assert_eq!(tick(Duration::from_millis(interval)), Duration::from_millis(ticks), "{interval}");
        }
    }

    #[test]
    fn the_schedule_keeps_its_phase_and_skips_what_was_missed() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let every = Duration::from_millis(20);
        assert_eq!(next_due(at(100), every, at(100)), at(120));
        assert_eq!(next_due(at(100), every, at(119)), at(120));
        assert_eq!(next_due(at(100), every, at(120)), at(140));
        assert_eq!(next_due(at(100), every, at(145)), at(160));
        assert_eq!(next_due(at(100), every, at(3_600_110)), at(3_600_120));
    }
}
