//! The host names that casts send to, and the addresses they have at present.
//!
//! Knows no clock and no resolver: both are handed in.

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::engine::Deadline;
use crate::engine::timers::Timers;
use crate::net::is_unicast;

/// How long an answer is believed.
const FRESH: Duration = Duration::from_secs(30);

/// How long after a failure a name is asked for again; doubled with each one up to [`FRESH`].
const RETRY: Duration = Duration::from_secs(1);

/// How many lookups may be under way. One that hangs holds a thread, and the resolver gives up on it after
/// 10 s or so (resolv.conf(5)).
const LOOKUPS: usize = 16;

/// Names a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct NameId(u32);

/// What a resolver says: addresses, of which the ports mean nothing, or why there are none.
pub(crate) type Resolved = Result<Vec<SocketAddr>, Arc<str>>;

/// Begins to resolve a name; the answer goes to [`Names::resolved`].
pub(crate) type LookUp = Box<dyn Fn(NameId, Arc<str>)>;

/// All names in use.
pub(super) struct Names {
    look_up: LookUp,
    names: HashMap<NameId, Name>,
    ids: HashMap<Arc<str>, NameId>,
    next: u32,
    /// How many lookups are under way, and the names that wait for their turn.
    under_way: usize,
    queue: VecDeque<NameId>,
}

struct Name {
    name: Arc<str>,
    users: usize,
    addresses: Vec<SocketAddr>,
    /// Why the last lookup failed, if it did, and how many have in a row.
    failure: Option<Arc<str>>,
    failures: u32,
}

impl Names {
    pub(super) fn new(look_up: LookUp) -> Self {
        Self {
            look_up,
            names: HashMap::new(),
            ids: HashMap::new(),
            next: 0,
            under_way: 0,
            queue: VecDeque::new(),
        }
    }

    /// One user more of a name; the first has it looked up.
    pub(super) fn hold(&mut self, name: &Arc<str>) -> NameId {
        if let Some(id) = self.ids.get(name) {
            if let Some(known) = self.names.get_mut(id) {
                known.users += 1;
            }
            return *id;
        }
        let id = NameId(self.next);
        self.next += 1;
        let name = Arc::clone(name);
        self.ids.insert(Arc::clone(&name), id);
        self.names.insert(id, Name { name, users: 1, addresses: Vec::new(), failure: None, failures: 0 });
        self.due(id);
        id
    }

    /// One user less; the last takes the name with it.
    pub(super) fn release(&mut self, id: NameId, timers: &mut Timers<Deadline>) {
        let Some(name) = self.names.get_mut(&id) else { return };
        name.users -= 1;
        if name.users == 0
            && let Some(name) = self.names.remove(&id)
        {
            self.ids.remove(&name.name);
            self.queue.retain(|waiting| *waiting != id);
            timers.cancel(Deadline::Resolve(id));
        }
    }

    /// A name is to be looked up again.
    pub(super) fn due(&mut self, id: NameId) {
        self.queue.push_back(id);
        self.look_up_next();
    }

    /// The network has changed: what failed may succeed now.
    pub(super) fn retry(&mut self, now: Instant, timers: &mut Timers<Deadline>) {
        for (id, name) in &self.names {
            // One without a deadline is being looked up.
            if name.failure.is_some() && timers.is_set(Deadline::Resolve(*id)) {
                timers.set(Deadline::Resolve(*id), now);
            }
        }
    }

    /// A name is to be looked up again at once: it may lead elsewhere by now.
    pub(super) fn again(&self, id: NameId, now: Instant, timers: &mut Timers<Deadline>) {
        // One without a deadline is being looked up.
        if timers.is_set(Deadline::Resolve(id)) {
            timers.set(Deadline::Resolve(id), now);
        }
    }

    /// An answer has come. The addresses that were known stay while there are no others.
    pub(super) fn resolved(
        &mut self,
        id: NameId,
        answer: Resolved,
        now: Instant,
        timers: &mut Timers<Deadline>,
    ) {
        self.under_way -= 1;
        if let Some(name) = self.names.get_mut(&id) {
            timers.set(Deadline::Resolve(id), now + name.take_in(answer));
        }
        self.look_up_next();
    }

    /// Where a name leads at present.
    pub(super) fn addresses(&self, id: NameId) -> &[SocketAddr] {
        self.names.get(&id).map_or(&[], |name| &name.addresses)
    }

    /// The name, and why it does not resolve, if so.
    pub(super) fn failure(&self, id: NameId) -> Option<(&Arc<str>, &Arc<str>)> {
        let name = self.names.get(&id)?;
        Some((&name.name, name.failure.as_ref()?))
    }

    fn look_up_next(&mut self) {
        while self.under_way < LOOKUPS
            && let Some(id) = self.queue.pop_front()
        {
            if let Some(name) = self.names.get(&id) {
                self.under_way += 1;
                (self.look_up)(id, Arc::clone(&name.name));
            }
        }
    }
}

impl Name {
    /// Takes in an answer and says when to ask again.
    fn take_in(&mut self, answer: Resolved) -> Duration {
        let mut addresses = match answer {
            Ok(addresses) => addresses,
            Err(reason) => return self.failed(reason),
        };
        // A resolver that sends us to a group or to everybody is broken or hostile.
        addresses.retain(|address| is_unicast(address.ip()));
        addresses.sort_unstable();
        addresses.dedup();
        if addresses.is_empty() {
            return self.failed("it has no unicast address".into());
        }
        self.addresses = addresses;
        self.failure = None;
        self.failures = 0;
        FRESH
    }

