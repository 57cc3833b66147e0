//! Options, faults and notices as JavaScript objects.

use std::net::{IpAddr, Ipv4Addr};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use napi::bindgen_prelude::BufferSlice;
use napi::{Error, Result, Status};
use napi_derive::napi;

use crate::cast::{self, CastCounters};
use crate::engine::{self, mailbox};
use crate::error;
use crate::listen;
use crate::net::{self, Destination, Family, Selection, Unused};
use crate::report;

/// See `listen` in index.d.ts; everything has been validated.
#[napi(object, object_to_js = false)]
pub struct ListenOptions {
    pub groups: Vec<String>,
    pub port: u16,
    pub interfaces: Vec<String>,
    pub source: Option<String>,
    pub direct: bool,
    #[napi(js_name = "self")]
    pub hears_itself: bool,
    pub high_water_mark: f64,
    pub receive_buffer: u32,
}

/// See `cast` in index.d.ts; everything has been validated.
#[napi(object, object_to_js = false)]
pub struct CastOptions {
    /// Milliseconds.
    pub interval: u32,
    pub groups: Vec<String>,
    pub port: u16,
    pub to: Vec<String>,
    pub broadcast: bool,
    pub interfaces: Vec<String>,
    pub ttl: u8,
    pub loopback: bool,
}

/// A listener that is open.
#[napi(object, object_from_js = false)]
pub struct Opened {
    pub id: u32,
    pub port: u16,
}

/// What the system refused. `errno` is positive; 0 says that the engine itself failed.
#[napi(object, object_from_js = false)]
pub struct Fault {
    pub syscall: String,
    pub errno: i32,
    pub address: Option<String>,
    pub port: Option<u16>,
    pub interface: Option<String>,
    pub hint: String,
}

/// Something that happened to an object.
#[napi(object, object_from_js = false)]
pub struct Notice {
    /// 0 with 'interfaces': of every object.
    pub id: u32,
    #[napi(
        ts_type = "'warning' | 'no-interface' | 'interfaces' | 'unresolved' | 'peers' | 'id-conflict' | 'table-full' | 'unauthenticated' | 'clock-skew' | 'closed' | 'failed'"
    )]
    pub kind: &'static str,
    /// Of a warning.
    pub fault: Option<Fault>,
    /// Of 'no-interface': those that there are.
    pub interfaces: Option<Vec<String>>,
    /// Of 'unresolved'.
    pub hostname: Option<String>,
    /// Of 'unresolved' and 'failed'.
    pub reason: Option<String>,
    /// Of 'clock-skew': by how many milliseconds the other clock is ahead.
    pub skew: Option<i64>,
}

/// An interface of this host, and what an object does with it.
#[napi(object, object_from_js = false)]
pub struct InterfaceReport {
    pub name: String,
    pub index: u32,
    pub addresses: Vec<InterfaceAddress>,
    #[napi(js_name = "IPv4")]
    pub v4: Usage,
    #[napi(js_name = "IPv6")]
    pub v6: Usage,
}

/// An address of an interface.
#[napi(object, object_from_js = false)]
pub struct InterfaceAddress {
    pub address: String,
    #[napi(ts_type = "'IPv4' | 'IPv6'")]
    pub family: &'static str,
    pub cidr: String,
}

/// What is done with an interface in one family. 'usable' is said where no object is asked.
#[napi(object, object_from_js = false)]
pub struct Usage {
    #[napi(ts_type = "'joined' | 'usable' | 'skipped' | 'waiting' | 'failing'")]
    pub state: &'static str,
    /// Of 'skipped' and 'waiting'; of 'joined', if it may be in vain.
    pub reason: Option<String>,
    /// With a reason, if there is a cure.
    pub hint: Option<String>,
    /// Of 'failing'.
    pub fault: Option<Fault>,
}

/// Where messages come from: what their `from` objects have in common.
#[napi(object, object_from_js = false, use_nullable = true)]
pub struct Source {
    pub address: String,
    #[napi(ts_type = "'IPv4' | 'IPv6'")]
    pub family: &'static str,
    pub port: u16,
    pub interface: String,
    pub group: Option<String>,
}

/// Counts of a listener, see index.d.ts.
#[napi(object, object_from_js = false)]
pub struct ListenerStats {
    pub received: i64,
    pub bytes: i64,
    pub dropped: i64,
    pub lost: i64,
    pub receive_buffer: i64,
}

/// Counts of a cast, see index.d.ts.
#[napi(object, object_from_js = false)]
pub struct CasterStats {
    pub sent: i64,
    pub failed: i64,
}

