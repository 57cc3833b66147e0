//! What JavaScript has yet to be told of the peers: for each id the difference between what it was told and what is
//! true. So nothing is lost on the way to an event loop that is busy, and nothing grows.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

/// Why a peer is there no longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// It said so.
    Bye,
    /// Nothing was heard of it for its lifetime.
    Timeout,
    /// It has started anew.
    Restart,
}

/// What there is to tell of an id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// Of whom.
    pub id: Arc<str>,
    /// The one that JavaScript knows has gone.
    pub down: Option<Reason>,
    /// There is one, and JavaScript does not know it, or not as it is.
    pub is: Option<Is>,
}

/// How a peer that is there is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Is {
    /// As one that is new.
    Up,
    /// As one that has changed.
    Changed,
}

/// So few ids that there is nothing to tell of any more are not worth a look.
const CLEAR_OUT: usize = 16;

/// What is to be told, in the order in which it began.
#[derive(Debug, Default)]
pub struct News {
    order: VecDeque<Arc<str>>,
    entries: HashMap<Arc<str>, Entry>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Entry {
    down: Option<Reason>,
    is: Option<Is>,
}

impl News {
    /// A peer is there that was not.
    pub fn up(&mut self, id: &Arc<str>) {
        self.entry(id).is = Some(Is::Up);
    }

    /// A peer has changed.
    pub fn changed(&mut self, id: &Arc<str>) {
        self.entry(id).is.get_or_insert(Is::Changed);
    }

    /// A peer is there no longer.
    pub fn down(&mut self, id: &Arc<str>, reason: Reason) {
        let entry = self.entry(id);
        // Of one that has not been told there is nothing to take back.
        if entry.is.take() != Some(Is::Up) {
            entry.down = Some(reason);
        }
        if entry.down.is_none() {
            self.entries.remove(id);
            // Or those that come and go while nobody looks would fill it.
            if self.order.len() > 2 * self.entries.len() + CLEAR_OUT {
                self.order.retain(|id| self.entries.contains_key(id));
            }
        }
    }

    /// Whether there is nothing to tell.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Takes what is to be told next.
    pub fn take(&mut self) -> Option<Told> {
        loop {
            let id = self.order.pop_front()?;
            // Those without an entry came and went meanwhile.
            if let Some(Entry { down, is }) = self.entries.remove(&id) {
                return Some(Told { id, down, is });
            }
        }
    }

    fn entry(&mut self, id: &Arc<str>) -> &mut Entry {
        let order = &mut self.order;
        self.entries.entry(Arc::clone(id)).or_insert_with(|| {
            order.push_back(Arc::clone(id));
            Entry::default()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Tells of each what happened, and gives what is told.
    fn told(happened: &[(&str, &str)]) -> Vec<(String, Option<Reason>, Option<Is>)> {
        let mut news = News::default();
        for (id, what) in happened {
            let id = Arc::from(*id);
            match *what {
                "up" => news.up(&id),
                "changed" => news.changed(&id),
                "bye" => news.down(&id, Reason::Bye),
                "restart" => news.down(&id, Reason::Restart),
                _ => unreachable!(),
            }
        }
        let told = std::iter::from_fn(|| news.take())
            .map(|told| (told.id.to_string(), told.down, told.is))
            .collect();
        assert!(news.is_empty());
        told
    }

    #[test]
    fn only_the_difference_is_told() {
        let a = |down, is| vec![("a".to_owned(), down, is)];
        assert_eq!(told(&[("a", "up"), ("a", "changed"), ("a", "changed")]), a(None, Some(Is::Up)));
        assert_eq!(told(&[("a", "changed"), ("a", "changed")]), a(None, Some(Is::Changed)));
        assert_eq!(told(&[("a", "up"), ("a", "bye")]), []);
        assert_eq!(told(&[("a", "changed"), ("a", "bye")]), a(Some(Reason::Bye), None));
        assert_eq!(told(&[("a", "restart"), ("a", "up")]), a(Some(Reason::Restart), Some(Is::Up)));
        let twice = [("a", "restart"), ("a", "up"), ("a", "restart"), ("a", "up"), ("a", "changed")];
        assert_eq!(told(&twice), a(Some(Reason::Restart), Some(Is::Up)));
        assert_eq!(told(&[("a", "bye"), ("a", "up"), ("a", "bye")]), a(Some(Reason::Bye), None));
    }

    #[test]
    fn what_comes_and_goes_while_nobody_looks_takes_no_room() {
        let mut news = News::default();
        let stays: Arc<str> = "stays".into();
        news.up(&stays);
        for i in 0..10_000 {
            let id = i.to_string().into();
            news.up(&id);
            news.down(&id, Reason::Timeout);
        }
        assert!(news.order.len() <= 2 + CLEAR_OUT && news.entries.len() == 1);
        assert_eq!(news.take(), Some(Told { id: stays, down: None, is: Some(Is::Up) }));
        assert!(news.take().is_none() && news.is_empty());
    }

    #[test]
    fn in_the_order_in_which_it_began() {
        let happened = [("a", "up"), ("b", "up"), ("c", "up"), ("a", "changed"), ("b", "bye"), ("b", "up")];
        let ids: Vec<_> = told(&happened).into_iter().map(|(id, ..)| id).collect();
        assert_eq!(ids, ["a", "b", "c"]);
    }
}
