//! The system's clocks: clock_gettime(2).

use std::time::Duration;

/// What a clock reads. One that is not there reads 0.
pub(in crate::net) fn clock(which: libc::clockid_t) -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is a valid place for the result, and stays as it is where there is none.
    unsafe { libc::clock_gettime(which, &raw mut time) };
    Duration::new(time.tv_sec.cast_unsigned(), u32::try_from(time.tv_nsec).unwrap_or(0))
}
