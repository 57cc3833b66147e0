//! A table to which anything may happen, and somebody who is told what it has to tell: what holds of both is asserted. Shared by
//! the properties, which chance makes up, and by fuzzing, which looks for what has not been tried.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use lan_peers::discover::Moment;
use lan_peers::discover::announcement::{Announcement, Says};
use lan_peers::discover::news::{Is, Told};
use lan_peers::discover::peer::{Peer, Source, To};
use lan_peers::discover::table::{Heard, Table};
use lan_peers::net::InterfaceIndex;

/// By how much what is sealed may be off our clock.
const TOLERANCE: Duration = Duration::from_secs(60);

/// How much there is room for in all, and the eighth of each address is what two peers announce or so.
const MAX_BYTES: usize = 8 * 150;

/// What comes to a table, or passes it by. All numbers mean something.
#[derive(Clone, Debug)]
#[cfg_attr(fuzzing, derive(arbitrary::Arbitrary))]
pub(crate) enum Event {
    /// An announcement of so much data, sealed if it has a time: so many milliseconds after ours.
    Hear { id: u8, boot: u8, seq: u8, every: u16, bye: bool, data: u8, from: u8, to: u8, at: Option<i32> },
    /// A bare object.
    HearPlain { data: u8, from: u8 },
    /// So many milliseconds pass.
    Pass { ms: u16 },
    /// The clock on the wall is set by so many milliseconds.
    Step { ms: i32 },
    /// The host has slept for so many milliseconds, which it notices.
    Sleep { ms: u16 },
    /// What there is to tell is told.
    Tell,
}

/// A table, its clocks, and who is told.
pub(crate) struct Trial {
    table: Table,
    max_peers: usize,
    now: Instant,
    wall: u64,
    suspended: Duration,
    reader: Reader,
}

impl Trial {
    pub(crate) fn new(max_peers: usize) -> Self {
        let table = Table::new(max_peers, MAX_BYTES, TOLERANCE);
        let (now, wall, suspended) = (Instant::now(), 1_800_000_000_000, Duration::ZERO);
        Self { table, max_peers, now, wall, suspended, reader: Reader::default() }
    }

    /// Something happens.
    pub(crate) fn happens(&mut self, event: &Event) {
        let Self { table, now, wall, suspended, .. } = self;
        let moment = Moment { now: *now, wall: *wall, suspended: *suspended };
        match *event {
            Event::Hear { id, boot, seq, every, bye, data, from, to, at } => {
                let says = if bye { Says::Bye } else { Says::Data(object(data).into()) };
                let at = at.map(|at| wall.saturating_add_signed(at.into()));
                let announcement = Announcement {
                    id: id.to_string().into(),
                    boot: boot.into(),
                    seq: seq.into(),
                    every: Duration::from_millis(every.into()),
                    known: 1,
                    ask: None,
                    at,
                    says,
                };
                let was_there = table.get(&announcement.id).is_some();
                let to = [To::Group, To::Port, To::Sender][usize::from(to) % 3];
                let heard = table.hear(&announcement, source(from), to, moment);
                let is_there = table.get(&announcement.id).is_some();
                match heard {
                    Heard::New => assert!(is_there && !bye),
                    Heard::Known => assert!(was_there && is_there != bye),
                    // A restart for which there is no room ends who was there; a change does not.
                    Heard::Refused => assert!(was_there || !is_there),
                    Heard::Ignored | Heard::Replayed => assert_eq!(was_there, is_there),
                    Heard::Stale { skew } => {
                        assert_eq!(was_there, is_there);
                        let sealed = at.expect("only what is sealed is stale");
                        assert_eq!(skew, sealed as i64 - *wall as i64);
                        assert!(was_there || skew.unsigned_abs() > TOLERANCE.as_millis() as u64);
                    }
                }
            }
            Event::HearPlain { data, from } => {
                table.hear_plain(&object(data), source(from), moment);
            }
            Event::Pass { ms } => self.pass(Duration::from_millis(ms.into())),
            Event::Step { ms } => *wall = wall.saturating_add_signed(ms.into()),
            Event::Sleep { ms } => {
                *suspended += Duration::from_millis(ms.into());
                *wall = wall.saturating_add(ms.into());
                table.awake(*now);
            }
            Event::Tell => self.reader.is_told(table),
        }
        self.check();
    }

    /// Nothing is heard any more: then nobody stays. A lifetime is of 3.5 intervals, or, of a bare object, 7 s to an hour.
    pub(crate) fn falls_silent(mut self) {
        self.reader.is_told(&mut self.table);
        self.pass(Duration::from_secs(2 * 3600));
        self.reader.is_told(&mut self.table);
        assert!(self.table.is_empty());
    }

    fn pass(&mut self, time: Duration) {
        let Self { table, now, wall, .. } = self;
        let end = *now + time;
        while let Some(at) = table.earliest().filter(|at| *at <= end) {
            *now = at.max(*now);
            table.due(*now, || 0.5, |peer: &Peer| assert!(!peer.is_plain()));
            assert!(table.earliest().is_none_or(|next| next > *now), "it stands still");
        }
        *now = end;
        *wall = wall.saturating_add(time.as_millis() as u64);
    }

    /// What holds of a table at any time.
    fn check(&self) {
        let Self { table, max_peers, .. } = self;
        assert!(table.len() <= *max_peers);
        assert!(table.peers().map(|peer| peer.data.len()).sum::<usize>() <= MAX_BYTES);
        assert_eq!(table.len(), table.peers().count());
        assert_eq!(table.members(), table.peers().filter(|peer| !peer.is_plain()).count());
        for peer in table.peers() {
            assert!((1..=16).contains(&peer.addresses().count()));
            assert_eq!(table.get(&peer.id).map(|found| &found.id), Some(&peer.id));
            let sockets: Vec<_> =
                peer.addresses().map(|address| (address.socket, address.interface)).collect();
            for (i, socket) in sockets.iter().enumerate() {
                assert!(!sockets[..i].contains(socket), "{socket:?} twice");
            }
        }
    }
}

/// What somebody knows of the peers who was told of them: what each announces.
#[derive(Default)]
struct Reader(HashMap<String, String>);

impl Reader {
    /// Is told all that there is to tell; none of it may contradict what it knows.
    fn is_told(&mut self, table: &mut Table) {
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

/// An object whose JSON has this length, if that is 8 bytes or more.
fn object(length: u8) -> String {
    format!(r#"{{"a":"{}"}}"#, "x".repeat(usize::from(length).saturating_sub(8)))
}

/// Many sockets on each of ten addresses.
pub(crate) fn source(number: u8) -> Source {
    let address = Ipv4Addr::new(10, 0, 0, number % 10);
    let socket = SocketAddr::from((address, 1000 + u16::from(number / 10)));
    Source { socket, interface: InterfaceIndex(1) }
}
