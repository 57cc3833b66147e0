//! Why sending somewhere fails at present.

use crate::error::Fault;

/// The error of the last send, so that it is told once.
#[derive(Default)]
pub(super) struct Failure(Option<Box<Fault>>);

impl Failure {
    /// Takes in how the last send went, and gives the error that is to be told: one unlike that before. A queue
    /// that is full says nothing of the state; it passes, and is counted.
    pub(super) fn change(&mut self, fault: Option<Fault>) -> Option<&Fault> {
        if fault.as_ref().is_some_and(|fault| fault.errno == libc::EAGAIN) {
            return None;
        }
        let before = self.0.as_ref().map(|fault| fault.errno);
        self.0 = fault.map(Box::new);
        self.get().filter(|fault| before != Some(fault.errno))
    }

    /// The error of the last send, if it failed.
    pub(super) fn get(&self) -> Option<&Fault> {
        self.0.as_deref()
    }
}
