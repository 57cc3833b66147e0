//! What one JavaScript environment has yet to be told, and the bell that calls it.
//!
//! The engine puts things in and rings; JavaScript comes and takes them out. The bell is silent while
//! JavaScript is already on its way, so a flood costs one call a batch, not one a datagram.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustc_hash::FxHashMap;

use super::mailbox::{Batch, Mailbox, Source};
use super::peers::{DiscoveryStats, PeerNews, Peers};
use super::sync::{Mutex, MutexGuard, lock};
use super::{ListenerStats, ObjectId};
use crate::error::Fault;
use crate::net::{Interface, InterfaceIndex};

/// How many names of interfaces that are gone are remembered.
const GONE_NAMES: usize = 256;

/// Something that happened to an object, beside the messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// The system refused something.
    Warning(ObjectId, Fault),
    /// None of the interfaces named for the object is there; these there are.
    NoInterface(ObjectId, Vec<Arc<str>>),
    /// An interface of this host, or what the object does with it, has changed. Without an id it is of every
    /// object.
    Interfaces(Option<ObjectId>),
    /// A name that the object sends to does not resolve, for this reason.
    Unresolved(ObjectId, Arc<str>, Arc<str>),
    /// There is something to tell of a discovery's peers: see [`Doorbell::take_peers`].
    Peers(ObjectId),
    /// Another program announces itself with the discovery's id.
    IdConflict(ObjectId),
    /// The discovery's table is full.
    TableFull(ObjectId),
    /// Others announce to the discovery's group without a key that it has.
    Unauthenticated(ObjectId),
    /// The clock of somebody with a key of the discovery's is this many milliseconds ahead of ours.
    ClockSkew(ObjectId, i64),
    /// The object is closed and its sockets are free.
    Closed(ObjectId),
    /// The engine failed, for this reason, and the object with it.
    EngineFailed(ObjectId, Arc<str>),
}

/// What [`Doorbell::take`] gives at once.
#[derive(Debug, Default)]
pub struct Taken {
    /// A listener, what it has heard, and how many messages it has lost to its limit since the last time.
    pub messages: Option<(ObjectId, Option<Batch>, usize)>,
    /// More messages are waiting: come again.
    pub more: bool,
    /// Notices are waiting: ask for them.
    pub notices: bool,
    /// What was made of [`Doorbell::interface_name`] before is not to be used any more.
    pub renamed: bool,
}

/// See the module.
pub struct Doorbell {
    waiting: Mutex<Waiting>,
    closing: AtomicBool,
    ring: Box<dyn Fn() + Send + Sync>,
}

#[derive(Default)]
struct Waiting {
    objects: FxHashMap<ObjectId, Part>,
    /// Listeners with something in their mailbox, each once, served in turn.
    ready: VecDeque<ObjectId>,
    notices: Vec<Notice>,
    /// Whose interfaces have changed; told once, however often they have.
    changed: Changed,
    names: FxHashMap<InterfaceIndex, Arc<str>>,
    /// The bell has been rung and JavaScript has not been through everything since.
    rung: bool,
    /// An interface that messages have come in on has another name than before.
    renamed: bool,
}

/// Whose interfaces have changed.
#[derive(Default)]
enum Changed {
    #[default]
    Nobodys,
    Of(HashSet<ObjectId>),
    Everybodys,
}

/// An object's part. Of those that hear nothing there may be tens of thousands: they take little room.
enum Part {
    Silent,
    Messages(Box<Inbox>),
    Peers(Box<Peers>),
}

impl Part {
    fn inbox(&mut self) -> Option<&mut Inbox> {
        match self {
            Self::Messages(inbox) => Some(inbox),
            Self::Silent | Self::Peers(_) => None,
        }
    }

    fn peers(&mut self) -> Option<&mut Peers> {
        match self {
            Self::Peers(peers) => Some(peers),
            Self::Silent | Self::Messages(_) => None,
        }
    }
}

/// A listener's part.
struct Inbox {
    mailbox: Mailbox,
    stats: ListenerStats,
    /// Its id stands in `ready`.
    ready: bool,
    /// What it has is not to be taken now.
    paused: bool,
}

impl Inbox {
    /// Says whether its id is to be added to `ready`, once.
    fn get_ready(&mut self) -> bool {
        let newly = !self.ready && !self.paused && !self.mailbox.is_quiet();
        self.ready |= newly;
        newly
    }
}

impl Doorbell {
    /// A bell that calls `ring`, from the engine's thread. `ring` must not block, nor use the doorbell.
    pub fn new(ring: impl Fn() + Send + Sync + 'static) -> Self {
        Self { waiting: Mutex::default(), closing: AtomicBool::new(false), ring: Box::new(ring) }
    }

