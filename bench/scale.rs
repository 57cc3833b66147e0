//! How discovery does among many, on a simulated network and clock.
//!
//! `cargo bench --bench scale -- <count> <loss> <seed>`: a newcomer comes to so many who know each other, where this part of
//! what is sent does not arrive, stays for ten hours, and sees some of them end. Prints what it has seen as a line
//! of JSON: seconds, and of the goodbye milliseconds.

#[path = "../tests/discover/crowd.rs"]
mod crowd;
#[path = "../tests/discover/weather.rs"]
mod weather;

use std::time::Duration;

use crowd::{Crowd, Meeting};
use weather::{FAIR, Weather};

const HOUR: Duration = Duration::from_secs(3600);
const HOURS: u32 = 10;

/// How many members end without a word, and how many with a goodbye.
const ENDS: usize = 3;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    // Cargo adds one of its own.
    let [count, loss, seed, ..] = &arguments[..] else { panic!("<count> <loss> <seed>") };
    let count = count.parse().expect("a number of peers");
    let weather = Weather { loss: loss.parse().expect("a part that is lost"), ..FAIR };
    let mut crowd = Crowd::new(count, weather, seed.parse().expect("a number"));

    let group_a_second = crowd.group_a_second();
    let Meeting { is_known, knows, answers, asked } =
        crowd.meet().expect("they know each other within a minute");
    crowd.pass(HOURS * HOUR);
    let false_alarms = crowd.given_up as f64 / f64::from(HOURS);
    let mut longest = |says_goodbye, first| {
        let ends = (first..first + ENDS).map(|member| {
            let some = crowd.every().mul_f64(crowd.chance.part());
            crowd.pass(some);
            crowd.end(member, says_goodbye)
        });
        ends.max().unwrap_or_default().as_secs_f64()
    };
    let (goodbye, crash) = (longest(true, 0) * 1000.0, longest(false, ENDS));
    println!(
        r#"{{"groupASecond":{group_a_second},"knows":{},"isKnown":{},"asked":{asked},"answers":{answers},"falseAlarms":{false_alarms},"goodbye":{goodbye},"crash":{crash}}}"#,
        knows.as_secs_f64(),
        is_known.as_secs_f64(),
    );
}
