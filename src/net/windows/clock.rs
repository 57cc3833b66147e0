//! How long the computer has slept.

use std::time::Duration;

use windows_sys::Win32::System::SystemInformation::GetTickCount64;
use windows_sys::Win32::System::WindowsProgramming::QueryUnbiasedInterruptTime;

/// How long the computer has been asleep since it was started: what separates the clock that counts that
/// (GetTickCount64, in milliseconds) from the one that does not (QueryUnbiasedInterruptTime, in units of 100 ns).
/// Both tick every 16 ms. QueryInterruptTime is finer, and not in Wine 8.
pub fn suspended() -> Duration {
    let mut unbiased = 0;
    // SAFETY: `unbiased` is a valid place for the result.
    unsafe { QueryUnbiasedInterruptTime(&raw mut unbiased) };
    // SAFETY: it needs nothing.
    let biased = Duration::from_millis(unsafe { GetTickCount64() });
    biased.saturating_sub(Duration::from_nanos(unbiased.saturating_mul(100)))
}