    /// Says that everything is about to be closed: what is still to be done for this client need not be.
    pub(super) fn set_closing(&self, closing: bool) {
        self.closing.store(closing, Ordering::Relaxed);
    }

    /// Whether [`Doorbell::set_closing`] has said so.
    pub(crate) fn is_closing(&self) -> bool {
        self.closing.load(Ordering::Relaxed)
    }

    /// Makes a listener known; `limit` is that of its [`Mailbox`].
    pub(super) fn add_listener(&self, id: ObjectId, limit: usize) {
        let inbox = Inbox {
            mailbox: Mailbox::new(limit),
            stats: ListenerStats::default(),
            ready: false,
            paused: false,
        };
        self.lock().objects.insert(id, Part::Messages(Box::new(inbox)));
    }

    /// Makes an object known that hears nothing.
    pub(super) fn add_silent(&self, id: ObjectId) {
        self.lock().objects.insert(id, Part::Silent);
    }

    /// Makes a discovery known.
    pub(super) fn add_discovery(&self, id: ObjectId) {
        self.lock().objects.insert(id, Part::Peers(Box::default()));
    }

    /// Forgets an object and what waits for it; says whether it was known.
    pub(super) fn remove(&self, id: ObjectId) -> bool {
        self.lock().objects.remove(&id).is_some()
    }

    /// Whether no object is known.
    pub(super) fn is_empty(&self) -> bool {
        self.lock().objects.is_empty()
    }

    /// Forgets every object and says how many there were.
    pub(super) fn remove_all(&self) -> usize {
        std::mem::take(&mut self.lock().objects).len()
    }

    /// Tells the names of interfaces, for [`Doorbell::interface_name`].
    pub(crate) fn name_interfaces(&self, interfaces: &[Interface]) {
        let mut waiting = self.lock();
        for interface in interfaces {
            let before = waiting.names.insert(interface.index, Arc::clone(&interface.name));
            waiting.renamed |= before.is_some_and(|before| before != interface.name);
        }
        // Those of interfaces that are gone are kept for what has come in there, but not for ever.
        if waiting.names.len() > interfaces.len() + GONE_NAMES {
            let here = |index: &InterfaceIndex| interfaces.iter().any(|interface| interface.index == *index);
            waiting.names.retain(|index, _| here(index));
        }
    }

    /// The name of an interface that something came in on, also of one that has gone since.
    pub fn interface_name(&self, index: InterfaceIndex) -> Option<Arc<str>> {
        self.lock().names.get(&index).cloned()
    }

