//! Why sending somewhere fails at present.

use super::paths::{Path, Paths};
use crate::engine::backoff::Backoff;
use crate::error::Fault;
use crate::net::errno;

/// The error of the last send, and which was told last, so that each is told once.
#[derive(Default)]
pub(super) struct Failure {
    fault: Option<Box<Fault>>,
    told: Option<i32>,
}

/// What is to be told of a failure.
pub(super) enum News<'a> {
    Nothing,
    /// It is over.
    Recovered,
    /// It is another than the one before, or the first.
    Failed(&'a Fault),
}

/// What fails of a cast, by each of its paths. Most casts have no trouble, and then none is kept.
pub(super) struct Trouble {
    pub(super) ways: Box<[Failure]>,
    pub(super) routes: Box<[Failure]>,
    /// Whether it has been told that the name of a route does not resolve.
    pub(super) unresolved: Box<[bool]>,
    /// For sockets that cannot be opened.
    pub(super) retries: Backoff,
}

impl Failure {
    /// Takes in how the last send went, and says whether that is news. A queue that is full says nothing of the
    /// state; it passes, and is counted.
    pub(super) fn change(&mut self, fault: Option<Fault>) -> bool {
        let passes = |fault: &Fault| fault.syscall == "send" && errno::QUEUE_IS_FULL.contains(&fault.errno);
        if !fault.as_ref().is_some_and(passes) {
            self.fault = fault.map(Box::new);
        }
        self.errno() != self.told
    }

    /// What has become of it since the last time that it was told.
    pub(super) fn tell(&mut self) -> News<'_> {
        let errno = self.errno();
        if std::mem::replace(&mut self.told, errno) == errno {
            return News::Nothing;
        }
        self.get().map_or(News::Recovered, News::Failed)
    }

    /// The error of the last send, if it failed.
    pub(super) fn get(&self) -> Option<&Fault> {
        self.fault.as_deref()
    }

    /// Whether a socket could not even be opened, though one may be later.
    pub(super) fn is_of_opening(&self) -> bool {
        self.get().is_some_and(|fault| fault.syscall != "send" && fault.errno != errno::EAFNOSUPPORT)
    }

    /// Whether nothing fails, nor has been told to.
    fn is_over(&self) -> bool {
        self.fault.is_none() && self.told.is_none()
    }

    fn errno(&self) -> Option<i32> {
        self.get().map(|fault| fault.errno)
    }
}

impl Trouble {
    /// None yet, by any of these.
    pub(super) fn none(paths: &Paths) -> Self {
        let none = |count| (0..count).map(|_| Failure::default()).collect();
        Self {
            ways: none(paths.ways.len()),
            routes: none(paths.routes.len()),
            unresolved: vec![false; paths.routes.len()].into(),
            retries: Backoff::default(),
        }
    }

    pub(super) fn by(&mut self, path: Path) -> &mut Failure {
        match path {
            Path::Way(i) => &mut self.ways[i],
            Path::Route(i) => &mut self.routes[i],
        }
    }

    /// The ways are others now: each is given with its position before, if it was there.
    pub(super) fn follow(&mut self, ways: impl Iterator<Item = Option<usize>>) {
        let take = |before: Option<usize>| {
            before.map_or_else(Failure::default, |i| std::mem::take(&mut self.ways[i]))
        };
        self.ways = ways.map(take).collect();
    }

    pub(super) fn failures(&self) -> impl Iterator<Item = &Failure> {
        self.ways.iter().chain(&self.routes)
    }

    /// Whether there is nothing to keep.
    pub(super) fn is_over(&self) -> bool {
        self.failures().all(Failure::is_over) && !self.unresolved.contains(&true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_queue_that_is_full_is_no_news() {
        let fault = |syscall, errno| Some(Fault::of(syscall, errno));
        let mut failure = Failure::default();
        for errno in errno::QUEUE_IS_FULL {
            assert!(!failure.change(fault("send", *errno)), "{errno}");
            assert!(failure.change(fault("socket", *errno)), "{errno}");
            assert!(!failure.change(None));
        }
        assert!(failure.change(fault("send", errno::ENETDOWN)));
        assert!(matches!(failure.tell(), News::Failed(_)));
        assert!(!failure.change(fault("send", errno::EAGAIN)), "it says nothing of the interface");
        assert!(failure.get().is_some());
        assert!(failure.change(None));
        assert!(matches!(failure.tell(), News::Recovered));
        // Linux says that of memory.
        assert_eq!(failure.change(fault("send", errno::ENOBUFS)), !cfg!(target_os = "macos"));
    }
}
