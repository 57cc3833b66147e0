//! Discovery on a simulated network and clock.

#[path = "discover/crowd.rs"]
mod crowd;
#[path = "discover/network.rs"]
mod network;
#[path = "discover/weather.rs"]
mod weather;

use std::collections::HashMap;
use std::time::Duration;

use lan_peers::discover::news::{Is, Reason};

use crowd::{Crowd, Meeting};
use network::Network;
use weather::{Chance, FAIR, Weather};

const SECOND: Duration = Duration::from_secs(1);

/// A tenth is lost, a tenth comes twice, and what comes overtakes.
const FOUL: Weather =
    Weather { loss: 0.1, twice: 0.1, delay: (Duration::from_micros(100), Duration::from_millis(50)) };

/// So many hosts that know each other and are past their start.
fn settled(seed: u64, weather: Weather, hosts: usize) -> Network {
    let mut network = Network::new(seed, weather);
    for _ in 0..hosts {
        network.add();
    }
    network.pass(15 * SECOND);
    assert_eq!(network.least_known(), hosts - 1);
    network
}

/// What each host has been told of each other must be a story: up, changes, down, and again. Gives the downs.
fn downs(network: &Network) -> Vec<(usize, String, Reason, Duration)> {
    let mut there: HashMap<(usize, &str), bool> = HashMap::new();
    let mut downs = Vec::new();
    for happened in &network.happened {
        let (host, told) = (happened.host, &happened.told);
        let known = there.entry((host, &told.id)).or_default();
        if let Some(reason) = told.down {
            assert!(*known, "{} is told down to {host}, and was not up", told.id);
            *known = false;
            downs.push((host, told.id.to_string(), reason, happened.at));
        }
        if let Some(is) = told.is {
            assert_eq!(*known, is == Is::Changed, "{} is told to {host} as {is:?}", told.id);
            *known = true;
        }
    }
    downs
}

#[test]
fn a_newcomer_knows_all_and_is_known_at_once() {
    for (hosts, most) in [(2, 150), (10, 150), (100, 250)] {
        let mut network = settled(1, FAIR, hosts);
        let newcomer = network.add();
        let id = format!("host {newcomer}");
        let knows = |network: &Network| network.hosts[newcomer].discovery.table().len();
        let known = |network: &Network| {
            let others = network.hosts.iter().filter(|host| host.discovery.table().get(&id).is_some());
            others.count()
        };
        let is_known = network.wait_for(SECOND, |network| known(network) == hosts).unwrap();
        assert!(is_known <= Duration::from_millis(102), "is known after {is_known:?}");
        let all = hosts * 99 / 100;
        let knows_all = network.wait_for(SECOND, |network| knows(network) >= all).unwrap();
        assert!(
            is_known + knows_all <= Duration::from_millis(most),
            "{hosts}: after {:?}",
            is_known + knows_all
        );
    }
}

#[test]
fn with_loss_they_know_each_other_soon_and_nobody_is_thought_gone() {
    let mut network = settled(2, FOUL, 30);
    network.pass(20 * 60 * SECOND);
    assert_eq!(downs(&network), []);
    assert_eq!(network.least_known(), 29);
}

#[test]
fn a_crash_is_told_after_the_lifetime_a_goodbye_at_once_and_a_restart_as_such() {
    let mut network = settled(3, FAIR, 10);
    network.crash(0);
    network.close(1);
    network.restart(2);
    let begin = network.elapsed();
    network.pass(20 * SECOND);
    let downs = downs(&network);
    let of = |host: usize| -> Vec<_> {
        downs
            .iter()
            .filter(|(_, id, ..)| *id == format!("host {host}"))
            .map(|(_, _, reason, at)| (*reason, *at - begin))
            .collect()
    };
    let (crash, goodbye, restart) = (of(0), of(1), of(2));
    // The seven others; the one that has restarted never knew them.
    assert_eq!((crash.len(), goodbye.len(), restart.len()), (7, 7, 7));
    assert_eq!(downs.len(), 21);
    // The last announcement was up to an interval and a tenth before.
    let lifetime = |at: &Duration| (4.8..=7.051).contains(&at.as_secs_f64());
    assert!(crash.iter().all(|(reason, at)| *reason == Reason::Timeout && lifetime(at)), "{crash:?}");
    let soon = |at: &Duration| *at < Duration::from_millis(1);
    assert!(goodbye.iter().all(|(reason, at)| *reason == Reason::Bye && soon(at)), "{goodbye:?}");
    let start = |at: &Duration| *at <= Duration::from_millis(101);
    assert!(restart.iter().all(|(reason, at)| *reason == Reason::Restart && start(at)), "{restart:?}");
}

