//! The engine's thread: takes commands, reads sockets, meets deadlines, sleeps.

use std::collections::HashSet;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::backoff::Backoff;
use super::network::{MONITOR, Network, Update};
use super::sync::mpsc::{Receiver, Sender};
use super::timers::Timers;
use super::{Doorbell, Notice, ObjectId, Opened, chance};
use crate::cast::{CastOptions, Casting, LookUp, NameId, PathsId, Resolved, SenderId};
use crate::discover::seal::Ring;
use crate::discovering::{DiscoverOptions, Discovering};
use crate::error::Fault;
use crate::listen::{ListenOptions, Listening, SocketId};
use crate::net::{Poll, Selection, SendOptions};
use crate::report::{InterfaceReport, Usage};

/// What the engine can be asked.
pub(super) enum Command {
    Listen {
        id: ObjectId,
        client: Arc<Doorbell>,
        options: Box<ListenOptions>,
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
    Discover {
        id: ObjectId,
        client: Arc<Doorbell>,
        options: Box<DiscoverOptions>,
        reply: Sender<Result<Opened, Fault>>,
    },
    /// The keys of a discovery that is to seal what it announces.
    Unlock {
        id: ObjectId,
        ring: Arc<Ring>,
    },
    Announce {
        id: ObjectId,
        data: Box<str>,
    },
    /// Asks everybody who is there again.
    Ask {
        id: ObjectId,
    },
    /// JavaScript has taken what it was told of the peers, and there is more.
    Tell {
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
    #[cfg(any(test, feature = "test-hooks"))]
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
    /// Casts have long enough had nothing but loopback to send on.
    Alone(PathsId),
    /// What an object could not open or join is to be tried again.
    Retry(ObjectId),
    /// A discovery has something to do.
    Discover(ObjectId),
    /// A discovery has said goodbye, and says so once more.
    Leave(ObjectId),
    /// What sends of a cast have failed is to be told.
    Tell(ObjectId),
    /// The interfaces are to be listed again.
    List,
    /// Memberships are to be told to the network again.
    Refresh,
}

/// How many commands are obeyed, and how many deadlines are met, before the others get their turn.
const TURN: usize = 64;

/// How long after the first news of a change the interfaces are listed: changes come in crowds.
const SETTLE: Duration = Duration::from_millis(30);

/// Later than this, what is due was not missed for want of time between two turns: this host has slept, or the engine has
/// stood still.
const LATE: Duration = Duration::from_secs(1);

/// The engine's state: everything there is.
pub(super) struct Engine {
    poll: Arc<Poll>,
    commands: Receiver<Command>,
    timers: Timers<Deadline>,
    listening: Listening,
    casting: Casting,
    discovering: Discovering,
    /// Who waits for its discoveries to have said goodbye.
    leaving: Vec<(Arc<Doorbell>, Sender<()>)>,
    network: Network,
    /// For a list of the interfaces that cannot be had.
    retries: Backoff,
    /// Why what is known of the interfaces may be out of date, as it was told last.
    told: Option<i32>,
}

impl Engine {
    /// An engine that obeys `commands`; `look_up` begins to resolve a name and sends the answer there.
    pub(super) fn new(poll: Arc<Poll>, commands: Receiver<Command>, look_up: LookUp) -> Self {
        Self {
            listening: Listening::new(Arc::clone(&poll)),
            casting: Casting::new(look_up, Arc::clone(&poll)),
            discovering: Discovering::default(),
            leaving: Vec::new(),
            timers: Timers::default(),
            network: Network::new(&poll),
            retries: Backoff::default(),
            told: None,
            poll,
            commands,
        }
    }

    /// Runs until it is told to stop.
    pub(super) fn run(&mut self) -> io::Result<()> {
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
            self.discovering.settle(&self.casting, Instant::now(), &mut self.timers);
            let timeout = match self.timers.earliest() {
                _ if commands == TURN => Some(Duration::ZERO),
                next => next.map(|at| at.saturating_duration_since(Instant::now())),
            };
            self.poll.wait(&mut ready, timeout)?;
            let now = Instant::now();
            for &key in &ready {
                self.readable(key, now);
            }
            if self.network.is_outdated(now) {
                self.timers.set_if_none(Deadline::List, now + SETTLE);
            }
            if self.network.take_slept() {
                self.discovering.awake(now);
            }
        }
    }

    /// The poller says that a source has something to read.
    fn readable(&mut self, key: usize, now: Instant) {
        let Self { listening, casting, discovering, timers, network, .. } = self;
        if key == MONITOR {
            if network.read_monitor() {
                // However long it was to be until then.
                timers.set_by(Deadline::List, now + SETTLE);
            }
        } else if let Some(socket) = SenderId::of(key) {
            discovering.read_answers(socket, listening.receive_buffer(), casting, now);
        } else {
            listening.readable(key, now, casting, discovering, timers);
        }
    }

    fn obey(&mut self, command: Command) {
        let now = Instant::now();
        match command {
            Command::Listen { id, client, options, reply } => {
                self.prepare(id, &client, &options.selection, now);
                let interfaces = self.network.interfaces();
                let opened = self.listening.open(id, client, *options, interfaces, now, &mut self.timers);
                // The caller waits for this; if it is gone, its environment closes the object.
                let _ = reply.send(opened.map(|port| Opened { id, port }));
            }
            Command::Join { id, group, reply } => {
                self.look(now);
                self.listening.join(id, group, self.network.interfaces(), now, &mut self.timers);
                // The caller waits for this.
                let _ = reply.send(());
            }
            Command::Leave { id, group, reply } => {
                self.listening.leave(id, group, self.network.interfaces(), now, &mut self.timers);
                let _ = reply.send(());
            }
            Command::Cast { id, client, options } => {
                self.prepare(id, &client, &options.target.selection, now);
                let interfaces = self.network.interfaces();
                self.casting.open(id, client, options, interfaces, now, &mut self.timers);
            }
            Command::Discover { id, client, options, reply } => {
                let _ = reply.send(self.discover(id, client, *options, now));
            }
            Command::Unlock { id, ring } => self.discovering.unlock(id, ring, now),
            Command::Announce { id, data } => self.discovering.announce(id, data, now),
            Command::Ask { id } => self.discovering.refresh(id, now),
            Command::Tell { id } => self.discovering.tell(id, now),
            Command::Update { id, payload, interval } => {
                self.casting.update(id, payload, interval, now, &mut self.timers);
            }
            Command::Send { id } => self.casting.send(id, now, &mut self.timers),
            Command::Report { id, reply } => {
                self.look(now);
                let interfaces = self.network.interfaces();
                let heard = self.listening.report(id, interfaces);
                let sent = self.casting.report(id, interfaces, now);
                // The caller waits for this.
                let _ = reply.send(match (heard, sent) {
                    (Some(heard), Some(sent)) => Some(both(heard, sent)),
                    (heard, sent) => heard.or(sent),
                });
            }
            Command::Resolved { name, answer } => {
                self.casting.resolved(name, answer, now, &mut self.timers);
            }
            // Nothing more is heard of it, and that it is closed is told when it has said goodbye.
            Command::Close { id } if self.discovering.has(id) => self.leave(id, now),
            Command::Close { id } => {
                let listener = self.listening.close(id, &mut self.timers);
                if let Some(client) = listener.or_else(|| self.casting.close(id, now, &mut self.timers)) {
                    client.notify(Notice::Closed(id));
                }
            }
            Command::CloseAll { client, reply } => {
                let discoveries = self.discovering.opened_by(&client);
                for id in &discoveries {
                    self.leave(*id, now);
                }
                for id in self.listening.opened_by(&client) {
                    self.listening.close(id, &mut self.timers);
                }
                for id in self.casting.opened_by(&client) {
                    if !discoveries.contains(&id) {
                        self.casting.close(id, now, &mut self.timers);
                    }
                }
                if discoveries.is_empty() {
                    // Nobody waiting for the reply is no fault of the closing.
                    let _ = reply.send(());
                } else {
                    self.leaving.push((client, reply));
                }
            }
            Command::Stop => {}
            #[cfg(any(test, feature = "test-hooks"))]
            Command::Panic => panic!("the test asked for it"),
        }
    }

    fn meet_deadlines(&mut self) {
        let now = Instant::now();
        if self.timers.earliest().is_some_and(|due| due + LATE < now) {
            self.discovering.awake(now);
        }
        for _ in 0..TURN {
            let Some((due, deadline)) = self.timers.take_due(now) else { break };
            match deadline {
                Deadline::Cast(id) => self.casting.due(id, due, now, &mut self.timers),
                Deadline::Rest(socket) => {
                    let Self { listening, casting, discovering, timers, .. } = self;
                    listening.rested(socket, now, casting, discovering, timers);
                }
                Deadline::Discover(id) => {
                    let Self { listening, casting, discovering, timers, .. } = self;
                    listening.read_all(id, now, casting, discovering);
                    discovering.read_all_answers(id, listening.receive_buffer(), casting, now);
                    discovering.due(id, casting, now, timers);
                }
                Deadline::Leave(id) => self.left(id, now),
                Deadline::Linger(options) => self.casting.lingered(&options),
                Deadline::Resolve(name) => self.casting.resolve(name),
                Deadline::Alone(paths) => {
                    let interfaces = self.network.interfaces();
                    for id in self.casting.follow(paths, interfaces, now, &mut self.timers) {
                        self.tell_of_interfaces(id);
                    }
                    self.discovering.follow(&self.casting, now);
                }
                Deadline::Retry(id) if self.casting.retry(id, now, &mut self.timers) => {}
                Deadline::Retry(id) => self.follow(id, now),
                Deadline::Tell(id) => {
                    self.look(now);
                    self.casting.tell(id);
                }
                Deadline::List => self.list(now),
                Deadline::Refresh => {
                    for id in self.listening.refresh(now, &mut self.timers) {
                        self.follow(id, now);
                    }
                }
            }
        }
        self.casting.send_due(now, &mut self.timers);
    }

    /// Opens a discovery: a listener and what announces, with one id. Only the port can be refused.
    fn discover(
        &mut self,
        id: ObjectId,
        client: Arc<Doorbell>,
        options: DiscoverOptions,
        now: Instant,
    ) -> Result<Opened, Fault> {
        let DiscoverOptions { discovery, target, counters } = options;
        self.prepare(id, &client, &target.selection, now);
        let Self { listening, casting, discovering, timers, network, .. } = self;
        let interfaces = network.interfaces();
        let listener = ListenOptions {
            groups: target.groups.clone(),
            port: target.port,
            selection: target.selection.clone(),
            ..ListenOptions::default()
        };
        let port = listening.open(id, Arc::clone(&client), listener, interfaces, now, timers)?;
        casting.open_announcing(id, Arc::clone(&client), (target, counters), interfaces, now, timers);
        discovering.open(id, client, discovery, casting, now);
        Ok(Opened { id, port })
    }

    /// Begins the end of a discovery.
    fn leave(&mut self, id: ObjectId, now: Instant) {
        self.discovering.leave(id, &mut self.casting, now, &mut self.timers);
        self.listening.close(id, &mut self.timers);
    }

    /// Ends it, and tells those who wait for that.
    fn left(&mut self, id: ObjectId, now: Instant) {
        self.discovering.left(id, &mut self.casting, now, &mut self.timers);
        let client = self.casting.close(id, now, &mut self.timers);
        // Who closes everything waits for the reply alone.
        if let Some(client) = client.filter(|client| !client.is_closing()) {
            client.notify(Notice::Closed(id));
        }
        let discovering = &self.discovering;
        let gone = |(client, _): &mut (Arc<Doorbell>, _)| discovering.opened_by(client).is_empty();
        for (_, reply) in self.leaving.extract_if(.., gone) {
            // Nobody waiting for the reply is no fault of the closing.
            let _ = reply.send(());
        }
    }

    /// Gets ready for an object that is about to be opened.
    fn prepare(&mut self, id: ObjectId, client: &Doorbell, selection: &Selection, now: Instant) {
        self.look(now);
        let interfaces = self.network.interfaces();
        client.name_interfaces(interfaces);
        if let Some(fault) = self.network.fault() {
            client.notify(Notice::Warning(id, fault.clone()));
        }
        if selection.names_none_of(interfaces) {
            // That may be meant, or a slip of the pen.
            let names = interfaces.iter().map(|interface| Arc::clone(&interface.name)).collect();
            client.notify(Notice::NoInterface(id, names));
        }
    }

    /// Makes sure that what has happened to the interfaces by now is known.
    fn look(&mut self, now: Instant) {
        self.network.read_monitor();
        if self.network.is_outdated(now) {
            self.list(now);
        }
    }

    /// Lists the interfaces, and has every object follow if they have changed.
    fn list(&mut self, now: Instant) {
        let update = self.network.list(now);
        self.tell_of_blindness();
        let Some(Update { changed, visibly, lost }) = update else {
            self.timers.set(Deadline::List, now + self.retries.failed(chance::any()));
            return;
        };
        self.retries.succeeded();
        match self.network.outdated_at() {
            Some(at) => self.timers.set(Deadline::List, at),
            None => self.timers.cancel(Deadline::List),
        }
        let interfaces = self.network.interfaces();
        self.casting.note_addresses(interfaces);
        self.listening.note_addresses(interfaces);
        self.discovering.note_addresses(interfaces);
        self.casting.look_up_what_failed(now, &mut self.timers);
        let mut listeners = self.listening.rejoin(|membership| lost.contains(membership.interface));
        if changed {
            listeners = self.listening.ids().collect();
        } else {
            // What failed may succeed now.
            listeners.extend(self.listening.failing());
        }
        let mut clients: Vec<_> = self.ids().into_iter().filter_map(|id| self.client(id)).collect();
        clients.sort_unstable_by_key(Arc::as_ptr);
        clients.dedup_by_key(|client| Arc::as_ptr(client));
        for client in &clients {
            client.name_interfaces(interfaces);
        }
        let Self { listening, casting, timers, .. } = self;
        listeners.retain(|id| listening.follow(*id, interfaces, now, timers));
        let mut concerned = listeners;
        if changed {
            concerned.extend(casting.follow_all(interfaces, now, timers));
        } else {
            casting.retry_what_failed(now, timers);
        }
        self.discovering.follow(&self.casting, now);
        // What everybody is told is not told each.
        if visibly {
            clients.iter().for_each(|client| client.interfaces_changed(None));
        } else {
            concerned.into_iter().for_each(|id| self.tell_of_interfaces(id));
        }
    }

    /// Brings what a listener does in line with the interfaces, and tells it if that has changed anything.
    fn follow(&mut self, id: ObjectId, now: Instant) {
        if self.listening.follow(id, self.network.interfaces(), now, &mut self.timers) {
            self.tell_of_interfaces(id);
        }
    }

    /// Tells an object that what it does with the interfaces has changed.
    fn tell_of_interfaces(&self, id: ObjectId) {
        if let Some(client) = self.client(id) {
            client.interfaces_changed(Some(id));
        }
    }

    /// Tells every object why what is known of the interfaces may be out of date, unless it has been told.
    fn tell_of_blindness(&mut self) {
        let fault = self.network.fault();
        let told = std::mem::replace(&mut self.told, fault.map(|fault| fault.errno));
        if let Some(fault) = fault.filter(|_| self.told != told) {
            for id in self.ids() {
                if let Some(client) = self.client(id) {
                    client.notify(Notice::Warning(id, fault.clone()));
                }
            }
        }
    }

    /// All objects.
    fn ids(&self) -> HashSet<ObjectId> {
        // A discovery is both.
        self.listening.ids().chain(self.casting.ids()).collect()
    }

    /// Whose object it is.
    fn client(&self, id: ObjectId) -> Option<Arc<Doorbell>> {
        self.listening.client(id).or_else(|| self.casting.client(id))
    }
}

/// What a discovery does with each interface, which it hears and sends on.
fn both(heard: Vec<InterfaceReport>, sent: Vec<InterfaceReport>) -> Vec<InterfaceReport> {
    let worse = |heard, sent| if matches!(sent, Usage::Failing(_)) { sent } else { heard };
    let joined = |(heard, sent): (InterfaceReport, InterfaceReport)| InterfaceReport {
        interface: heard.interface,
        v4: worse(heard.v4, sent.v4),
        v6: worse(heard.v6, sent.v6),
    };
    heard.into_iter().zip(sent).map(joined).collect()
}
