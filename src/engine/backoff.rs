//! When to try again what has failed. Knows no clock and no source of chance: the chance is handed in.

use std::time::Duration;

/// How long after the first failure.
const FIRST: Duration = Duration::from_millis(250);

/// However many failures there have been.
const LONGEST: Duration = Duration::from_secs(30);

/// Counts the failures in a row of something, and says how long to wait after each: [`FIRST`], then twice as
/// long each time up to [`LONGEST`], less up to a quarter by chance, so that many that failed together do not
/// try together for ever.
#[derive(Clone, Copy, Debug, Default)]
pub struct Backoff {
    failures: u32,
}

impl Backoff {
    /// It has failed once more; it is to be tried again after this time. `chance` is any number, best one that
    /// nobody else has.
    pub fn failed(&mut self, chance: u64) -> Duration {
        let longest = FIRST.saturating_mul(1 << self.failures.min(16)).min(LONGEST);
        self.failures += 1;
        // The upper half of `chance` as a fraction of 2^32.
        longest - (longest / 4).mul_f64((chance >> 32) as f64 / f64::from(u32::MAX))
    }

    /// It has succeeded.
    pub fn succeeded(&mut self) {
        self.failures = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_longer_each_time_and_never_too_long() {
        let ms = Duration::from_millis;
        for (chance, of_250, of_1000, of_30_000) in
            [(0, ms(250), ms(1000), ms(30_000)), (u64::MAX, ms(187), ms(749), ms(22_499))]
        {
            let mut backoff = Backoff::default();
            let about = |wanted, got: Duration| assert!(got >= wanted && got <= wanted + ms(1), "{got:?}");
            about(of_250, backoff.failed(chance));
            backoff.failed(chance);
            about(of_1000, backoff.failed(chance));
            for _ in 0..100 {
                backoff.failed(chance);
            }
            about(of_30_000, backoff.failed(chance));
            backoff.succeeded();
            about(of_250, backoff.failed(chance));
        }
    }
}
