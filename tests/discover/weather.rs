//! How datagrams travel on a network that is not there, and chance.

use std::time::Duration;

/// Numbers as chance would have them, the same for the same seed: SplitMix64.
#[derive(Clone, Debug)]
pub(crate) struct Chance(pub(crate) u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// From 0 to 1.
    pub(crate) fn part(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// How datagrams travel.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Weather {
    /// The part that is lost, for each receiver by itself.
    pub(crate) loss: f64,
    /// The part that comes twice.
    pub(crate) twice: f64,
    /// How long they take: at least, and at most. So they overtake each other.
    pub(crate) delay: (Duration, Duration),
}

/// All arrive, once, and soon.
pub(crate) const FAIR: Weather =
    Weather { loss: 0.0, twice: 0.0, delay: (Duration::from_micros(100), Duration::from_micros(500)) };

impl Weather {
    /// After what times one datagram arrives, if it does.
    pub(crate) fn arrivals(&self, chance: &mut Chance) -> impl Iterator<Item = Duration> {
        let Self { loss, twice, delay: (least, most) } = *self;
        let copies = 1 + usize::from(chance.part() < twice);
        std::iter::repeat_with(move || {
            let arrives = chance.part() >= loss;
            arrives.then(|| least + (most - least).mul_f64(chance.part()))
        })
        .take(copies)
        .flatten()
    }
}
