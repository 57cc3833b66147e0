//! The locks, channels and threads of the engine: those of the standard library, and in the models those of loom,
//! which runs them in every order.

use std::sync::PoisonError;

#[cfg(not(all(test, loom)))]
pub(super) use std::{
    sync::{Mutex, MutexGuard, mpsc},
    thread,
};

#[cfg(all(test, loom))]
pub(super) use {
    super::models::channel as mpsc,
    loom::sync::{Mutex, MutexGuard},
    loom::thread,
};

/// Declares what the whole process shares: in a model, what one run of it does.
#[cfg(not(all(test, loom)))]
macro_rules! process_wide {
    (static $name:ident: $of:ty = $value:expr;) => {
        static $name: $of = $value;
    };
}

#[cfg(all(test, loom))]
macro_rules! process_wide {
    (static $name:ident: $of:ty = $value:expr;) => {
        loom::lazy_static! { static ref $name: $of = $value; }
    };
}

pub(super) use process_wide;

/// Locks, whether or not somebody has panicked meanwhile: what the engine's locks guard is whole at every moment that could.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
