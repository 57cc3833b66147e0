//! The engine of this process: its thread, its beginning with the first object and its end with the last.

use std::any::Any;
use std::io;
use std::panic::{self, AssertUnwindSafe};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};

use once_cell::unsync::OnceCell;

use super::Doorbell;
#[cfg(all(test, loom))]
use super::models::Engine;
use super::run::Command;
#[cfg(not(all(test, loom)))]
use super::run::Engine;
use super::sync::mpsc::{self, Sender};
use super::sync::thread::{self, JoinHandle};
use super::sync::{Mutex, lock, process_wide};
use crate::cast::LookUp;
use crate::net::{Poll, resolve};

/// The way to the engine's thread.
pub(super) struct Handle {
    pub(super) commands: Sender<Command>,
    poll: Arc<Poll>,
    /// Whom to tell if the engine fails.
    clients: Mutex<Vec<Weak<Doorbell>>>,
}

impl Handle {
    /// Tells the engine to do something. One that has failed does nothing, and drops the reply.
    pub(super) fn tell(&self, command: Command) {
        let _ = self.commands.send(command);
        self.wake();
    }

    pub(super) fn wake(&self) {
        // Fails only if the poller's own descriptor is broken, and then the engine has ended with an error.
        let _ = self.poll.notify();
    }

    fn add_client(&self, client: &Arc<Doorbell>) {
        let mut clients = lock(&self.clients);
        clients.retain(|known| known.strong_count() > 0);
        if !clients.iter().any(|known| known.as_ptr() == Arc::as_ptr(client)) {
            clients.push(Arc::downgrade(client));
        }
    }
}

/// An engine and its thread.
struct Running {
    handle: Arc<Handle>,
    thread: JoinHandle<()>,
}

impl Running {
    fn start() -> io::Result<Self> {
        let poll = Arc::new(Poll::new()?);
        let (commands, inbox) = mpsc::channel();
        let handle = Arc::new(Handle { commands, poll: Arc::clone(&poll), clients: Mutex::default() });
        let seen = Arc::clone(&handle);
        let thread = thread::Builder::new().name("lan-peers".to_owned()).spawn(move || {
            // The engine is made and unmade in here: a panic closes its sockets and its inbox.
            let look_up = look_up(&seen);
            let ended = panic::catch_unwind(AssertUnwindSafe(|| Engine::new(poll, inbox, look_up).run()));
            if let Some(reason) = failure(ended) {
                for client in lock(&seen.clients).iter().filter_map(Weak::upgrade) {
                    client.fail(&reason);
                }
            }
        })?;
        Ok(Self { handle, thread })
    }
}

/// How many lookups are under way in this process, for engines that have ended, too; and how many may be.
static LOOKUPS: AtomicUsize = AtomicUsize::new(0);
const MAX_LOOKUPS: usize = 64;

/// Resolves names, each on a thread of its own that nobody waits for: a resolver may take long, and cannot be
/// told to stop.
fn look_up(handle: &Arc<Handle>) -> LookUp {
    let handle = Arc::downgrade(handle);
    Box::new(move |name, text| {
        let answer_to = Weak::clone(&handle);
        let answer = move |answer| {
            if let Some(handle) = answer_to.upgrade() {
                handle.tell(Command::Resolved { name, answer });
            }
        };
        let refuse = answer.clone();
        if LOOKUPS.fetch_add(1, Ordering::Relaxed) >= MAX_LOOKUPS {
            LOOKUPS.fetch_sub(1, Ordering::Relaxed);
            return refuse(Err("too many lookups are under way".into()));
        }
        let lookup = move || {
            let resolved = resolve(&text).map_err(|error| error.to_string().into());
            LOOKUPS.fetch_sub(1, Ordering::Relaxed);
            answer(resolved);
        };
        // Named so that /proc and debuggers tell it from the engine.
        let started = thread::Builder::new().name("lan-peers-names".to_owned()).spawn(lookup);
        if let Err(error) = started {
            LOOKUPS.fetch_sub(1, Ordering::Relaxed);
            refuse(Err(error.to_string().into()));
        }
    })
}

/// Why the engine ended, unless it was told to.
fn failure(ended: Result<io::Result<()>, Box<dyn Any + Send>>) -> Option<Arc<str>> {
    match ended {
        Ok(Ok(())) => None,
        Ok(Err(error)) => Some(error.to_string().into()),
        Err(panic) => Some(match panic.downcast::<&'static str>() {
            Ok(text) => (*text).into(),
            Err(panic) => panic.downcast::<String>().map_or_else(|_| "panic".into(), |text| (*text).into()),
        }),
    }
}

/// The engine of this process, while anything is open.
struct Process {
    engine: OnceCell<Running>,
    /// How many objects are open in all environments.
    open: usize,
}

process_wide! {
    static PROCESS: Mutex<Process> = Mutex::new(Process { engine: OnceCell::new(), open: 0 });
}

/// Keeps the engine running for one object more, and starts it for the first.
pub(super) fn hold(client: &Arc<Doorbell>) -> io::Result<Arc<Handle>> {
    let mut process = lock(&PROCESS);
    let handle = Arc::clone(&process.engine.get_or_try_init(Running::start)?.handle);
    handle.add_client(client);
    process.open += 1;
    Ok(handle)
}

/// Lets go of the engine for some objects; after the last one it is stopped and joined.
pub(super) fn release(objects: usize) {
    let mut process = lock(&PROCESS);
    process.open -= objects;
    if process.open == 0 {
        stop(process.engine.take());
    }
}

/// Waits for the end of an engine that has failed, and makes room for another.
pub(super) fn bury(failed: &Arc<Handle>) {
    let mut process = lock(&PROCESS);
    if process.engine.get().is_some_and(|running| Arc::ptr_eq(&running.handle, failed)) {
        stop(process.engine.take());
    }
}

fn stop(engine: Option<Running>) {
    if let Some(Running { handle, thread }) = engine {
        handle.tell(Command::Stop);
        // A panic was caught and told inside; there is nothing left to say here.
        let _ = thread.join();
    }
}

/// Makes the engine panic, if one runs.
#[cfg(any(test, feature = "test-hooks"))]
pub(crate) fn make_the_engine_panic() {
    if let Some(Running { handle, .. }) = lock(&PROCESS).engine.get() {
        handle.tell(Command::Panic);
    }
}

/// Whether nothing is open in this process, and no engine runs.
#[cfg(test)]
pub(super) fn is_at_rest() -> bool {
    let process = lock(&PROCESS);
    process.open == 0 && process.engine.get().is_none()
}