    /// Puts messages into a listener's mailbox.
    pub(crate) fn deliver<'a>(&self, id: ObjectId, messages: impl Iterator<Item = (Source, &'a [u8])>) {
        let mut waiting = self.lock();
        let Waiting { objects, ready, .. } = &mut *waiting;
        let Some(inbox) = objects.get_mut(&id).and_then(Part::inbox) else { return };
        for (source, payload) in messages {
            inbox.stats.received += 1;
            inbox.stats.bytes += payload.len() as u64;
            inbox.stats.dropped += inbox.mailbox.push(source, payload) as u64;
        }
        if inbox.get_ready() {
            ready.push_back(id);
            self.ring(&mut waiting);
        }
    }

    /// Holds back what a listener hears, until [`Doorbell::resume`]: it waits in the mailbox, up to its limit.
    pub fn pause(&self, id: ObjectId) {
        let mut waiting = self.lock();
        let Waiting { objects, ready, .. } = &mut *waiting;
        if let Some(inbox) = objects.get_mut(&id).and_then(Part::inbox) {
            inbox.paused = true;
            if std::mem::take(&mut inbox.ready) {
                ready.retain(|other| *other != id);
            }
        }
    }

    /// Ends what [`Doorbell::pause`] began.
    pub fn resume(&self, id: ObjectId) {
        let mut waiting = self.lock();
        let Waiting { objects, ready, .. } = &mut *waiting;
        let Some(inbox) = objects.get_mut(&id).and_then(Part::inbox) else { return };
        inbox.paused = false;
        if inbox.get_ready() {
            ready.push_back(id);
            self.ring(&mut waiting);
        }
    }

    /// Tells of something that happened.
    pub(crate) fn notify(&self, notice: Notice) {
        let mut waiting = self.lock();
        waiting.notices.push(notice);
        self.ring(&mut waiting);
    }

    /// Tells that an interface, or what an object does with it, has changed: of one object, or of all.
    pub(crate) fn interfaces_changed(&self, whose: Option<ObjectId>) {
        let mut waiting = self.lock();
        match (whose, &mut waiting.changed) {
            (Some(_), Changed::Everybodys) => {}
            (Some(id), Changed::Of(ids)) => {
                ids.insert(id);
            }
            (Some(id), changed @ Changed::Nobodys) => *changed = Changed::Of([id].into()),
            (None, changed) => *changed = Changed::Everybodys,
        }
        self.ring(&mut waiting);
    }

    /// Tells every object that the engine has failed.
    pub(super) fn fail(&self, reason: &Arc<str>) {
        let mut waiting = self.lock();
        let Waiting { objects, notices, .. } = &mut *waiting;
        notices.extend(objects.keys().map(|id| Notice::EngineFailed(*id, Arc::clone(reason))));
        self.ring(&mut waiting);
    }

    /// Takes back that the engine has failed an object.
    pub(super) fn withdraw(&self, id: ObjectId) {
        self.lock()
            .notices
            .retain(|notice| !matches!(notice, Notice::EngineFailed(failed, _) if *failed == id));
    }

    /// Puts a batch of what is to be told of a discovery's peers there, unless one waits; `batch` makes it, and says whether
    /// there is more.
    pub(crate) fn tell_of_peers(&self, id: ObjectId, batch: impl FnOnce() -> (Vec<PeerNews>, bool)) {
        let mut waiting = self.lock();
        let Some(peers) = waiting.objects.get_mut(&id).and_then(Part::peers) else { return };
        if peers.offer(batch) {
            waiting.notices.push(Notice::Peers(id));
            self.ring(&mut waiting);
        }
    }

    /// Takes what waits to be told of a discovery's peers.
    pub(super) fn take_peers(&self, id: ObjectId) -> Vec<PeerNews> {
        self.lock().objects.get_mut(&id).and_then(Part::peers).map(Peers::take).unwrap_or_default()
    }

    /// Whether there is more to be told of them that is to be asked for, once.
    pub(super) fn take_more_peers(&self, id: ObjectId) -> bool {
        self.lock().objects.get_mut(&id).and_then(Part::peers).is_some_and(Peers::take_more)
    }

    /// Writes down what the kernel says of the socket of a listener, or a discovery.
    pub(crate) fn set_socket_stats(&self, id: ObjectId, lost: u64, receive_buffer: u64) {
        match self.lock().objects.get_mut(&id) {
            Some(Part::Messages(inbox)) => {
                (inbox.stats.lost, inbox.stats.receive_buffer) = (lost, receive_buffer);
            }
            Some(Part::Peers(peers)) => {
                (peers.stats.lost, peers.stats.receive_buffer) = (lost, receive_buffer);
            }
            Some(Part::Silent) | None => {}
        }
    }

    /// Has the counts of a discovery be changed.
    pub(crate) fn count(&self, id: ObjectId, change: impl FnOnce(&mut DiscoveryStats)) {
        if let Some(peers) = self.lock().objects.get_mut(&id).and_then(Part::peers) {
            change(&mut peers.stats);
        }
    }

    /// The counts of a listener.
    pub(super) fn listener_stats(&self, id: ObjectId) -> Option<ListenerStats> {
        self.lock().objects.get_mut(&id).and_then(Part::inbox).map(|inbox| inbox.stats)
    }

    /// The counts of a discovery.
    pub(super) fn discovery_stats(&self, id: ObjectId) -> Option<DiscoveryStats> {
        self.lock().objects.get_mut(&id).and_then(Part::peers).map(|peers| peers.stats)
    }

    /// Takes one batch of the listener whose turn it is.
    pub fn take(&self) -> Taken {
        let mut waiting = self.lock();
        let waiting = &mut *waiting;
        let mut messages = None;
        while let Some(id) = waiting.ready.pop_front() {
            // One that was closed meanwhile is passed over.
            if let Some(inbox) = waiting.objects.get_mut(&id).and_then(Part::inbox) {
                messages = Some((id, inbox.mailbox.take(), inbox.mailbox.take_dropped()));
                inbox.ready = false;
                if inbox.get_ready() {
                    waiting.ready.push_back(id);
                }
                break;
            }
        }
        let more = !waiting.ready.is_empty();
        waiting.rung = more;
        let notices = !waiting.notices.is_empty() || !matches!(waiting.changed, Changed::Nobodys);
        Taken { messages, more, notices, renamed: std::mem::take(&mut waiting.renamed) }
    }

    /// Gives a batch back for its memory.
    pub fn recycle(&self, id: ObjectId, batch: Batch) {
        if let Some(inbox) = self.lock().objects.get_mut(&id).and_then(Part::inbox) {
            inbox.mailbox.recycle(batch);
        }
    }

    /// Takes the notices, in the order of what happened; whose interfaces have changed is told last.
    pub(super) fn take_notices(&self) -> Vec<Notice> {
        let mut waiting = self.lock();
        let mut notices = std::mem::take(&mut waiting.notices);
        match std::mem::take(&mut waiting.changed) {
            Changed::Nobodys => {}
            Changed::Of(ids) => notices.extend(ids.into_iter().map(|id| Notice::Interfaces(Some(id)))),
            Changed::Everybodys => notices.push(Notice::Interfaces(None)),
        }
        notices
    }

    /// Rings, unless JavaScript is on its way, or has nothing open: after [`Doorbell::remove_all`] nothing rings.
    fn ring(&self, waiting: &mut Waiting) {
        if !waiting.objects.is_empty() && !std::mem::replace(&mut waiting.rung, true) {
            // Under the lock, or a ring could be under way when the last object goes.
            (self.ring)();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        lock(&self.waiting)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use super::super::mailbox::{BATCH_MESSAGES, MESSAGE_OVERHEAD};
    use super::*;

    fn bell() -> (Doorbell, Arc<AtomicUsize>) {
        let rings = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&rings);
        let ring = move || {
            count.fetch_add(1, Ordering::Relaxed);
        };
        (Doorbell::new(ring), rings)
    }

    fn deliver(bell: &Doorbell, id: u32, count: usize) {
        let source = Source { address: ([10, 0, 0, 1], 1).into(), interface: InterfaceIndex(1), group: None };
        bell.deliver(ObjectId(id), (0..count).map(|_| (source, &b"x"[..])));
    }

    #[test]
    fn rings_once_until_everything_is_taken() {
        let (bell, rings) = bell();
        bell.add_listener(ObjectId(1), usize::MAX);
        deliver(&bell, 1, 300);
        deliver(&bell, 1, 1);
        assert_eq!(rings.load(Ordering::Relaxed), 1);
        let taken = bell.take();
        assert_eq!(taken.messages.unwrap().1.unwrap().len(), BATCH_MESSAGES);
        assert!(taken.more);
        deliver(&bell, 1, 1);
        assert_eq!(rings.load(Ordering::Relaxed), 1, "JavaScript is still on its way");
        assert_eq!(bell.take().messages.unwrap().1.unwrap().len(), 46);
        deliver(&bell, 1, 1);
        assert_eq!(rings.load(Ordering::Relaxed), 2);
    }

    #[test]
    fn listeners_take_turns() {
        let (bell, _) = bell();
        for id in 1..=2 {
            bell.add_listener(ObjectId(id), usize::MAX);
            deliver(&bell, id, 2 * BATCH_MESSAGES);
        }
        let order: Vec<_> = (0..4).map(|_| bell.take().messages.unwrap().0.0).collect();
        assert_eq!(order, [1, 2, 1, 2]);
        assert!(bell.take().messages.is_none());
    }

    #[test]
    fn what_a_paused_listener_hears_waits_and_others_go_on() {
        let (bell, rings) = bell();
        for id in 1..=2 {
            bell.add_listener(ObjectId(id), 3 * (1 + MESSAGE_OVERHEAD));
        }
        deliver(&bell, 1, 1);
        bell.pause(ObjectId(1));
        bell.pause(ObjectId(1));
        assert!(bell.take().messages.is_none());
        deliver(&bell, 1, 5);
        assert_eq!(rings.load(Ordering::Relaxed), 1, "nothing to come for");
        deliver(&bell, 2, 1);
        assert_eq!(rings.load(Ordering::Relaxed), 2);
        assert_eq!(bell.take().messages.unwrap().0, ObjectId(2));

        bell.resume(ObjectId(1));
        bell.resume(ObjectId(1));
        assert_eq!(rings.load(Ordering::Relaxed), 3);
        let Taken { messages, more, .. } = bell.take();
        let (id, batch, dropped) = messages.unwrap();
        assert_eq!((id, batch.unwrap().len(), dropped, more), (ObjectId(1), 3, 3, false));
        bell.resume(ObjectId(1));
        assert_eq!(rings.load(Ordering::Relaxed), 3, "nothing to tell");
    }

    #[test]
    fn a_closed_listener_is_told_nothing_more() {
        let (bell, _) = bell();
        bell.add_listener(ObjectId(1), usize::MAX);
        deliver(&bell, 1, 1);
        assert!(bell.remove(ObjectId(1)));
        assert!(!bell.remove(ObjectId(1)));
        deliver(&bell, 1, 1);
        let taken = bell.take();
        assert!(taken.messages.is_none() && !taken.more);
    }

    #[test]
    fn only_dropping_is_worth_a_ring_too() {
        let (bell, rings) = bell();
        bell.add_listener(ObjectId(1), 10);
        deliver(&bell, 1, 3);
        assert_eq!(rings.load(Ordering::Relaxed), 1);
        let (_, batch, dropped) = bell.take().messages.unwrap();
        assert!(batch.is_none());
        assert_eq!(dropped, 3);
        let stats = bell.listener_stats(ObjectId(1)).unwrap();
        assert_eq!((stats.received, stats.dropped), (3, 3));
    }
}
