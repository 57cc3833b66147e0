//! What a seal costs: an announcement made and read, with a key and without, and one refused that was changed on the way.
//!
//! `cargo bench --bench seal`: prints the microseconds that each takes as a line of JSON, the least of some rounds.

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use lan_peers::discover::announcement::{Announcement, Codec, Refusal, Says};
use lan_peers::discover::seal::{NONCE, Ring};

const ROUNDS: usize = 20;
const TIMES: u32 = 5_000;

fn main() {
    let announcement = Announcement {
        id: "3q2-7wDerb7v3q2-7wDerQ".into(),
        boot: 1_795_464_000_123,
        seq: 17,
        every: Duration::from_secs(2),
        known: 4,
        ask: None,
        at: Some(1_795_464_000_123),
        says: Says::Data(format!(r#"{{"username":"{}"}}"#, "a".repeat(86)).into()),
    };
    let open = Codec::new("chat");
    let ring = Ring::new("chat", &[[1; 32].into()], || {
        let mut nonce = [0; NONCE];
        getrandom::fill(&mut nonce).ok()?;
        Some(nonce)
    });
    let sealed = Codec::sealed("chat", Arc::new(ring));
    let encode = |codec: &Codec| codec.encode(&announcement).expect("there is a key, and chance");
    let (plain, in_box) = (encode(&open), encode(&sealed));
    let mut changed = in_box.clone();
    let in_text = changed.len() - 40;
    changed[in_text] = if changed[in_text] == b'A' { b'B' } else { b'A' };
    assert!(open.decode(&plain).is_ok() && sealed.decode(&in_box).is_ok());
    assert_eq!(sealed.decode(&changed), Err(Refusal::Foreign));
    println!(
        r#"{{"make":{},"read":{},"seal":{},"open":{},"refuse":{}}}"#,
        least(|| encode(&open)),
        least(|| open.decode(&plain)),
        least(|| encode(&sealed)),
        least(|| sealed.decode(&in_box)),
        least(|| sealed.decode(&changed)),
    );
}

/// How long something takes, in microseconds.
fn least<T>(mut what: impl FnMut() -> T) -> f64 {
    let round = || {
        let begin = Instant::now();
        for _ in 0..TIMES {
            black_box(what());
        }
        begin.elapsed() / TIMES
    };
    let least = std::iter::repeat_with(round).take(ROUNDS).min().unwrap_or_default();
    least.as_secs_f64() * 1e6
}