impl TryFrom<ListenOptions> for listen::ListenOptions {
    type Error = Error;

    fn try_from(options: ListenOptions) -> Result<Self> {
        Ok(Self {
            groups: options.groups.iter().map(|group| parse_group(group)).collect::<Result<_>>()?,
            port: options.port,
            selection: parse_interfaces(options.interfaces)?,
            source: options.source.as_deref().map(parse_source).transpose()?,
            direct: options.direct,
            hears_itself: options.hears_itself,
            // A float converts to the nearest value in range.
            high_water_mark: options.high_water_mark as usize,
            receive_buffer: options.receive_buffer as usize,
        })
    }
}

/// Where something is sent, as JavaScript says it.
pub(super) struct Target<'a> {
    pub(super) groups: &'a [String],
    pub(super) port: u16,
    pub(super) to: &'a [String],
    pub(super) broadcast: bool,
    pub(super) interfaces: Vec<String>,
    pub(super) ttl: u8,
    pub(super) loopback: bool,
}

/// Parses a target that lib/options.js has let through.
pub(super) fn parse_target(target: Target<'_>) -> Result<cast::Target> {
    let Target { groups, port, to, broadcast, interfaces, ttl, loopback } = target;
    Ok(cast::Target {
        groups: groups.iter().map(|group| parse_group(group)).collect::<Result<_>>()?,
        port,
        to: to.iter().map(|to| Destination::parse(to, port).map_err(invalid)).collect::<Result<_>>()?,
        broadcast,
        selection: parse_interfaces(interfaces)?,
        ttl,
        loopback,
    })
}

impl CastOptions {
    /// The engine's options, with the payload copied.
    pub(super) fn with_payload(self, payload: &BufferSlice<'_>) -> Result<cast::CastOptions> {
        Ok(cast::CastOptions {
            payload: payload.as_ref().into(),
            interval: Duration::from_millis(u64::from(self.interval)),
            target: Arc::new(parse_target(Target {
                groups: &self.groups,
                port: self.port,
                to: &self.to,
                broadcast: self.broadcast,
                interfaces: self.interfaces,
                ttl: self.ttl,
                loopback: self.loopback,
            })?),
            counters: Arc::new(CastCounters::default()),
        })
    }
}

impl From<error::Fault> for Fault {
    fn from(fault: error::Fault) -> Self {
        Self {
            hint: fault.hint().to_owned(),
            syscall: fault.syscall.to_owned(),
            errno: fault.errno,
            address: fault.address.map(|address| address.to_string()),
            port: fault.port,
            interface: fault.interface.as_deref().map(str::to_owned),
        }
    }
}

impl From<engine::OpenError> for Fault {
    fn from(error: engine::OpenError) -> Self {
        match error {
            engine::OpenError::Refused(fault) => fault.into(),
            engine::OpenError::EngineFailed => Self {
                syscall: "start".to_owned(),
                errno: 0,
                address: None,
                port: None,
                interface: None,
                hint: String::new(),
            },
        }
    }
}

impl From<engine::Notice> for Notice {
    fn from(notice: engine::Notice) -> Self {
        let of = |id: engine::ObjectId, kind| Self {
            id: id.0,
            kind,
            fault: None,
            interfaces: None,
            hostname: None,
            reason: None,
            skew: None,
        };
        match notice {
            engine::Notice::Warning(id, fault) => Self { fault: Some(fault.into()), ..of(id, "warning") },
            engine::Notice::NoInterface(id, names) => {
                let names = names.iter().map(|name| name.to_string()).collect();
                Self { interfaces: Some(names), ..of(id, "no-interface") }
            }
            engine::Notice::Unresolved(id, name, reason) => Self {
                hostname: Some(name.to_string()),
                reason: Some(reason.to_string()),
                ..of(id, "unresolved")
            },
            engine::Notice::Interfaces(id) => of(id.unwrap_or(engine::ObjectId(0)), "interfaces"),
            engine::Notice::Peers(id) => of(id, "peers"),
            engine::Notice::IdConflict(id) => of(id, "id-conflict"),
            engine::Notice::TableFull(id) => of(id, "table-full"),
            engine::Notice::Unauthenticated(id) => of(id, "unauthenticated"),
            engine::Notice::ClockSkew(id, skew) => Self { skew: Some(skew), ..of(id, "clock-skew") },
            engine::Notice::Closed(id) => of(id, "closed"),
            engine::Notice::EngineFailed(id, reason) => {
                Self { reason: Some(reason.to_string()), ..of(id, "failed") }
            }
        }
    }
}

