//! The engine's thread: takes commands, reads sockets, meets deadlines, sleeps.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender};
use std::time::{Duration, Instant};

use polling::Events;

use super::timers::Timers;
use super::{Doorbell, Notice, ObjectId, Opened};
use crate::cast::{CastOptions, Casting, LookUp, NameId, Resolved};
use crate::error::Fault;
use crate::listen::{ListenOptions, Listening, SocketId};
use crate::net::{self, Family, Interface, Poll, SendOptions};
use crate::report::InterfaceReport;

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
        group: IpAddr,
        reply: Sender<()>,
    },
    Leave {
        id: ObjectId,
        group: IpAddr,
        reply: Sender<()>,
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
    /// What the object does with each interface; the reply is `None` for one that is not open.
    Report {
        id: ObjectId,
        reply: Sender<Option<Vec<InterfaceReport>>>,
    },
    /// A name has been looked up.
    Resolved {
        name: NameId,
        answer: Resolved,
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
    /// A listening socket has rested.
    Rest(SocketId),
    /// A sending socket that nobody uses may go.
    Linger(SendOptions),
    /// A name is to be looked up again.
    Resolve(NameId),
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
    /// An engine that obeys `commands`; `look_up` begins to resolve a name and sends the answer there.
    pub(super) fn new(poll: Arc<Poll>, commands: Receiver<Command>, look_up: LookUp) -> Self {
        Self {
            listening: Listening::new(Arc::clone(&poll)),
            casting: Casting::new(look_up),
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
                self.warn_of_no_interface_to_listen_on(id, &client, &options);
                let opened = self.listening.open(id, client, options, &self.interfaces, &mut self.timers);
                // The caller waits for this; if it is gone, its environment closes the object.
                let _ = reply.send(opened.map(|port| Opened { id, port }));
            }
            Command::Join { id, group, reply } => {
                if let Some(client) = self.listening.client(id) {
                    self.list_interfaces(now, id, &client);
                }
                self.listening.join(id, group, &self.interfaces);
                // The caller waits for this.
                let _ = reply.send(());
            }
            Command::Leave { id, group, reply } => {
                self.listening.leave(id, group, &mut self.timers);
                let _ = reply.send(());
            }
            Command::Cast { id, client, options } => {
                self.list_interfaces(now, id, &client);
                let teller = Arc::clone(&client);
                if !self.casting.open(id, client, options, &self.interfaces, now, &mut self.timers) {
                    self.warn_of_no_interface(id, &teller);
                }
            }
            Command::Update { id, payload, interval } => {
                self.casting.update(id, payload, interval, now, &mut self.timers);
            }
            Command::Send { id } => self.casting.send(id),
            Command::Report { id, reply } => {
                if let Some(client) = self.listening.client(id).or_else(|| self.casting.client(id)) {
                    self.interfaces_listed = None;
                    self.list_interfaces(now, id, &client);
                }
                let listener = self.listening.report(id, &self.interfaces);
                // The caller waits for this.
                let _ = reply.send(listener.or_else(|| self.casting.report(id, &self.interfaces)));
            }
            Command::Resolved { name, answer } => {
                self.casting.resolved(name, answer, now, &mut self.timers);
            }
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
                Some((_, Deadline::Rest(socket))) => {
                    self.listening.rested(socket, now, self.casting.own(), &mut self.timers);
                }
                Some((_, Deadline::Linger(options))) => self.casting.lingered(&options),
                Some((_, Deadline::Resolve(name))) => self.casting.resolve(name),
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
                    self.casting.note_addresses(&self.interfaces);
                    self.interfaces_listed = Some(now);
                }
                Err(error) => client.notify(Notice::Warning(id, Fault::new("getifaddrs", &error))),
            }
        }
        client.name_interfaces(&self.interfaces);
    }

    fn warn_of_no_interface_to_listen_on(&self, id: ObjectId, client: &Doorbell, options: &ListenOptions) {
        let usable = |family| {
            let verdicts = options.selection.listening(&self.interfaces, family);
            verdicts.iter().flatten().any(|chosen| chosen.multicast)
        };
        if !options.groups.iter().map(|group| Family::of(*group)).any(usable) {
            self.warn_of_no_interface(id, client);
        }
    }

    /// Tells an object that it has no interface to use, which may be meant or a slip of the pen.
    fn warn_of_no_interface(&self, id: ObjectId, client: &Doorbell) {
        let names = self.interfaces.iter().map(|interface| Arc::clone(&interface.name)).collect();
        client.notify(Notice::NoInterface(id, names));
    }
}
