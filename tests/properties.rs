//! What holds of discovery whatever comes, tried with what chance makes up, and boiled down where it does not hold.

#[path = "properties/trial.rs"]
mod trial;

use std::time::{Duration, Instant};

use lan_peers::discover::announcement::{Announcement, Ask, Codec, Message, Says, is_announceable};
use lan_peers::discover::schedule::{Outgoing, Schedule};
use proptest::collection::vec;
use proptest::prelude::*;

use trial::{Event, Trial, source};

/// What text may be in JSON and out of it: mostly what means something there.
fn texts() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        Just(r#""lan-peers""#.to_owned()),
        Just(r#"{"v":1,"id":"a","boot":1,"seq":1,"every":1000,"n":1}"#.to_owned()),
        prop::sample::select(vec!["{", "}", "[", "]", ":", ",", "\"", "\\", "1", "1e999", "null", " "])
            .prop_map(str::to_owned),
        "\\PC{0,3}",
    ];
    vec(part, 0..12).prop_map(|parts| parts.concat())
}

/// The JSON of objects.
fn objects() -> impl Strategy<Value = String> {
    let value = prop_oneof![
        any::<i64>().prop_map(|number| number.to_string()),
        ".{0,8}".prop_map(|text| serde_json::Value::from(text).to_string()),
        Just("null".to_owned()),
    ];
    let value = value.prop_recursive(4, 16, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(|items| format!("[{}]", items.join(","))),
            vec((".{0,4}", inner), 0..4).prop_map(|members| object(&members)),
        ]
    });
    vec((".{0,4}", value), 0..5).prop_map(|members| object(&members))
}

fn object(members: &[(String, String)]) -> String {
    let member = |(key, value): &(String, String)| format!("{}:{value}", serde_json::Value::from(&**key));
    format!("{{{}}}", members.iter().map(member).collect::<Vec<_>>().join(","))
}

fn events() -> impl Strategy<Value = Event> {
    let at = prop::option::of(prop_oneof![3 => -1000..1000_i32, 1 => -200_000..200_000_i32]);
    let heard = (
        0..40_u8,
        0..3_u8,
        0..6_u8,
        0..4000_u16,
        prop::bool::weighted(0.1),
        0..120_u8,
        0..40_u8,
        0..3_u8,
        at,
    );
    prop_oneof![
        8 => heard.prop_map(|(id, boot, seq, every, bye, data, from, to, at)| {
            Event::Hear { id, boot, seq, every, bye, data, from, to, at }
        }),
        1 => (0..120_u8, 0..40_u8).prop_map(|(data, from)| Event::HearPlain { data, from }),
        3 => (0..10_000_u16).prop_map(|ms| Event::Pass { ms }),
        1 => (-200_000..200_000_i32).prop_map(|ms| Event::Step { ms }),
        1 => (0..60_000_u16).prop_map(|ms| Event::Sleep { ms }),
        2 => Just(Event::Tell),
    ]
}

/// What is wanted of a schedule, so many milliseconds after its start: an answer, or, for nobody, that a change be told.
#[derive(Clone, Debug)]
struct Wish {
    at: u64,
    chance: f64,
    what: Option<(Ask, u8)>,
}

fn wishes() -> impl Strategy<Value = Wish> {
    let ask = prop::sample::select(vec![Ask::Directly, Ask::Group]);
    let what = prop::option::weighted(0.9, (ask, any::<u8>()));
    (0..5000_u64, 0.0..1.0, what).prop_map(|(at, chance, what)| Wish { at, chance, what })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_the_bytes_there_is_an_answer(bytes in vec(any::<u8>(), 0..64), app in "[a-c]?") {
        let _ = Codec::new(&app).decode(&bytes);
    }

    #[test]
    fn whatever_the_text_what_is_taken_for_an_announcement_can_be_said_again(text in texts()) {
        let codec = Codec::new("");
        match codec.decode(text.as_bytes()) {
            Ok(Message::Announcement(heard)) => {
                prop_assert_eq!(codec.decode(&codec.encode(&heard).unwrap()), Ok(Message::Announcement(heard)));
            }
            Ok(Message::Plain(data)) => prop_assert!(is_announceable(&data)),
            Err(_) => prop_assert!(!is_announceable(&text)),
        }
    }

    #[test]
    fn what_is_announced_is_heard(
        id in "[^p].{0,63}", app in ".{0,10}", boot: u64, seq: u64, every in 100..600_000_u64, known: u64, at: Option<u64>,
        ask in prop::sample::select(vec![None, Some(Ask::Directly), Some(Ask::Group)]),
        data in objects(), bye: bool,
    ) {
        prop_assume!(is_announceable(&data));
        let says = if bye { Says::Bye } else { Says::Data(data.into()) };
        let every = Duration::from_millis(every);
        let said = Announcement { id: id.into(), boot, seq, every, known, ask, at, says };
        let codec = Codec::new(&app);
        prop_assert_eq!(codec.decode(&codec.encode(&said).unwrap()), Ok(Message::Announcement(said)));
    }

    #[test]
    fn whatever_comes_the_table_is_in_order_and_who_is_told_of_it_knows_it(
        events in vec(events(), 0..200), max_peers in 1..40_usize,
    ) {
        let mut trial = Trial::new(max_peers);
        for event in &events {
            trial.happens(event);
        }
        trial.falls_silent();
    }

    #[test]
    fn whatever_is_asked_the_schedule_keeps_to_what_it_may_send(
        mut wishes in vec(wishes(), 0..600), peers in 1..2000_usize,
    ) {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut schedule = Schedule::new(Duration::from_secs(2), 50.0);
        schedule.start(None, start, 0.0);
        wishes.sort_by_key(|wish| wish.at);
        let (mut answers, mut to_group) = (Vec::new(), Vec::new());
        let mut run = |schedule: &mut Schedule, until: Instant| {
            while let Some(next) = schedule.earliest().filter(|next| *next <= until) {
                schedule.due(peers, next, || 0.5, |one| match one {
                    Outgoing::Answer(asker) => answers.push((next, asker)),
                    Outgoing::Announce { .. } => to_group.push(next),
                });
            }
        };
        for Wish { at: ms, chance, what } in wishes {
            // Past the start.
            let now = at(2000 + ms);
            run(&mut schedule, now);
            match what {
                None => schedule.changed(now, peers),
                Some((ask, asker)) => schedule.owe(ask, source(asker), peers, now, chance),
            }
        }
        run(&mut schedule, at(60_000));
        // Promised: 200 answers a second. They are sent up to 5 s after that.
        prop_assert!(answers.len() <= 200 * 7, "{} answers", answers.len());
        // Four of the start and two questions; one a steady interval; each change twice, at most ten a second; an answer to
        // the group each 4 N / rate, but at least each spread of 20 ms.
        let steady = 60.0 / (peers as f64 / 50.0).max(2.0);
        let changed = 2.0 * 10.0 * 5.2;
        prop_assert!((to_group.len() as f64) < 8.0 + steady * 1.2 + changed + 5000.0 / 20.0, "{}", to_group.len());
    }
}
