//! Discoveries, and what is told of their peers, as JavaScript objects.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use napi::Result;
use napi_derive::napi;

use super::options::{self, address_text, count, family_name, parse_target};
use crate::cast::CastCounters;
use crate::discover;
use crate::discover::announcement::quoted;
use crate::discover::news::{Is, Reason};
use crate::discover::peer::Source;
use crate::discover::seal::{KEY, Key, NONCE, Ring};
use crate::discovering;
use crate::engine::peers::{self, PeerNews};
use crate::net::InterfaceIndex;

/// See `discover` in index.d.ts; everything has been validated.
#[napi(object, object_to_js = false)]
pub struct DiscoverOptions {
    pub id: String,
    pub app: String,
    /// The JSON of an object.
    pub data: String,
    /// Milliseconds.
    pub interval: u32,
    pub rate: f64,
    pub plain: bool,
    pub max_peers: u32,
    /// It waits for its keys, see `unlock`.
    pub sealed: bool,
    /// Milliseconds.
    pub clock_tolerance: u32,
    pub groups: Vec<String>,
    pub port: u16,
    pub seeds: Vec<String>,
    pub broadcast: bool,
    pub interfaces: Vec<String>,
    pub ttl: u8,
}

/// Counts of a discovery, see index.d.ts.
#[napi(object, object_from_js = false)]
pub struct DiscoveryStats {
    pub received: i64,
    pub bytes: i64,
    pub malformed: i64,
    pub lost: i64,
    pub receive_buffer: i64,
    pub peers: i64,
    pub announcements: i64,
    pub refused: i64,
    pub unauthenticated: i64,
    pub replayed: i64,
    pub stale: i64,
    pub rate_limited: i64,
}

impl DiscoverOptions {
    /// The engine's options, for a discovery that begins now.
    pub(super) fn begin(self) -> Result<discovering::DiscoverOptions> {
        let ring = self.sealed.then(|| Arc::new(Ring::new(&self.app, &[], nonce)));
        let boot = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let target = options::Target {
            groups: &self.groups,
            port: self.port,
            to: &self.seeds,
            broadcast: self.broadcast,
            interfaces: self.interfaces,
            ttl: self.ttl,
            loopback: true,
        };
        Ok(discovering::DiscoverOptions {
            target: Arc::new(parse_target(target)?),
            discovery: discover::Options {
                id: self.id.into(),
                app: self.app.into(),
                boot: boot.as_millis() as u64,
                data: self.data.into(),
                interval: Duration::from_millis(u64::from(self.interval)),
                rate: self.rate,
                plain: self.plain,
                max_peers: self.max_peers as usize,
                ring,
                tolerance: Duration::from_millis(u64::from(self.clock_tolerance)),
            },
            counters: Arc::new(CastCounters::default()),
        })
    }
}

/// The keys of a discovery of this `app`, one after another.
pub(super) fn parse_keys(app: &str, keys: &[u8]) -> Ring {
    let keys: Vec<Key> = keys.as_chunks::<KEY>().0.iter().map(|key| Key::new(*key)).collect();
    Ring::new(app, &keys, nonce)
}

/// A nonce from the system's chance.
fn nonce() -> Option<[u8; NONCE]> {
    let mut nonce = [0; NONCE];
    getrandom::fill(&mut nonce).ok()?;
    Some(nonce)
}

/// What there is to tell of a peer as JSON, which JavaScript reads in a fraction of the time that making the objects for it
/// would take: `PeerNews` of lib/discovery.js. `name` names an interface.
pub(super) fn news_text(
    PeerNews { id, down, is }: &PeerNews,
    name: impl Fn(InterfaceIndex) -> Option<Arc<str>>,
) -> String {
    let mut text = format!(r#"{{"id":{}"#, quoted(id));
    if let Some(reason) = down {
        text += match reason {
            Reason::Bye => r#","down":"bye""#,
            Reason::Timeout => r#","down":"timeout""#,
            Reason::Restart => r#","down":"restart""#,
        };
    }
    if let Some((is, state)) = is {
        let (is_new, plain, since) = (*is == Is::Up, state.plain, state.since);
        let port = state.addresses.first().map_or(0, |source| source.socket.port());
        text += &format!(r#","peer":{{"isNew":{is_new},"plain":{plain},"since":{since},"port":{port}"#);
        if let Some(data) = &state.data {
            text += r#","data":"#;
            text += data;
        }
        text += r#","addresses":["#;
        text += &addresses_text(&state.addresses, name);
        text += "]}";
    }
    text.push('}');
    text
}

/// Addresses, each once, though a peer may send from several ports of one.
fn addresses_text(addresses: &[Source], name: impl Fn(InterfaceIndex) -> Option<Arc<str>>) -> String {
    let mut texts: Vec<String> = Vec::new();
    for Source { socket, interface } in addresses {
        let (ip, interface) = (socket.ip(), name(*interface).unwrap_or_default());
        let text = format!(
            r#"{{"address":{},"family":"{}","interface":{}}}"#,
            quoted(&address_text(ip, &interface)),
            family_name(ip),
            quoted(&interface)
        );
        if !texts.contains(&text) {
            texts.push(text);
        }
    }
    texts.join(",")
}

impl From<peers::DiscoveryStats> for DiscoveryStats {
    fn from(stats: peers::DiscoveryStats) -> Self {
        let discover::Counts {
            announcements,
            malformed,
            later,
            replayed,
            stale,
            unauthenticated,
            refused,
            rate_limited,
        } = stats.counts;
        Self {
            received: count(stats.received),
            bytes: count(stats.bytes),
            malformed: count(malformed + later),
            lost: count(stats.lost),
            receive_buffer: count(stats.receive_buffer),
            peers: count(stats.peers),
            announcements: count(announcements),
            refused: count(refused),
            unauthenticated: count(unauthenticated),
            replayed: count(replayed),
            stale: count(stale),
            rate_limited: count(rate_limited),
        }
    }
}
