//! How much of the table is taken, and by whom: none that comes from one source address takes more than its part of it.

use std::collections::HashMap;
use std::net::IpAddr;

/// One source address holds at most this part, and room for one peer in any case.
const SHARE: usize = 8;

/// The room in a table.
#[derive(Debug)]
pub(super) struct Room {
    most: Taken,
    taken: Taken,
    /// Of each address that some of those in the table came from first.
    shares: HashMap<IpAddr, Taken>,
}

/// So many peers, and so many bytes of what they announce.
#[derive(Clone, Copy, Debug, Default)]
struct Taken {
    peers: usize,
    bytes: usize,
}

impl Room {
    /// For so many peers, which announce so many bytes in all.
    pub(super) fn new(peers: usize, bytes: usize) -> Self {
        Self { most: Taken { peers, bytes }, taken: Taken::default(), shares: HashMap::new() }
    }

    /// Whether some of those in the table came from this address first.
    pub(super) fn has(&self, source: IpAddr) -> bool {
        self.shares.contains_key(&source)
    }

    /// Takes room for a peer from this address that announces so many bytes, if there is.
    pub(super) fn take(&mut self, source: IpAddr, bytes: usize) -> bool {
        let share = self.shares.get(&source).copied().unwrap_or_default();
        let fits = |taken: Taken, part: usize| {
            taken.peers < (self.most.peers / part).max(1) && taken.bytes + bytes <= self.most.bytes / part
        };
        let takes = fits(self.taken, 1) && fits(share, SHARE);
        if takes {
            self.change(source, |taken| {
                taken.peers += 1;
                taken.bytes += bytes;
            });
        }
        takes
    }

    /// A peer from this address announces so many bytes in place of others, if there is room. Less always fits.
    pub(super) fn replace(&mut self, source: IpAddr, before: usize, bytes: usize) -> bool {
        let share = self.shares.get(&source).copied().unwrap_or_default();
        let fits = |taken: Taken, part: usize| taken.bytes - before + bytes <= self.most.bytes / part;
        let replaces = bytes <= before || fits(self.taken, 1) && fits(share, SHARE);
        if replaces {
            self.change(source, |taken| taken.bytes = taken.bytes - before + bytes);
        }
        replaces
    }

    /// A peer from this address, which announced so many bytes, is there no longer.
    pub(super) fn free(&mut self, source: IpAddr, bytes: usize) {
        self.change(source, |taken| {
            taken.peers -= 1;
            taken.bytes -= bytes;
        });
        if self.shares.get(&source).is_some_and(|share| share.peers == 0) {
            self.shares.remove(&source);
        }
    }

    fn change(&mut self, source: IpAddr, change: impl Fn(&mut Taken)) {
        change(&mut self.taken);
        change(self.shares.entry(source).or_default());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(i: u8) -> IpAddr {
        IpAddr::from([10, 0, 0, i])
    }

    #[test]
    fn each_source_takes_its_part_and_all_together_no_more_than_there_is() {
        let mut room = Room::new(16, 800);
        assert!(room.take(source(0), 50) && room.take(source(0), 50));
        assert!(!room.take(source(0), 0), "two peers are an eighth");
        assert!(room.take(source(1), 100) && !room.take(source(1), 1), "a hundred bytes are an eighth");
        assert!(!room.take(source(2), 101));
        assert!(!room.has(source(2)) && room.has(source(1)));
        for i in 2..8 {
            assert!(room.take(source(i), 100));
        }
        assert!(!room.take(source(8), 1) && room.take(source(8), 0));
        room.free(source(1), 100);
        assert!(!room.has(source(1)) && room.take(source(8), 100));
        for i in 9..15 {
            assert!(room.take(source(i), 0));
        }
        assert!(!room.take(source(15), 0), "there are sixteen");
        assert_eq!((room.taken.peers, room.taken.bytes), (16, 800));
    }

    #[test]
    fn what_is_announced_in_place_of_other_needs_room_too() {
        let mut room = Room::new(16, 800);
        assert!(room.take(source(0), 60) && room.take(source(0), 10));
        assert!(!room.replace(source(0), 10, 41) && room.replace(source(0), 10, 40));
        assert!(room.replace(source(0), 40, 5) && room.replace(source(0), 5, 40));
        for i in 1..8 {
            assert!(room.take(source(i), 90));
        }
        assert!(room.take(source(8), 70) && !room.replace(source(8), 70, 71), "there are 800");
        assert!(room.replace(source(8), 70, 70));
        for (i, bytes) in (0..9).zip([60, 90, 90, 90, 90, 90, 90, 90, 70]) {
            room.free(source(i), bytes);
        }
        room.free(source(0), 40);
        assert_eq!((room.taken.peers, room.taken.bytes, room.shares.len()), (0, 0, 0));
    }

    #[test]
    fn there_is_room_for_one_of_each_source_however_little_there_is() {
        let mut room = Room::new(3, 800);
        assert!(room.take(source(0), 100) && !room.take(source(0), 0) && room.take(source(1), 1));
    }
}
