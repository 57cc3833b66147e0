//! The engine without Node, on the loopback interface alone.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

use lan_peers::cast::{CastCounters, CastOptions, Target};
use lan_peers::engine::{Client, Notice, ObjectId, Opened};
use lan_peers::listen::ListenOptions;
use lan_peers::net::{Selection, errno};

/// Far more than anything here takes.
const DEADLINE: Duration = Duration::from_secs(20);

/// A client, with its bell.
struct Host {
    client: Client,
    rung: Receiver<()>,
}

impl Host {
    fn new() -> Self {
        let (ring, rung) = mpsc::channel();
        // The test may have ended and hung up.
        Self { client: Client::new(move || ring.send(()).unwrap_or_default()), rung }
    }

    fn listen(&self, port: u16, group: Ipv4Addr, hears_itself: bool) -> Opened {
        let selection = loopback();
        let options = ListenOptions {
            port,
            groups: vec![group.into()],
            hears_itself,
            selection,
            ..ListenOptions::default()
        };
        self.client.listen(options).unwrap()
    }

    fn cast(
        &self,
        port: u16,
        group: Ipv4Addr,
        payload: &str,
        interval: Duration,
    ) -> (ObjectId, Arc<CastCounters>) {
        let counters = Arc::new(CastCounters::default());
        let options = CastOptions {
            payload: payload.as_bytes().into(),
            interval,
            target: Arc::new(Target {
                groups: vec![group.into()],
                port,
                to: Vec::new(),
                broadcast: false,
                selection: loopback(),
                ttl: 1,
                loopback: true,
            }),
            counters: Arc::clone(&counters),
        };
        (self.client.cast(options).unwrap(), counters)
    }

    /// Waits for the next batches until `enough` of (listener, payload) have come.
    fn hear(&self, enough: impl Fn(&[(ObjectId, String)]) -> bool) -> Vec<(ObjectId, String)> {
        let mut heard = Vec::new();
        while !enough(&heard) {
            self.rung.recv_timeout(DEADLINE).unwrap_or_else(|_| panic!("only heard {heard:?}"));
            loop {
                let taken = self.client.take();
                if let Some((id, Some(batch), _)) = taken.messages {
                    let mut start = 0;
                    for (source, end) in batch.messages() {
                        assert_eq!(source.address.ip(), Ipv4Addr::LOCALHOST);
                        heard.push((id, String::from_utf8(batch.bytes()[start..end].to_vec()).unwrap()));
                        start = end;
                    }
                }
                if !taken.more {
                    break;
                }
            }
        }
        heard
    }

    fn close(&self, id: ObjectId) {
        self.client.close(id);
        loop {
            let notices = self.client.take_notices();
            if !notices.is_empty() {
                assert_eq!(notices, [Notice::Closed(id)]);
                return;
            }
            self.rung.recv_timeout(DEADLINE).unwrap();
            while self.client.take().more {}
        }
    }
}

fn loopback() -> Selection {
    Selection::parse(["127.0.0.1"]).unwrap()
}

fn from(heard: &[(ObjectId, String)], listener: Opened) -> usize {
    heard.iter().filter(|(id, _)| *id == listener.id).count()
}

#[test]
fn two_clients_share_a_port_and_a_group() {
    let group = Ipv4Addr::new(239, 2, 0, 1);
    let (a, b) = (Host::new(), Host::new());
    let first = a.listen(0, group, true);
    let second = a.listen(first.port, group, true);
    let third = b.listen(first.port, group, true);
    let (cast, _) = b.cast(first.port, group, "hello", Duration::from_millis(5));
    a.hear(|heard| from(heard, first) >= 3 && from(heard, second) >= 3);
    b.hear(|heard| from(heard, third) >= 3);

    // Leaving and closing by one takes nothing from the others.
    a.client.leave(first.id, group.into());
    a.close(second.id);
    b.hear(|heard| from(heard, third) >= 3);

    // Nor does the end of a whole client.
    a.client.shut_down();
    b.hear(|heard| from(heard, third) >= 3);
    b.close(cast);
    b.close(third.id);
}

#[test]
fn a_listener_that_does_not_hear_itself_hears_no_cast_that_was_closed_either() {
    let group = Ipv4Addr::new(239, 2, 0, 2);
    let host = Host::new();
    let deaf = host.listen(0, group, false);
    let all = host.listen(deaf.port, group, true);
    for _ in 0..100 {
        // Closed before its datagram can have been read.
        let (cast, _) = host.cast(deaf.port, group, "ours", Duration::from_secs(1000));
        host.client.close(cast);
    }
    let heard = host.hear(|heard| from(heard, all) == 100);
    assert_eq!(from(&heard, deaf), 0);
}

#[test]
fn a_cast_counts_and_changes() {
    let group = Ipv4Addr::new(239, 2, 0, 3);
    let host = Host::new();
    let listener = host.listen(0, group, true);
    let (cast, counters) = host.cast(listener.port, group, "one", Duration::from_secs(1000));
    host.client.update(cast, b"two".as_slice().into(), Some(Duration::from_millis(5)));
    host.client.send(cast);
    let heard = host.hear(|heard| heard.len() >= 5);
    let texts: Vec<_> = heard.iter().map(|(_, text)| text.as_str()).take(5).collect();
    assert_eq!(texts, ["one", "two", "two", "two", "two"]);
    host.close(cast);
    let sent = counters.sent();
    assert!(sent >= 5);
    assert_eq!(counters.failed(), 0);
    std::thread::sleep(Duration::from_millis(50));
    assert_eq!(counters.sent(), sent, "closed is closed");
}

#[test]
fn a_port_that_is_taken_is_refused_and_leaves_the_engine_as_it_was() {
    let taken = std::net::UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = taken.local_addr().unwrap().port();
    let host = Host::new();
    let options = ListenOptions { port, selection: loopback(), ..ListenOptions::default() };
    let refused = host.client.listen(options.clone()).unwrap_err();
    let lan_peers::engine::OpenError::Refused(fault) = refused else { panic!("{refused:?}") };
    assert_eq!((fault.syscall, fault.errno, fault.port), ("bind", errno::EADDRINUSE, Some(port)));
    drop(taken);
    host.client.listen(options).unwrap();
}
