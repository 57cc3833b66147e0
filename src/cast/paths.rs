//! The paths of casts: where they go, by interfaces and by the routing table. Casts with the same target share them,
//! so that of thousands of casts a change of the network concerns a few.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use rustc_hash::{FxHashMap, FxHashSet};

use super::ALONE;
use super::names::{NameId, Names};
use super::route::Route;
use super::way::{Way, ways};
use crate::engine::ObjectId;
use crate::net::{Chosen, Destination, Family, Interface, Selection, SendOptions, Unused};

/// Where a cast goes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Target {
    /// To which groups.
    pub groups: Vec<IpAddr>,
    /// To which port.
    pub port: u16,
    /// Where to beside the groups, by unicast.
    pub to: Vec<Destination>,
    /// Whether to send to the IPv4 broadcast address of each interface, too.
    pub broadcast: bool,
    /// On which interfaces.
    pub selection: Selection,
    /// Hops a datagram to a group may make.
    pub ttl: u8,
    /// Whether this host hears it too.
    pub loopback: bool,
}

/// Names [`Paths`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct PathsId(u32);

/// One of some [`Paths`], by its position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Path {
    Way(usize),
    Route(usize),
}

/// The paths to a target.
pub(super) struct Paths {
    target: Arc<Target>,
    /// Who takes them.
    pub(super) casts: FxHashSet<ObjectId>,
    /// Since when nothing but loopback is usable, if so.
    pub(super) alone_since: Option<Instant>,
    pub(super) ways: Box<[Way]>,
    pub(super) routes: Box<[Route]>,
    /// Somebody wants to hear what is answered.
    pub(super) is_heard: bool,
}

/// All that are in use.
#[derive(Default)]
pub(super) struct AllPaths {
    paths: FxHashMap<PathsId, Paths>,
    ids: FxHashMap<Arc<Target>, PathsId>,
    next: u32,
}

impl AllPaths {
    /// Those to a target, and whether they are new: then they have no ways yet.
    pub(super) fn to(&mut self, target: Arc<Target>, names: &mut Names) -> (PathsId, bool) {
        if let Some(id) = self.ids.get(&target) {
            return (*id, false);
        }
        let id = PathsId(self.next);
        self.next += 1;
        let routes = target.to.iter().map(|one| Route::new(one.clone(), names)).collect();
        self.ids.insert(Arc::clone(&target), id);
        let casts = FxHashSet::default();
        let ways = Box::default();
        self.paths.insert(id, Paths { target, casts, alone_since: None, ways, routes, is_heard: false });
        (id, true)
    }

    pub(super) fn get(&self, id: PathsId) -> Option<&Paths> {
        self.paths.get(&id)
    }

    pub(super) fn get_mut(&mut self, id: PathsId) -> Option<&mut Paths> {
        self.paths.get_mut(&id)
    }

    /// A cast takes them no longer. Gives them if it was the last.
    pub(super) fn leave(&mut self, id: PathsId, cast: ObjectId) -> Option<Paths> {
        let paths = self.paths.get_mut(&id)?;
        paths.casts.remove(&cast);
        if !paths.casts.is_empty() {
            return None;
        }
        self.ids.remove(&paths.target);
        self.paths.remove(&id)
    }

    pub(super) fn ids(&self) -> impl Iterator<Item = PathsId> {
        self.paths.keys().copied()
    }

    /// The casts that send to a name.
    pub(super) fn casts_to(&self, name: NameId) -> Vec<ObjectId> {
        let lead_there = |paths: &&Paths| paths.names().any(|used| used == name);
        self.paths.values().filter(lead_there).flat_map(|paths| &paths.casts).copied().collect()
    }
}

impl Paths {
    pub(super) fn all(&self) -> impl Iterator<Item = Path> {
        (0..self.ways.len()).map(Path::Way).chain((0..self.routes.len()).map(Path::Route))
    }

    /// Brings the ways in line with the interfaces. Gives those before.
    pub(super) fn follow(&mut self, interfaces: &[Interface], now: Instant) -> Box<[Way]> {
        self.note_alone(interfaces, now);
        let ways = ways(&self.target, |family| self.verdicts(interfaces, family, now));
        std::mem::replace(&mut self.ways, ways.into())
    }

    /// Whether they lead by interfaces in this family, and not by the routing table alone.
    pub(super) fn go_by_interfaces(&self, family: Family) -> bool {
        self.target.goes_by_interfaces(family)
    }

    /// For each interface whether it is sent on, or why not.
    pub(super) fn verdicts(
        &self,
        interfaces: &[Interface],
        family: Family,
        now: Instant,
    ) -> Vec<Result<Chosen, Unused>> {
        let mut verdicts = self.target.selection.sending(interfaces, family);
        if self.alone_since.is_some_and(|since| now < since + ALONE) {
            for verdict in &mut verdicts {
                if verdict.as_ref().is_ok_and(|chosen| chosen.loopback) {
                    *verdict = Err(Unused::OthersMayCome);
                }
            }
        }
        verdicts
    }

    /// Notes since when they would lead to loopback for want of anything else.
    fn note_alone(&mut self, interfaces: &[Interface], now: Instant) {
        let Target { selection, .. } = &*self.target;
        let alone = selection.is_automatic()
            && self.go_by_interfaces(Family::V4)
            && selection.sending(interfaces, Family::V4).iter().flatten().any(|chosen| chosen.loopback);
        self.alone_since = alone.then(|| self.alone_since.unwrap_or(now));
    }

    /// All sockets that they lead out by.
    pub(super) fn sockets(&self) -> impl Iterator<Item = SendOptions> {
        self.ways.iter().map(|way| way.socket).chain(self.routed())
    }

    /// The sockets that they lead out by where the routing table says, each once for each route.
    pub(super) fn routed(&self) -> impl Iterator<Item = SendOptions> {
        self.routes.iter().flat_map(|route| {
            Family::ALL.into_iter().filter(|family| route.uses(*family)).map(SendOptions::Routed)
        })
    }

    pub(super) fn names(&self) -> impl Iterator<Item = NameId> {
        self.routes.iter().filter_map(Route::name)
    }
}

impl Target {
    /// Whether it is reached by interfaces in this family, and not by the routing table alone.
    pub(super) fn goes_by_interfaces(&self, family: Family) -> bool {
        (self.broadcast && family == Family::V4)
            || self.groups.iter().any(|group| Family::of(*group) == family)
    }
}