impl Source {
    /// Describes a source; `interface` is the name of its interface.
    pub(super) fn describe(source: &mailbox::Source, interface: &str) -> Self {
        let ip = source.address.ip();
        Self {
            address: address_text(ip, interface),
            family: family_name(ip),
            port: source.address.port(),
            interface: interface.to_owned(),
            group: source.group.map(|group| group.to_string()),
        }
    }
}

impl From<report::InterfaceReport> for InterfaceReport {
    fn from(report: report::InterfaceReport) -> Self {
        Self::new(&report.interface, report.v4.into(), report.v6.into())
    }
}

impl InterfaceReport {
    /// What `selection` would make of an interface, as far as that depends on the interface alone.
    pub(super) fn of_selection(selection: &Selection, interface: &net::Interface) -> Self {
        let usage = |family| match selection.choose(interface, family) {
            Ok(chosen) if chosen.multicast => Usage::of("usable"),
            Ok(_) => Usage::unused("skipped", &Unused::LoopbackV6),
            Err(unused) => Usage::unused("skipped", &unused),
        };
        Self::new(interface, usage(Family::V4), usage(Family::V6))
    }

    fn new(interface: &net::Interface, v4: Usage, v6: Usage) -> Self {
        let describe = |address: &net::InterfaceAddress| InterfaceAddress {
            address: address.ip.to_string(),
            family: family_name(address.ip),
            cidr: format!("{}/{}", address.ip, address.prefix),
        };
        Self {
            name: interface.name.to_string(),
            index: interface.index.0,
            addresses: interface.addresses.iter().map(describe).collect(),
            v4,
            v6,
        }
    }
}

impl From<report::Usage> for Usage {
    fn from(usage: report::Usage) -> Self {
        match usage {
            report::Usage::Joined(obstacle) => Self {
                reason: obstacle.map(|obstacle| obstacle.to_string()),
                hint: obstacle.map(|obstacle| obstacle.hint().to_owned()),
                ..Self::of("joined")
            },
            report::Usage::Unused(unused) if unused.is_waiting() => Self::unused("waiting", &unused),
            report::Usage::Unused(unused) => Self::unused("skipped", &unused),
            report::Usage::Failing(fault) => Self { fault: Some(fault.into()), ..Self::of("failing") },
        }
    }
}

impl Usage {
    fn of(state: &'static str) -> Self {
        Self { state, reason: None, hint: None, fault: None }
    }

    fn unused(state: &'static str, unused: &Unused) -> Self {
        let (reason, hint) = (unused.to_string(), unused.hint().map(str::to_owned));
        Self { reason: Some(reason), hint, ..Self::of(state) }
    }
}

impl From<engine::ListenerStats> for ListenerStats {
    fn from(stats: engine::ListenerStats) -> Self {
        Self {
            received: count(stats.received),
            bytes: count(stats.bytes),
            dropped: count(stats.dropped),
            lost: count(stats.lost),
            receive_buffer: count(stats.receive_buffer),
        }
    }
}

impl From<&CastCounters> for CasterStats {
    fn from(counters: &CastCounters) -> Self {
        Self { sent: count(counters.sent()), failed: count(counters.failed()) }
    }
}

/// An address as it is written; `interface` is where it came in.
pub(super) fn address_text(ip: IpAddr, interface: &str) -> String {
    match ip {
        // RFC 4007 11: such an address means nothing without its interface.
        IpAddr::V6(v6) if v6.is_unicast_link_local() => format!("{ip}%{interface}"),
        _ => ip.to_string(),
    }
}

/// A count as JavaScript takes it.
pub(super) fn count(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

pub(super) fn family_name(ip: IpAddr) -> &'static str {
    if ip.is_ipv4() { "IPv4" } else { "IPv6" }
}

/// Parses a group that lib/options.js has let through.
pub(super) fn parse_group(group: &str) -> Result<IpAddr> {
    IpAddr::from_str(group).map_err(|_| invalid(format!("no group: {group}")))
}

fn parse_source(source: &str) -> Result<Ipv4Addr> {
    Ipv4Addr::from_str(source).map_err(|_| invalid(format!("no IPv4 address: {source}")))
}

pub(super) fn parse_interfaces(patterns: Vec<String>) -> Result<Selection> {
    Selection::parse(patterns).map_err(|bad| invalid(bad.to_string()))
}

fn invalid(reason: impl Into<String>) -> Error {
    Error::new(Status::InvalidArg, reason.into())
}
