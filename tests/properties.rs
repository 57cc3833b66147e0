//! What holds of discovery whatever comes, tried with what chance makes up, and boiled down where it does not hold.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use lan_peers::discover::announcement::{Announcement, Ask, Codec, Message, Says, is_announceable};
use lan_peers::discover::news::{Is, Told};
use lan_peers::discover::peer::{Peer, Source, To};
use lan_peers::discover::schedule::{Outgoing, Schedule};
use lan_peers::discover::table::Table;
use lan_peers::net::InterfaceIndex;
use proptest::collection::vec;
use proptest::prelude::*;

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

/// What comes to a table, or passes it by.
#[derive(Clone, Debug)]
enum Event {
    Hear { id: u8, boot: u64, seq: u64, every: u64, bye: bool, data: u8, from: u8, to: To },
    HearPlain { data: u8, from: u8 },
    Pass { ms: u64 },
    Awake,
    Tell,
}

fn events() -> impl Strategy<Value = Event> {
    let to = prop::sample::select(vec![To::Group, To::Port, To::Sender]);
    let heard = (0..6_u8, 0..3_u64, 0..6_u64, 0..4000_u64, prop::bool::weighted(0.1), 0..3_u8, 0..40_u8, to);
    prop_oneof![
        8 => heard.prop_map(|(id, boot, seq, every, bye, data, from, to)| {
            Event::Hear { id, boot, seq, every, bye, data, from, to }
        }),
        1 => (0..3_u8, 0..40_u8).prop_map(|(data, from)| Event::HearPlain { data, from }),
        3 => (0..10_000_u64).prop_map(|ms| Event::Pass { ms }),
        1 => Just(Event::Awake),
        2 => Just(Event::Tell),
    ]
}

/// Twenty sockets on each of two addresses.
fn source(number: u8) -> Source {
    let address = Ipv4Addr::new(10, 0, 0, number % 2);
    let socket = SocketAddr::from((address, 1000 + u16::from(number / 2)));
    Source { socket, interface: InterfaceIndex(1) }
}

/// What somebody knows of the peers who was told of them: what each announces.
#[derive(Default)]
struct Reader(HashMap<String, String>);

impl Reader {
    /// Is told all that there is to tell; none of it may contradict what it knows.
    fn read(&mut self, table: &mut Table) {
        while let Some((Told { id, down, is }, described)) = table.tell() {
            if down.is_some() {
                assert!(self.0.remove(&*id).is_some(), "{id} goes, and was not there");
            }
            assert_eq!(is.is_some(), described.is_some());
            if let Some((is, described)) = is.zip(described) {
                let data = described.peer.data.to_string();
                let before = self.0.insert(id.to_string(), data.clone());
                assert_eq!(before.is_none(), is == Is::Up, "{id} is {is:?}");
                assert_eq!(described.announces_new, before != Some(data));
            }
        }
        let truth = table.peers().map(|peer| (peer.id.to_string(), peer.data.to_string()));
        assert_eq!(self.0, truth.collect());
    }
}

/// What holds of a table at any time.
fn check(table: &Table, max_peers: usize) {
    assert!(table.len() <= max_peers);
    assert_eq!(table.len(), table.peers().count());
    assert_eq!(table.members(), table.peers().filter(|peer| !peer.is_plain()).count());
    for peer in table.peers() {
        assert!((1..=16).contains(&peer.addresses().count()));
        assert_eq!(table.get(&peer.id).map(|found| &found.id), Some(&peer.id));
        let sockets: Vec<_> = peer.addresses().map(|address| (address.socket, address.interface)).collect();
        for (i, socket) in sockets.iter().enumerate() {
            assert!(!sockets[..i].contains(socket), "{socket:?} twice");
        }
    }
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
        events in vec(events(), 0..120), max_peers in 1..12_usize,
    ) {
        let mut table = Table::new(max_peers, Duration::from_secs(60));
        let mut reader = Reader::default();
        let mut now = Instant::now();
        for event in events {
            match event {
                Event::Hear { id, boot, seq, every, bye, data, from, to } => {
                    let says =
                        if bye { Says::Bye } else { Says::Data(format!(r#"{{"n":{data}}}"#).into()) };
                    let announcement = Announcement {
                        id: id.to_string().into(), boot, seq, every: Duration::from_millis(every),
                        known: 1, ask: None, at: None, says,
                    };
                    table.hear(&announcement, source(from), to, now, 0);
                }
                Event::HearPlain { data, from } => {
                    table.hear_plain(&format!(r#"{{"n":{data}}}"#), source(from), now, 0);
                }
                Event::Pass { ms } => {
                    let end = now + Duration::from_millis(ms);
                    while let Some(at) = table.earliest().filter(|at| *at <= end) {
                        now = now.max(at);
                        let ask = |peer: &Peer| assert!(!peer.is_plain());
                        table.due(now, || 0.5, ask);
                        prop_assert!(table.earliest().is_none_or(|next| next > now), "it stands still");
                    }
                    now = end;
                }
                Event::Awake => table.awake(now, Duration::ZERO),
                Event::Tell => reader.read(&mut table),
            }
            check(&table, max_peers);
        }
        reader.read(&mut table);
        // Where nothing is heard any more nobody stays: a lifetime of 3.5 intervals, or 7 s to an hour of plain ones.
        now += Duration::from_secs(2 * 3600);
        while table.earliest().is_some_and(|at| at <= now) {
            table.due(now, || 0.5, |_| {});
        }
        reader.read(&mut table);
        prop_assert!(table.is_empty());
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
