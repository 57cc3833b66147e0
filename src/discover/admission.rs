//! How much is taken from whom, before it is looked at: a flood from one address leaves the others theirs, and one from many
//! costs no more than so much.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

/// Each source address: so many a second, and so many at once.
const SOURCE: Allowance = Allowance { per_second: 2000, at_once: 4000 };

/// All source addresses together that nobody in the table has been heard from.
const STRANGERS: Allowance = Allowance { per_second: 20_000, at_once: 20_000 };

/// What a datagram counts for each of these bytes that it begins.
const BYTES: usize = 1500;

/// How many source addresses are told apart at a time.
const SOURCES: usize = 16_384;

/// How often at most it is looked who of them is quiet.
const CLEARING: Duration = Duration::from_secs(1);

/// So many of something a second, and so many at once.
struct Allowance {
    per_second: u32,
    at_once: u32,
}

/// Decides what is looked at.
#[derive(Debug, Default)]
pub(super) struct Admission {
    sources: HashMap<IpAddr, Bucket>,
    strangers: Bucket,
    /// When those that are quiet were last forgotten.
    cleared: Option<Instant>,
}

impl Admission {
    /// Whether a datagram of this length is looked at. `known` says whether somebody in the table has been heard from
    /// there.
    pub(super) fn admits(&mut self, source: IpAddr, known: bool, length: usize, now: Instant) -> bool {
        let weight = u32::try_from(length.div_ceil(BYTES)).unwrap_or(u32::MAX).max(1);
        if !known && !self.strangers.takes(weight, &STRANGERS, now) {
            return false;
        }
        if self.sources.len() >= SOURCES && !self.sources.contains_key(&source) {
            if self.cleared.is_none_or(|at| at + CLEARING <= now) {
                self.cleared = Some(now);
                self.sources.retain(|_, bucket| !bucket.is_full(now));
            }
            if self.sources.len() >= SOURCES {
                // So many at a time are strangers, who all together may do so much; nobody who is known is kept out for it.
                return true;
            }
        }
        self.sources.entry(source).or_default().takes(weight, &SOURCE, now)
    }
}

/// What is left of an allowance, told by when it is whole again.
#[derive(Debug, Default)]
struct Bucket {
    full_at: Option<Instant>,
}

impl Bucket {
    fn takes(&mut self, weight: u32, &Allowance { per_second, at_once }: &Allowance, now: Instant) -> bool {
        let time = |count: u32| Duration::from_secs(count.into()) / per_second;
        let full_at = self.full_at.map_or(now, |at| at.max(now)) + time(weight);
        let takes = full_at - now <= time(at_once);
        if takes {
            self.full_at = Some(full_at);
        }
        takes
    }

    fn is_full(&self, now: Instant) -> bool {
        self.full_at.is_none_or(|at| at <= now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(i: u32) -> IpAddr {
        IpAddr::from(std::net::Ipv4Addr::from_bits(0x0a00_0000 + i))
    }

    /// How many of so many at once are admitted.
    fn admitted(admission: &mut Admission, from: IpAddr, known: bool, length: usize, now: Instant) -> usize {
        (0..100_000).filter(|_| admission.admits(from, known, length, now)).count()
    }

    #[test]
    fn each_source_may_do_so_much_and_the_others_theirs() {
        let (mut admission, now) = (Admission::default(), Instant::now());
        assert_eq!(admitted(&mut admission, source(1), true, 100, now), 4000);
        assert_eq!(admitted(&mut admission, source(2), true, 100, now), 4000);
        let later = now + Duration::from_millis(100);
        assert_eq!(admitted(&mut admission, source(1), true, 1500, later), 200);
        let much_later = now + Duration::from_secs(3600);
        assert_eq!(admitted(&mut admission, source(1), true, 1501, much_later), 2000, "each counts two");
        assert_eq!(admitted(&mut admission, source(3), true, 0, now), 4000);
    }

    #[test]
    fn strangers_together_may_do_so_much_and_take_nothing_from_those_who_are_known() {
        let (mut admission, now) = (Admission::default(), Instant::now());
        let strangers = (0..100_000).filter(|i| admission.admits(source(*i), false, 100, now)).count();
        assert_eq!(strangers, 20_000);
        assert!(admission.sources.len() <= SOURCES);
        let later = now + Duration::from_secs(1);
        let strangers = (0..100_000).filter(|i| admission.admits(source(*i), false, 100, later)).count();
        assert_eq!(strangers, 20_000);
        assert_eq!(
            admitted(&mut admission, source(1 << 20), true, 100, later + Duration::from_secs(1)),
            4000
        );
    }
}
