//! Sending what is due at one time, together where that can be done.

use std::io::IoSlice;
use std::sync::atomic::Ordering;
use std::time::Instant;

use super::Casting;
use super::paths::{Path, PathsId};
use crate::engine::timers::Timers;
use crate::engine::{Deadline, ObjectId};
use crate::net::most_together;

/// A cast that is due. What is equal but for the cast can be sent together: it goes the same ways, and is of the
/// same length.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Due {
    pub(super) paths: PathsId,
    pub(super) length: usize,
    pub(super) cast: ObjectId,
}

impl Casting {
    /// Sends what is due.
    pub(crate) fn send_due(&mut self, now: Instant, timers: &mut Timers<Deadline>) {
        let mut due = std::mem::take(&mut self.due);
        due.sort_unstable();
        let alike = due.chunk_by(|a, b| (a.paths, a.length) == (b.paths, b.length));
        for alike in alike.flat_map(|alike| alike.chunks(most_together(alike[0].length))) {
            let together = self.send_together(alike);
            for Due { cast, .. } in alike {
                self.send_by(*cast, now, timers, |path, failure| {
                    failure.is_some() || !matches!(path, Path::Way(i) if together.contains(&i))
                });
            }
        }
        due.clear();
        self.due = due;
    }

    /// Sends casts that are alike, other than those with trouble, together by each way where that can be done, and
    /// gives those ways. By the others nothing is sent.
    fn send_together(&mut self, alike: &[Due]) -> Vec<usize> {
        let Self { casts, paths, sockets, .. } = self;
        let Some(paths) = paths.get(alike[0].paths) else { return Vec::new() };
        let casts = || {
            let casts = alike.iter().filter_map(|due| casts.get(&due.cast));
            casts.filter(|cast| cast.trouble.is_none() && !cast.client.is_closing())
        };
        let payloads: Vec<_> = casts().map(|cast| IoSlice::new(&cast.payload)).collect();
        if payloads.len() < 2 {
            return Vec::new();
        }
        let ways = 0..paths.ways.len();
        let together: Vec<_> = ways.filter(|i| paths.ways[*i].send_together(sockets, &payloads)).collect();
        for cast in casts() {
            cast.counters.sent.fetch_add(together.len() as u64, Ordering::Relaxed);
        }
        together
    }
}