    fn failed(&mut self, reason: Arc<str>) -> Duration {
        let wait = RETRY * 2_u32.pow(self.failures.min(10));
        self.failures += 1;
        self.failure = Some(reason);
        wait.min(FRESH)
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::rc::Rc;

    use super::*;

    type Asked = Rc<RefCell<Vec<(NameId, String)>>>;

    fn names() -> (Names, Asked, Timers<Deadline>) {
        let asked = Asked::default();
        let log = Rc::clone(&asked);
        let look_up = move |id, name: Arc<str>| log.borrow_mut().push((id, name.to_string()));
        (Names::new(Box::new(look_up)), asked, Timers::default())
    }

    fn addresses(texts: &[&str]) -> Resolved {
        Ok(texts.iter().map(|text| SocketAddr::new(text.parse().unwrap(), 0)).collect())
    }

    fn known(names: &Names, id: NameId) -> Vec<String> {
        names.addresses(id).iter().map(|address| address.ip().to_string()).collect()
    }

    #[test]
    fn what_failed_is_looked_up_at_once_when_the_network_has_changed() {
        let (mut names, asked, mut timers) = names();
        let start = Instant::now();
        let [good, bad, asking] = ["good", "bad", "asking"].map(|name| names.hold(&name.into()));
        names.resolved(good, addresses(&["10.0.0.1"]), start, &mut timers);
        names.resolved(bad, Err("no network".into()), start, &mut timers);
        names.retry(start, &mut timers);
        assert_eq!(timers.take_due(start), Some((start, Deadline::Resolve(bad))));
        assert_eq!(timers.take_due(start), None, "one is known, and {asking:?} is being looked up");
        names.due(bad);
        assert_eq!(asked.borrow().len(), 4);
    }

    #[test]
    fn a_name_is_looked_up_once_for_all_and_again_after_30_seconds() {
        let (mut names, asked, mut timers) = names();
        let start = Instant::now();
        let name: Arc<str> = "peers".into();
        let id = names.hold(&name);
        assert_eq!(names.hold(&name), id);
        assert_eq!(asked.borrow().len(), 1);
        assert_eq!(known(&names, id), [""; 0]);

        names.resolved(id, addresses(&["10.0.0.3", "10.0.0.1", "10.0.0.3", "fd00::1"]), start, &mut timers);
        assert_eq!(known(&names, id), ["10.0.0.1", "10.0.0.3", "fd00::1"]);
        let again = start + Duration::from_secs(30);
        assert_eq!(timers.take_due(again), Some((again, Deadline::Resolve(id))));
        names.due(id);
        assert_eq!(asked.borrow().len(), 2);
        names.resolved(id, addresses(&["10.0.0.9"]), again, &mut timers);
        assert_eq!(known(&names, id), ["10.0.0.9"]);

        names.release(id, &mut timers);
        assert!(timers.earliest().is_some());
        names.release(id, &mut timers);
        assert_eq!(timers.earliest(), None);
        assert_ne!(names.hold(&name), id);
    }

    #[test]
    fn what_was_known_stays_while_lookups_fail_ever_more_rarely() {
        let (mut names, _, mut timers) = names();
        let now = Instant::now();
        let id = names.hold(&"peers".into());
        names.resolved(id, addresses(&["10.0.0.1"]), now, &mut timers);
        let mut waits = Vec::new();
        for _ in 0..7 {
            names.due(id);
            names.resolved(id, Err("no such name".into()), now, &mut timers);
            waits.push(timers.earliest().unwrap().duration_since(now).as_secs());
            assert_eq!(known(&names, id), ["10.0.0.1"]);
            assert!(names.failure(id).is_some());
        }
        assert_eq!(waits, [1, 2, 4, 8, 16, 30, 30]);
        names.due(id);
        names.resolved(id, addresses(&["10.0.0.2"]), now, &mut timers);
        assert_eq!(names.failure(id), None);
    }

    #[test]
    fn nobody_is_sent_to_a_group() {
        let (mut names, _, mut timers) = names();
        let id = names.hold(&"evil".into());
        let answer = addresses(&["224.0.0.1", "255.255.255.255", "0.0.0.0", "ff02::1"]);
        names.resolved(id, answer, Instant::now(), &mut timers);
        assert_eq!(known(&names, id), [""; 0]);
        assert!(names.failure(id).is_some());
    }

    #[test]
    fn only_so_many_lookups_are_under_way_and_each_name_has_its_turn() {
        let (mut names, asked, mut timers) = names();
        let all: Vec<_> = (0..LOOKUPS + 3).map(|i| names.hold(&format!("n{i}").into())).collect();
        assert_eq!(asked.borrow().len(), LOOKUPS);
        // One that is no longer wanted takes nobody's turn, whether it waits or is under way.
        names.release(all[LOOKUPS], &mut timers);
        names.release(all[0], &mut timers);
        let now = Instant::now();
        for id in &all[..2] {
            names.resolved(*id, addresses(&["10.0.0.1"]), now, &mut timers);
        }
        assert_eq!(asked.borrow().len(), LOOKUPS + 2);
        assert_eq!(asked.borrow().last().unwrap().0, all[LOOKUPS + 2]);
        assert_eq!(known(&names, all[0]), [""; 0]);
        assert_eq!(known(&names, all[1]), ["10.0.0.1"]);
    }
}
