//! Discoveries, and what is told of their peers, as JavaScript objects.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use napi::Result;
use napi_derive::napi;

use super::options::{self, address_text, count, family_name, parse_target};
use crate::cast::CastCounters;
use crate::discover;
use crate::discover::news::{Is, Reason};
use crate::discovering;
use crate::engine::peers;

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
    pub groups: Vec<String>,
    pub port: u16,
    pub seeds: Vec<String>,
    pub broadcast: bool,
    pub interfaces: Vec<String>,
    pub ttl: u8,
}

/// What there is to tell of an id: that the peer JavaScript knows is down, that there is one, or both, in this order.
#[napi(object, object_from_js = false)]
pub struct PeerNews {
    pub id: String,
    #[napi(ts_type = "'bye' | 'timeout' | 'restart'")]
    pub down: Option<&'static str>,
    pub peer: Option<PeerState>,
}

/// A peer as it is.
#[napi(object, object_from_js = false)]
pub struct PeerState {
    /// JavaScript does not know it.
    pub is_new: bool,
    /// What it announces, as JSON, if that is other than before.
    pub data: Option<String>,
    /// The port of the first of its addresses.
    pub port: u16,
    pub addresses: Vec<PeerAddress>,
    pub plain: bool,
    /// Milliseconds since 1970.
    pub since: i64,
}

/// Where a peer was heard from.
#[napi(object, object_from_js = false)]
pub struct PeerAddress {
    pub address: String,
    #[napi(ts_type = "'IPv4' | 'IPv6'")]
    pub family: &'static str,
    pub interface: String,
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
    pub rate_limited: i64,
}

impl DiscoverOptions {
    /// The engine's options, for a discovery that begins now.
    pub(super) fn begin(self) -> Result<discovering::DiscoverOptions> {
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
            },
            counters: Arc::new(CastCounters::default()),
        })
    }
}

impl From<peers::PeerNews> for PeerNews {
    fn from(peers::PeerNews { id, down, is }: peers::PeerNews) -> Self {
        Self {
            id: id.to_string(),
            down: down.map(|reason| match reason {
                Reason::Bye => "bye",
                Reason::Timeout => "timeout",
                Reason::Restart => "restart",
            }),
            peer: is.map(|(is, state)| PeerState::new(is, &state)),
        }
    }
}

impl PeerState {
    fn new(is: Is, state: &peers::PeerState) -> Self {
        let mut addresses: Vec<PeerAddress> = Vec::new();
        for (socket, interface) in &state.addresses {
            let address = PeerAddress::new(*socket, interface);
            // It may send from several ports.
            let is_known = |known: &PeerAddress| {
                known.address == address.address && known.interface == address.interface
            };
            if !addresses.iter().any(is_known) {
                addresses.push(address);
            }
        }
        Self {
            is_new: is == Is::Up,
            data: state.data.as_deref().map(str::to_owned),
            port: state.addresses.first().map_or(0, |(socket, _)| socket.port()),
            addresses,
            plain: state.plain,
            since: count(state.since),
        }
    }
}

impl PeerAddress {
    fn new(socket: SocketAddr, interface: &str) -> Self {
        let ip: IpAddr = socket.ip();
        Self {
            address: address_text(ip, interface),
            family: family_name(ip),
            interface: interface.to_owned(),
        }
    }
}

impl From<peers::DiscoveryStats> for DiscoveryStats {
    fn from(stats: peers::DiscoveryStats) -> Self {
        let discover::Counts { announcements, malformed, later, unauthenticated, refused, rate_limited } =
            stats.counts;
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
            rate_limited: count(rate_limited),
        }
    }
}
