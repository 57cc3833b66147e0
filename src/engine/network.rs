//! What the engine knows of this host's interfaces, and when it is out of date.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::error::Fault;
use crate::net::{self, Changes, Interface, InterfaceIndex, Monitor, Poll};

/// What the monitor is to the poller. The largest number is the poller's own.
pub(super) const MONITOR: usize = usize::MAX - 1;

/// How long the list is believed though nothing tells of a change. Checked when the engine is awake anyway.
const BELIEVED: Duration = Duration::from_secs(60);

/// The same where the system tells of no change at all.
const BELIEVED_UNWATCHED: Duration = Duration::from_secs(5);

/// A sleep that is shorter is none: the two clocks are not read at the same moment.
const SLEPT: Duration = Duration::from_secs(2);

/// The interfaces, and what is known to have changed since they were listed.
pub(super) struct Network {
    poll: Arc<Poll>,
    /// `None` once it has failed, until the interfaces are listed the next time.
    monitor: Option<Monitor>,
    /// Why changes may go unnoticed.
    unwatched: Option<Fault>,
    /// It could not be read, and has told of nothing since: that there is another one proves nothing.
    unread: bool,
    interfaces: Vec<Interface>,
    listed: Option<Instant>,
    /// Why the last attempt to list them failed, if it did.
    unlisted: Option<Fault>,
    changes: Changes,
    suspended: Duration,
    /// Whether the host has slept since somebody asked.
    slept: bool,
}

/// How a list differs from the one before.
pub(super) struct Update {
    /// Whether it differs at all.
    pub(super) changed: bool,
    /// Whether it differs in what [`Interface`] says to everybody, and not only in how fit an address is.
    pub(super) visibly: bool,
    /// What is gone, or may be, whether or not something with the same index is listed.
    pub(super) lost: Lost,
}

/// Which interfaces have to be joined again, though they are listed.
pub(super) enum Lost {
    These(Vec<InterfaceIndex>),
    /// The host has slept, or changes went unnoticed.
    PerhapsAll,
}

impl Lost {
    pub(super) fn contains(&self, interface: InterfaceIndex) -> bool {
        match self {
            Self::These(indexes) => indexes.contains(&interface),
            Self::PerhapsAll => true,
        }
    }
}

impl Network {
    /// Begins to watch; nothing is listed yet.
    pub(super) fn new(poll: &Arc<Poll>) -> Self {
        let mut network = Self {
            poll: Arc::clone(poll),
            monitor: None,
            unwatched: None,
            unread: false,
            interfaces: Vec::new(),
            listed: None,
            unlisted: None,
            changes: Changes::default(),
            suspended: net::suspended(),
            slept: false,
        };
        network.watch();
        network
    }

    /// Begins to watch, if that can be.
    fn watch(&mut self) {
        match Monitor::open(&self.poll, MONITOR) {
            Ok(monitor) => {
                self.monitor = Some(monitor);
                self.unwatched.take_if(|_| !self.unread);
            }
            Err((_, error)) => self.unwatched = Some(Fault::new("watch", &error)),
        }
    }

    /// The interfaces as they were last listed.
    pub(super) fn interfaces(&self) -> &[Interface] {
        &self.interfaces
    }

    /// Why the list may be out of date, if so: it could not be made, or the system does not tell of changes.
    pub(super) fn fault(&self) -> Option<&Fault> {
        self.unlisted.as_ref().or(self.unwatched.as_ref())
    }

    /// When the list is to be made again at the latest, where the system does not tell of changes.
    pub(super) fn outdated_at(&self) -> Option<Instant> {
        self.unwatched.as_ref().and(self.listed).map(|at| at + BELIEVED_UNWATCHED)
    }

    /// Takes in what the system tells of changes, and says whether there are any.
    pub(super) fn read_monitor(&mut self) -> bool {
        let Some(monitor) = &mut self.monitor else { return false };
        let mut news = Changes::default();
        match monitor.read(&mut news) {
            Ok(()) if news.any => (self.unwatched, self.unread) = (None, false),
            Ok(()) => {}
            Err(error) => {
                self.monitor = None;
                self.unwatched = Some(Fault::new("watch", &error));
                self.unread = true;
                news.missed = true;
            }
        }
        let are_any = news.any || news.missed;
        self.changes.any |= news.any;
        self.changes.missed |= news.missed;
        self.changes.removed.extend(news.removed);
        are_any
    }

    /// Whether the list is to be made again: something has changed, the host has slept, or it is old.
    pub(super) fn is_outdated(&mut self, now: Instant) -> bool {
        let believed = if self.unwatched.is_none() { BELIEVED } else { BELIEVED_UNWATCHED };
        let suspended = net::suspended();
        if suspended.saturating_sub(self.suspended) > SLEPT {
            self.changes.missed = true;
            self.slept = true;
        }
        self.suspended = suspended;
        let believable = self.listed.is_some_and(|at| now.duration_since(at) < believed);
        !believable || self.changes.any || self.changes.missed
    }

    /// Whether the host has slept since this was last asked, as far as [`Network::is_outdated`] has seen.
    pub(super) fn take_slept(&mut self) -> bool {
        std::mem::take(&mut self.slept)
    }

    /// Lists the interfaces, and says how they have changed; or nothing if they cannot be listed: then all stays as
    /// it was, out of date, and [`Network::fault`] says why.
    pub(super) fn list(&mut self, now: Instant) -> Option<Update> {
        if self.monitor.is_none() {
            self.watch();
        }
        let listed = net::interfaces().map_err(|error| Fault::new("getifaddrs", &error));
        self.unlisted = listed.as_ref().err().cloned();
        let before = std::mem::replace(&mut self.interfaces, listed.ok()?);
        let Changes { removed, missed, .. } = std::mem::take(&mut self.changes);
        self.listed = Some(now);
        Some(Update {
            changed: before != self.interfaces,
            visibly: before.len() != self.interfaces.len()
                || before.iter().zip(&self.interfaces).any(|(before, now)| !before.looks_like(now)),
            lost: if missed { Lost::PerhapsAll } else { Lost::These(removed.into_iter().collect()) },
        })
    }
}
