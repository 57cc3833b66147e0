//! What a listener has joined, kept in line with the interfaces.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::port::PortId;
use super::{Attached, Listener, Listening, Membership};
use crate::engine::timers::Timers;
use crate::engine::{Deadline, Notice, ObjectId, chance};
use crate::error::Fault;
use crate::net::{Chosen, Family, Hears, Interface, InterfaceIndex, Port, Unused, errno};
use crate::report::{InterfaceReport, Usage, report};

/// How often memberships are told to the network again. Switches that snoop (RFC 4541) forget one 260 s after they
/// have heard of it, and where no router asks, nobody but us reminds them.
const REFRESH: Range<Duration> = Duration::from_secs(60)..Duration::from_secs(120);

impl Listening {
    /// Notes which addresses of this host's networks everybody hears.
    pub(crate) fn note_addresses(&mut self, interfaces: &[Interface]) {
        let all = interfaces.iter().flat_map(|interface| &interface.addresses);
        self.broadcast = all.filter_map(|address| address.broadcast()).map(IpAddr::from).collect();
        self.broadcast.insert(Ipv4Addr::BROADCAST.into());
    }

    /// Leaves what is not to be heard any more, and joins what is. Says whether anything has changed.
    pub(crate) fn follow(
        &mut self,
        id: ObjectId,
        interfaces: &[Interface],
        now: Instant,
        timers: &mut Timers<Deadline>,
    ) -> bool {
        let Some(listener) = self.listeners.get_mut(&id) else { return false };
        let has_port = |family| {
            let hears = |attached: &Attached| self.ports.get(&attached.port).map(|shared| shared.key.hears);
            listener.ports.iter().any(|attached| hears(attached) == Some(Hears::Groups(family)))
        };
        let families =
            Family::ALL.into_iter().filter(|family| listener.has_group_of(*family) || has_port(*family));
        let chosen: Vec<_> = families.flat_map(|family| listener.chosen(interfaces, family)).collect();
        let before = (listener.interfaces.clone(), listener.memberships.len());
        listener.interfaces = chosen.iter().map(|(family, one)| (*family, one.index)).collect();
        let wanted: Vec<(Membership, &Chosen)> = listener.memberships_on(&chosen);
        let ports: Vec<PortId> = listener.ports.iter().map(|attached| attached.port).collect();
        listener.memberships.retain(|(port, membership)| {
            let is_wanted = wanted.iter().any(|(wanted, _)| wanted == membership);
            if !is_wanted && let Some(shared) = self.ports.get_mut(port) {
                shared.leave(*membership);
            }
            is_wanted
        });
        let failed_before = std::mem::take(&mut listener.failing);
        let mut joined = false;
        for (membership, one) in wanted {
            joined |= self.join_unless_joined(id, membership, one);
        }
        for port in ports {
            self.close_idle(port, timers);
        }
        self.plan_refresh(now, timers);
        let Some(listener) = self.listeners.get_mut(&id) else { return false };
        listener.tell_failures(id, &failed_before);
        if listener.failing.iter().all(|(_, fault)| fault.errno == errno::EAFNOSUPPORT) {
            listener.retries.succeeded();
            timers.cancel(Deadline::Retry(id));
        } else if !timers.is_set(Deadline::Retry(id)) {
            timers.set(Deadline::Retry(id), now + listener.retries.failed(chance::any()));
        }
        joined
            || before != (listener.interfaces.clone(), listener.memberships.len())
            || failed_before != listener.failing
    }

    /// Joins a group on an interface, if the listener has not. Says whether it has now and had not before; if it cannot,
    /// that is noted.
    fn join_unless_joined(&mut self, id: ObjectId, membership: Membership, one: &Chosen) -> bool {
        let Some(listener) = self.listeners.get(&id) else { return false };
        if listener.memberships.iter().any(|(_, joined)| *joined == membership) {
            return false;
        }
        let (port, hears) = (Port::Named(listener.port), listener.hears(membership.group));
        let joined = self.attach(id, port, hears).and_then(|port| {
            let shared = self.ports.get_mut(&port);
            let joined = shared.map_or(Ok(()), |shared| shared.join(membership, &self.poll));
            let told = |fault: Fault| fault.on(Arc::clone(&one.name)).behind(one.obstacle);
            joined.map(|()| port).map_err(told)
        });
        let Some(listener) = self.listeners.get_mut(&id) else { return false };
        match joined {
            Ok(port) => {
                listener.memberships.push((port, membership));
                true
            }
            Err(fault) => {
                listener.failing.push((membership, fault));
                false
            }
        }
    }

    /// Those that could not join something.
    pub(crate) fn failing(&self) -> impl Iterator<Item = ObjectId> {
        let failing = |(_, listener): &(&ObjectId, &Listener)| !listener.failing.is_empty();
        self.listeners.iter().filter(failing).map(|(id, _)| *id)
    }

