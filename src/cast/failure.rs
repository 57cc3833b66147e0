//! Why sending somewhere fails at present.

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

impl Failure {
    /// Takes in how the last send went, and says whether that is news. A queue that is full says nothing of the
    /// state; it passes, and is counted.
    pub(super) fn change(&mut self, fault: Option<Fault>) -> bool {
        if fault.as_ref().is_none_or(|fault| fault.errno != errno::EAGAIN) {
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

    fn errno(&self) -> Option<i32> {
        self.get().map(|fault| fault.errno)
    }
}