#[test]
fn a_change_is_told_once() {
    let mut network = settled(4, FOUL, 10);
    network.happened.clear();
    network.announce(3, r#"{"is":"new"}"#);
    network.pass(30 * SECOND);
    let changes: Vec<_> = network.happened.iter().map(|one| (one.host, &*one.told.id, one.told.is)).collect();
    assert_eq!(changes.len(), 9);
    assert!(changes.iter().all(|(_, id, is)| *id == "host 3" && *is == Some(Is::Changed)), "{changes:?}");
}

#[test]
fn a_partition_parts_and_heals() {
    let mut network = settled(5, FAIR, 10);
    for host in 5..10 {
        network.hosts[host].side = 1;
    }
    network.pass(8 * SECOND);
    assert_eq!(network.least_known(), 4);
    assert_eq!(downs(&network).len(), 50);
    for host in 5..10 {
        network.hosts[host].side = 0;
    }
    // The next steady announcement of each.
    let healed = network.wait_for(10 * SECOND, |network| network.least_known() == 9);
    assert!(healed.is_some_and(|time| time <= 3 * SECOND), "{healed:?}");
    assert_eq!(downs(&network).len(), 50);
}

#[test]
fn who_sleeps_is_gone_for_the_others_and_nobody_is_for_it() {
    let mut network = settled(6, FAIR, 5);
    network.sleep(0, 3600 * SECOND);
    network.pass(3600 * SECOND + 20 * SECOND);
    let downs = downs(&network);
    assert_eq!(downs.len(), 4, "{downs:?}");
    assert!(
        downs.iter().all(|(host, id, reason, _)| *host != 0 && id == "host 0" && *reason == Reason::Timeout)
    );
    assert_eq!(network.least_known(), 4);
}

#[test]
fn whatever_happens_in_the_end_all_know_who_is_there_and_nobody_else() {
    for seed in 0..20 {
        let mut network = settled(seed, FOUL, 8);
        let mut chance = Chance(seed);
        let mut alive = [true; 8];
        for _ in 0..40 {
            let host = (chance.part() * 8.0) as usize;
            match (alive[host], (chance.part() * 5.0) as u32) {
                (true, 0) => network.crash(host),
                (true, 1) => network.close(host),
                (true, 2) => network.announce(host, &format!(r#"{{"now":{}}}"#, chance.part())),
                (true, 3) => network.sleep(host, SECOND.mul_f64(20.0 * chance.part())),
                (true, _) => network.hosts[host].side ^= 1,
                (false, _) => network.restart(host),
            }
            alive[host] = network.is_alive(host);
            network.pass(SECOND.mul_f64(5.0 * chance.part()));
        }
        for host in &mut network.hosts {
            host.side = 0;
        }
        network.pass(40 * SECOND);
        let living = alive.iter().filter(|alive| **alive).count();
        for (host, _) in alive.iter().enumerate().filter(|(_, alive)| **alive) {
            assert_eq!(network.hosts[host].discovery.table().len(), living - 1, "seed {seed}, host {host}");
        }
        assert_eq!(network.least_known(), living.saturating_sub(1), "seed {seed}");
        downs(&network);
    }
}

#[test]
fn the_group_makes_no_more_than_its_rate_however_large_it_is() {
    let mut network = settled(7, FAIR, 200);
    let before = network.to_group;
    network.pass(60 * SECOND);
    let a_second = (network.to_group - before) as f64 / 60.0;
    assert!((45.0..=55.0).contains(&a_second), "{a_second} announcements a second");
}

/// So many seconds until a newcomer knows 99 % of so many: at most, in three of five cases.
fn newcomer_knows_within(cases: &[(usize, Weather, f64)]) {
    for &(count, weather, most) in cases {
        let mut all: Vec<_> = (1..=5).map(|seed| newcomer_among(count, weather, seed)).collect();
        all.sort_by_key(|meeting| meeting.knows);
        println!("{count} peers, {} lost: {all:?}", weather.loss);
        assert!(all[2].knows.as_secs_f64() <= most, "{count}, {weather:?}: {all:?}");
    }
}

fn newcomer_among(count: usize, weather: Weather, seed: u64) -> Meeting {
    let mut crowd = Crowd::new(count, weather, seed);
    let group_a_second = crowd.group_a_second();
    assert!((45.0..=55.0).contains(&group_a_second), "{count}: {group_a_second}");
    let meeting = crowd.meet().expect("it knows them within a minute");
    assert!(meeting.is_known < SECOND, "{count}, {weather:?}: {meeting:?}");
    // Each answers the first announcement, and again if it is asked again.
    assert!((count * 9 / 10..=3 * count).contains(&meeting.answers), "{count}: {meeting:?}");
    // Its start, and what it asks again.
    assert!(meeting.asked <= 4 + 2, "{count}: {meeting:?}");
    let lifetime = crowd.every().mul_f64(3.5);
    crowd.pass(lifetime);
    assert_eq!(crowd.given_up, 0);
    let crash = crowd.end(0, false);
    assert!(crash <= lifetime + SECOND, "{count}: noticed after {crash:?}");
    let goodbye = crowd.end(1, true);
    assert!(weather.loss > 0.0 || goodbye < Duration::from_millis(1), "{count}: noticed after {goodbye:?}");
    meeting
}

const LOSSY: Weather = Weather { loss: 0.1, ..FAIR };

#[test]
fn a_newcomer_among_a_thousand_knows_them_within_seconds() {
    newcomer_knows_within(&[(1000, FAIR, 1.2), (1000, LOSSY, 4.0)]);
}

#[test]
#[ignore = "takes minutes unless optimized: scripts/nightly"]
fn a_newcomer_among_ten_thousand_knows_them_within_seconds() {
    newcomer_knows_within(&[(10_000, FAIR, 8.0), (10_000, LOSSY, 15.0)]);
}

#[test]
#[ignore = "takes minutes unless optimized: scripts/nightly"]
fn in_an_hour_of_loss_none_of_a_hundred_is_thought_gone() {
    let mut network = settled(8, FOUL, 100);
    network.pass(3600 * SECOND);
    assert_eq!(downs(&network), []);
}

#[test]
#[ignore = "takes minutes unless optimized: scripts/nightly"]
fn a_thousand_start_at_once_and_then_three_come_each_second() {
    let mut network = Network::new(9, FAIR);
    for _ in 0..1000 {
        network.add();
    }
    network.pass(4 * SECOND);
    assert_eq!(network.least_known(), 999);
    let (to_group, to_one) = (network.to_group, network.to_one);
    println!("1,000 at once: {to_group} announcements to the group, {to_one} answers in 4 s");
    // Four of the start each, and two questions at most; the burst answers.
    assert!(to_group <= 1000 * 6 + 4 * 55, "{to_group}");
    assert!(to_one <= 1000 * 200, "{to_one}");

    let a_second = |network: &mut Network, seconds: u32, newcomers: u32| {
        let before = (network.to_group, network.to_one);
        for _ in 0..seconds {
            for _ in 0..newcomers {
                network.add();
                network.pass(SECOND / newcomers);
            }
            if newcomers == 0 {
                network.pass(SECOND);
            }
        }
        let rate = |after: u64, before: u64| (after - before) as f64 / f64::from(seconds);
        (rate(network.to_group, before.0), rate(network.to_one, before.1))
    };
    // The first steady ones come up to 22 s after the start.
    network.pass(22 * SECOND);
    let (steady, answers) = a_second(&mut network, 20, 0);
    println!("then {steady} announcements a second, {answers} answers");
    assert!((45.0..=55.0).contains(&steady), "{steady}");
    assert!(answers < 1.0, "{answers}");
    let (group, answers) = a_second(&mut network, 20, 3);
    println!("with three newcomers a second {group} announcements and {answers} answers a second");
    assert!(group <= 55.0 + 3.0 * 6.0, "{group}");
    // Each of the others answers each of them once, and once more if it asks again.
    assert!(answers <= 3.0 * 1060.0 * 2.0, "{answers}");
    network.pass(10 * SECOND);
    assert_eq!(network.least_known(), 1059);
    assert_eq!(downs(&network), []);
}