    /// Tells the network again of the memberships that it may have forgotten. Gives the listeners that have to
    /// [`Listening::follow`] then.
    pub(crate) fn refresh(&mut self, now: Instant, timers: &mut Timers<Deadline>) -> Vec<ObjectId> {
        let concerned = self.rejoin(Membership::may_be_forgotten);
        self.plan_refresh(now, timers);
        concerned
    }

    fn plan_refresh(&self, now: Instant, timers: &mut Timers<Deadline>) {
        if self.ports.values().any(|shared| shared.has(Membership::may_be_forgotten)) {
            timers.set_if_none(Deadline::Refresh, now + chance::between(REFRESH));
        }
    }

    /// Leaves some memberships and joins them again. Gives the listeners of those that could not be joined again,
    /// which have to [`Listening::follow`].
    pub(crate) fn rejoin(&mut self, wanted: impl Fn(&Membership) -> bool) -> Vec<ObjectId> {
        let mut concerned = Vec::new();
        for (port, shared) in &mut self.ports {
            for lost in shared.rejoin(&wanted) {
                for id in &shared.listeners {
                    let Some(listener) = self.listeners.get_mut(id) else { continue };
                    let held = listener.memberships.len();
                    listener.memberships.retain(|joined| *joined != (*port, lost));
                    if listener.memberships.len() < held && !concerned.contains(id) {
                        concerned.push(*id);
                    }
                }
            }
        }
        concerned
    }

    /// What a listener does with each interface.
    pub(crate) fn report(&self, id: ObjectId, interfaces: &[Interface]) -> Option<Vec<InterfaceReport>> {
        let listener = self.listeners.get(&id)?;
        let verdicts = Family::ALL.map(|family| listener.selection.listening(interfaces, family));
        Some(report(interfaces, |i, family| {
            if !listener.has_group_of(family) {
                return Usage::Unused(Unused::NoGroup(family));
            }
            let obstacle = match &verdicts[family as usize][i] {
                Err(unused) => return Usage::Unused(unused.clone()),
                Ok(chosen) if !chosen.multicast => return Usage::Unused(Unused::LoopbackV6),
                Ok(chosen) => chosen.obstacle,
            };
            let is_here =
                |(membership, _): &&(Membership, Fault)| membership.is_on(interfaces[i].index, family);
            let failure = listener.failing.iter().find(is_here);
            failure.map_or(Usage::Joined(obstacle), |(_, fault)| Usage::Failing(fault.clone()))
        }))
    }
}

impl Listener {
    fn has_group_of(&self, family: Family) -> bool {
        self.groups.iter().any(|group| Family::of(*group) == family)
    }

    /// The interfaces that it listens on in a family.
    fn chosen(&self, interfaces: &[Interface], family: Family) -> Vec<(Family, Chosen)> {
        let verdicts = self.selection.listening(interfaces, family);
        verdicts.into_iter().flatten().map(|one| (family, one)).collect()
    }

    /// What is to be joined on these interfaces.
    fn memberships_on<'a>(&self, chosen: &'a [(Family, Chosen)]) -> Vec<(Membership, &'a Chosen)> {
        let on = |(family, one): &'a (Family, Chosen)| {
            let groups = self.groups.iter().filter(|group| one.multicast && Family::of(**group) == *family);
            groups.map(|group| (Membership { group: *group, interface: one.index }, one)).collect::<Vec<_>>()
        };
        chosen.iter().flat_map(on).collect()
    }

    /// How a group is to be heard.
    fn hears(&self, group: IpAddr) -> Hears {
        match (group, self.source) {
            (IpAddr::V4(group), Some(source)) => Hears::Source { group, source },
            _ => Hears::Groups(Family::of(group)),
        }
    }

    /// Tells what cannot be joined, unless the same was so before: once for each interface and family, or once
    /// for all if it is of none.
    fn tell_failures(&self, id: ObjectId, before: &[(Membership, Fault)]) {
        let what = |(membership, fault): &(Membership, Fault)| {
            let interface = fault.interface.is_some().then_some(membership.interface);
            (interface, Family::of(membership.group), fault.errno)
        };
        let mut told: Vec<_> = before.iter().map(what).collect();
        for failure in &self.failing {
            // That there is no IPv6 is told, if at all, when the listener opens.
            let is_no_news = failure.1.errno == errno::EAFNOSUPPORT || told.contains(&what(failure));
            if !is_no_news {
                told.push(what(failure));
                self.client.notify(Notice::Warning(id, failure.1.clone()));
            }
        }
    }
}

impl Membership {
    fn is_on(&self, interface: InterfaceIndex, family: Family) -> bool {
        self.interface == interface && Family::of(self.group) == family
    }

    /// Whether switches may forget it. What is for the link alone they pass on to everybody (RFC 4541 2.1.2, 3).
    fn may_be_forgotten(&self) -> bool {
        match self.group {
            IpAddr::V4(group) => !matches!(group.octets(), [224, 0, 0, _]),
            IpAddr::V6(group) => group != Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1),
        }
    }
}
