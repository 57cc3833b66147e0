//! How long the computer has slept.

use std::time::Duration;

use crate::net::unix::clock;

/// How long the computer has been suspended since it was started: what separates the clock that counts that
/// (CLOCK_BOOTTIME, since Linux 2.6.39) from the one that does not (CLOCK_MONOTONIC, which is `Instant`'s).
pub fn suspended() -> Duration {
    clock(libc::CLOCK_BOOTTIME).saturating_sub(clock(libc::CLOCK_MONOTONIC))
}
