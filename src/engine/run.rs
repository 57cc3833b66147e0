//! The engine's thread: takes commands, reads sockets, meets deadlines, sleeps.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender};
use std::time::{Duration, Instant};

use polling::Events;

use super::timers::Timers;
use super::{Doorbell, Notice, ObjectId, Opened};
use crate::cast::{CastOptions, Casting};
use crate::error::Fault;
use crate::listen::{ListenOptions, Listening};
use crate::net::{self, Chosen, Interface, Poll, SendOptions};

/// What the engine can be asked.
pub(super) enum Command {
    Listen {
        id: ObjectId,
        client: Arc<Doorbell>,
        options: ListenOptions,
        reply: Sender<Result<Opened, Fault>>,
    },
    Join {
        id: ObjectId,
        group: std::net::Ipv4Addr,
    },
    Leave {
        id: ObjectId,
        group: std::net::Ipv4Addr,
    },
    Cast {
        id: ObjectId,
        client: Arc<Doorbell>,
        options: CastOptions,
    },
    Update {
        id: ObjectId,
        payload: Box<[u8]>,
        interval: Option<Duration>,
    },
    Send {
        id: ObjectId,
    },
    Close {
        id: ObjectId,
    },
    /// Closes what one client has open, without a word to it; the reply says that it is done.
    CloseAll {
        client: Arc<Doorbell>,
        reply: Sender<()>,
    },
    Stop,
    #[cfg(test)]
    Panic,
}

/// What a deadline is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Deadline {
    /// A cast is due.
    Cast(ObjectId),
    /// The listening socket of this port has rested.
    Rest(u16),
    /// A sending socket that nobody uses may go.
    Linger(SendOptions),
}

/// How many commands are obeyed, and how many deadlines are met, before the others get their turn.
const TURN: usize = 64;

/// How long a list of interfaces is believed.
const INTERFACES_FRESH: Duration = Duration::from_secs(1);

/// The engine's state: everything there is.
pub(super) struct Engine {
    poll: Arc<Poll>,
    commands: Receiver<Command>,
    timers: Timers<Deadline>,
    listening: Listening,
    casting: Casting,
    interfaces: Vec<Interface>,
    interfaces_listed: Option<Instant>,
}

impl Engine {
    pub(super) fn new(poll: Arc<Poll>, commands: Receiver<Command>) -> Self {
        Self {
            listening: Listening::new(Arc::clone(&poll)),
            casting: Casting::default(),
            timers: Timers::default(),
            interfaces: Vec::new(),
            interfaces_listed: None,
            poll,
            commands,
        }
    }

    /// Runs until it is told to stop.
    pub(super) fn run(&mut self) -> io::Result<()> {
        let mut events = Events::new();
        let mut ready = Vec::new();
        loop {
            let mut commands = 0;
            while commands < TURN
                && let Ok(command) = self.commands.try_recv()
            {
                if matches!(command, Command::Stop) {
                    return Ok(());
                }
                self.obey(command);
                commands += 1;
            }
            self.meet_deadlines();
            let timeout = match self.timers.next() {
                _ if commands == TURN => Some(Duration::ZERO),
                next => next.map(|at| at.saturating_duration_since(Instant::now())),
            };
            self.poll.wait(&mut events, &mut ready, timeout)?;
            let now = Instant::now();
            for &key in &ready {
                self.listening.readable(key, now, self.casting.own(), &mut self.timers);
            }
        }
    }

    fn obey(&mut self, command: Command) {
        let now = Instant::now();
        match command {
            Command::Listen { id, client, options, reply } => {
                self.list_interfaces(now, id, &client);
                self.warn_of_no_interface(id, &client, &options.selection.listening(&self.interfaces));
                let opened = self.listening.open(id, client, options, &self.interfaces);
                // The caller waits for this; if it is gone, its environment closes the object.
                let _ = reply.send(opened.map(|port| Opened { id, port }));
            }
            Command::Join { id, group } => {
                if let Some(client) = self.listening.client(id) {
                    self.list_interfaces(now, id, &client);
                }
                self.listening.join(id, group, &self.interfaces);
            }
            Command::Leave { id, group } => self.listening.leave(id, group),
            Command::Cast { id, client, options } => {
                self.list_interfaces(now, id, &client);
                self.warn_of_no_interface(id, &client, &options.selection.sending(&self.interfaces));
                self.casting.open(id, client, options, &self.interfaces, now, &mut self.timers);
            }
            Command::Update { id, payload, interval } => {
                self.casting.update(id, payload, interval, now, &mut self.timers);
            }
            Command::Send { id } => self.casting.send(id),
            Command::Close { id } => {
                let client = self.listening.close(id, &mut self.timers).or_else(|| self.close_cast(id, now));
                if let Some(client) = client {
                    client.notify(Notice::Closed(id));
                }
            }
            Command::CloseAll { client, reply } => {
                for id in self.listening.opened_by(&client) {
                    self.listening.close(id, &mut self.timers);
                }
                for id in self.casting.opened_by(&client) {
                    self.close_cast(id, now);
                }
                // Nobody waiting for the reply is no fault of the closing.
                let _ = reply.send(());
            }
            Command::Stop => {}
            #[cfg(test)]
            Command::Panic => panic!("the test asked for it"),
        }
    }

    fn close_cast(&mut self, id: ObjectId, now: Instant) -> Option<Arc<Doorbell>> {
        // Only a listener can still hear what a closed cast has sent.
        let linger = !self.listening.is_empty();
        self.casting.close(id, now, linger, &mut self.timers)
    }

    fn meet_deadlines(&mut self) {
        let now = Instant::now();
        for _ in 0..TURN {
            match self.timers.take_due(now) {
                Some((due, Deadline::Cast(id))) => self.casting.due(id, due, now, &mut self.timers),
                Some((_, Deadline::Rest(port))) => {
                    self.listening.rested(port, now, self.casting.own(), &mut self.timers);
                }
                Some((_, Deadline::Linger(options))) => self.casting.lingered(&options),
                None => break,
            }
        }
    }

    /// Lists the interfaces again if the last list is old. A failure is the object's to tell: it gets the
    /// list as it was.
    fn list_interfaces(&mut self, now: Instant, id: ObjectId, client: &Doorbell) {
        let fresh = self.interfaces_listed.is_some_and(|at| now.duration_since(at) < INTERFACES_FRESH);
        if !fresh {
            match net::interfaces() {
                Ok(interfaces) => {
                    self.interfaces = interfaces;
                    self.interfaces_listed = Some(now);
                }
                Err(error) => client.notify(Notice::Warning(id, Fault::new("getifaddrs", &error))),
            }
        }
        client.name_interfaces(&self.interfaces);
    }

    /// Tells an object that it has no interface to use, which may be meant or a slip of the pen.
    fn warn_of_no_interface(&self, id: ObjectId, client: &Doorbell, chosen: &[Chosen]) {
        if chosen.is_empty() {
            let names = self.interfaces.iter().map(|interface| Arc::clone(&interface.name)).collect();
            client.notify(Notice::NoInterface(id, names));
        }
    }
}
