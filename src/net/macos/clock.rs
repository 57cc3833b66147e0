//! How long the computer has slept.

use std::time::Duration;

use crate::net::unix::clock;

/// How long the computer has been asleep since it was started: what separates the clock that counts that
/// (CLOCK_MONOTONIC_RAW) from the one that does not (CLOCK_UPTIME_RAW, which is `Instant`'s); both are of
/// clock_gettime(3). Neither is slewed, so that they do not drift apart while the computer is awake.
pub fn suspended() -> Duration {
    clock(libc::CLOCK_MONOTONIC_RAW).saturating_sub(clock(libc::CLOCK_UPTIME_RAW))
}
