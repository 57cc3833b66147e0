//! The destinations that the routing table finds the way to.

use std::collections::HashSet;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use super::CastCounters;
use super::names::{NameId, Names};
use super::sockets::Sockets;
use crate::error::Fault;
use crate::net::{Destination, Family, Host, Scope, SendOptions, errno, socket_address};

/// A destination that the routing table finds the way to.
pub(super) struct Route {
    host: RouteHost,
    port: u16,
}

enum RouteHost {
    Address(IpAddr),
    Linked(Ipv6Addr, Scope),
    Name(NameId),
}

impl Route {
    /// The way to a destination; a name in it is looked up.
    pub(super) fn new(Destination { host, port }: Destination, names: &mut Names) -> Self {
        let host = match host {
            Host::Address(ip) => RouteHost::Address(ip),
            Host::Linked(ip, scope) => RouteHost::Linked(ip, scope),
            Host::Name(name) => RouteHost::Name(names.hold(&name)),
        };
        Self { host, port }
    }

    pub(super) fn name(&self) -> Option<NameId> {
        match self.host {
            RouteHost::Name(name) => Some(name),
            RouteHost::Address(_) | RouteHost::Linked(..) => None,
        }
    }

    /// Whether it may lead to addresses of this family.
    pub(super) fn uses(&self, family: Family) -> bool {
        match self.host {
            RouteHost::Address(ip) => Family::of(ip) == family,
            RouteHost::Linked(..) => family == Family::V6,
            RouteHost::Name(_) => true,
        }
    }

    /// Whether it leads to this address at present.
    pub(super) fn leads_to(&self, ip: IpAddr, names: &Names) -> bool {
        match &self.host {
            RouteHost::Address(host) => *host == ip,
            RouteHost::Linked(host, _) => IpAddr::V6(*host) == ip,
            RouteHost::Name(name) => names.addresses(*name).iter().any(|address| address.ip() == ip),
        }
    }

    /// Sends to every address of the host. It is an error only if none could be sent to: a host with two
    /// families is reached by either. Leaves out what is in `sent_to`, and adds to it.
    pub(super) fn send(
        &self,
        sockets: &mut Sockets,
        names: &Names,
        payload: &[u8],
        counters: &CastCounters,
        sent_to: &mut HashSet<SocketAddr>,
    ) -> Option<Fault> {
        let mut reached = false;
        let mut failure = None;
        let mut send = |to: SocketAddr| {
            if !sent_to.insert(to) {
                reached = true;
                return;
            }
            let sent = sockets.send(&SendOptions::Routed(Family::of(to.ip())), payload, to);
            counters.count(&sent);
            reached |= sent.is_ok();
            failure = failure.take().or(sent.err());
        };
        match &self.host {
            RouteHost::Address(ip) => send(SocketAddr::new(*ip, self.port)),
            RouteHost::Linked(ip, scope) => match scope.index() {
                Some(index) => send(socket_address((*ip).into(), self.port, index)),
                None => {
                    let fault = Fault::of("send", errno::ENODEV).at((*ip).into(), self.port);
                    let refused = Err(fault.on(scope.to_string().into()));
                    counters.count(&refused);
                    failure = refused.err();
                }
            },
            RouteHost::Name(name) => {
                for address in names.addresses(*name) {
                    let mut to = *address;
                    to.set_port(self.port);
                    send(to);
                }
            }
        }
        failure.filter(|_| !reached)
    }
}
