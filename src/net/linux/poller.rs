//! The poller: epoll(7), and eventfd(2) to end a wait.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::ptr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use socket2::Socket;

use crate::net::faults::{self, Call};

/// How many sources one wait reports; those that are left out come first the next time.
const EVENTS: usize = 64;

/// The key of what ends a wait.
const NOTICE: u64 = u64::MAX;

/// Waits with one system call, and to the nanosecond: where many datagrams come alone, waiting is most of the cost.
pub(in crate::net) struct Poller {
    epoll: OwnedFd,
    notice: OwnedFd,
    /// Whether the kernel has epoll_pwait2(2) (Linux 5.11), and no filter for system calls refuses it.
    has_pwait2: AtomicBool,
}

impl Poller {
    pub(in crate::net) fn new() -> io::Result<Self> {
        // SAFETY: takes no pointers; the descriptors are new, and nobody else's.
        let (epoll, notice) = unsafe {
            (
                owned(libc::epoll_create1(libc::EPOLL_CLOEXEC))?,
                owned(libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK))?,
            )
        };
        let poller = Self { epoll, notice, has_pwait2: AtomicBool::new(true) };
        // Reported once for each write, whether it is read or not.
        let events = libc::EPOLLIN | libc::EPOLLET;
        poller.control(libc::EPOLL_CTL_ADD, poller.notice.as_raw_fd(), events, NOTICE)?;
        Ok(poller)
    }

    /// See [`Poll::wait`](crate::net::Poll::wait); adds to `ready`.
    pub(in crate::net) fn wait(&self, ready: &mut Vec<usize>, timeout: Option<Duration>) -> io::Result<()> {
        let mut events = [const { MaybeUninit::<libc::epoll_event>::uninit() }; EVENTS];
        let waited = faults::at(Call::Wait, None).and_then(|()| self.wait_for_events(&mut events, timeout));
        let count = match waited {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => 0,
            count => count?,
        };
        for event in &events[..count] {
            // SAFETY: the kernel has filled in so many.
            let key = unsafe { event.assume_init_ref() }.u64;
            if key != NOTICE {
                ready.push(key as usize);
            }
        }
        Ok(())
    }

    pub(in crate::net) fn notify(&self) -> io::Result<()> {
        let one = 1_u64.to_ne_bytes();
        // SAFETY: the descriptor is open, and there are so many bytes.
        match check(unsafe { libc::write(self.notice.as_raw_fd(), one.as_ptr().cast(), one.len()) }) {
            // It counts to 2^64: it has been written to, and nothing more is wanted.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(()),
            written => written.map(|_| ()),
        }
    }

    pub(in crate::net) fn add(&self, socket: &Socket, key: usize) -> io::Result<()> {
        self.control(libc::EPOLL_CTL_ADD, socket.as_raw_fd(), libc::EPOLLIN, key as u64)
    }

    /// Reports a source that was added, or stops doing so.
    pub(in crate::net) fn report(&self, socket: &Socket, key: usize, reports: bool) -> io::Result<()> {
        // What always is reported, errors and the end of a connection, would be for ever: only once.
        let events = if reports { libc::EPOLLIN } else { libc::EPOLLONESHOT };
        self.control(libc::EPOLL_CTL_MOD, socket.as_raw_fd(), events, key as u64)
    }

    pub(in crate::net) fn delete(&self, socket: &Socket) -> io::Result<()> {
        self.control(libc::EPOLL_CTL_DEL, socket.as_raw_fd(), 0, 0)
    }

    fn control(&self, operation: i32, source: RawFd, events: i32, key: u64) -> io::Result<()> {
        let mut event = libc::epoll_event { events: events.cast_unsigned(), u64: key };
        // SAFETY: the event lives through the call, which keeps no pointer to it.
        check(unsafe { libc::epoll_ctl(self.epoll.as_raw_fd(), operation, source, &raw mut event) })?;
        Ok(())
    }

    /// Gives how many of `events` are filled in.
    fn wait_for_events(
        &self,
        events: &mut [MaybeUninit<libc::epoll_event>; EVENTS],
        timeout: Option<Duration>,
    ) -> io::Result<usize> {
        let Some(timeout) = timeout.filter(|timeout| !timeout.is_zero()) else {
            return self.wait_by_milliseconds(events, timeout.map_or(-1, |_| 0));
        };
        let timeout = libc::timespec {
            // 68 years are longer than anything runs.
            tv_sec: i32::try_from(timeout.as_secs()).unwrap_or(i32::MAX).into(),
            tv_nsec: timeout.subsec_nanos().into(),
        };
        if self.has_pwait2.load(Ordering::Relaxed) {
            // SAFETY: there is room for so many events, and the time lives through the call; no signal mask.
            let waited = check(unsafe {
                libc::syscall(
                    libc::SYS_epoll_pwait2,
                    self.epoll.as_raw_fd(),
                    events.as_mut_ptr(),
                    EVENTS,
                    &raw const timeout,
                    ptr::null::<libc::sigset_t>(),
                    0_usize,
                )
            });
            match waited {
                Err(error) if matches!(error.raw_os_error(), Some(libc::ENOSYS | libc::EPERM)) => {
                    self.has_pwait2.store(false, Ordering::Relaxed);
                }
                waited => return waited,
            }
        }
        let mut epoll = libc::pollfd { fd: self.epoll.as_raw_fd(), events: libc::POLLIN, revents: 0 };
        // SAFETY: one descriptor, and a time, that live through the call; no signal mask.
        check(unsafe { libc::ppoll(&raw mut epoll, 1, &raw const timeout, ptr::null()) })?;
        self.wait_by_milliseconds(events, 0)
    }

    fn wait_by_milliseconds(
        &self,
        events: &mut [MaybeUninit<libc::epoll_event>; EVENTS],
        timeout: i32,
    ) -> io::Result<usize> {
        // SAFETY: there is room for so many events.
        check(unsafe {
            libc::epoll_wait(self.epoll.as_raw_fd(), events.as_mut_ptr().cast(), EVENTS as i32, timeout)
        })
    }
}

/// What a call returned, unless it failed.
fn check<T: TryInto<usize>>(returned: T) -> io::Result<usize> {
    returned.try_into().map_err(|_| io::Error::last_os_error())
}

/// A descriptor that a call has made.
fn owned(returned: RawFd) -> io::Result<OwnedFd> {
    check(returned)?;
    // SAFETY: it is new, and nobody else's.
    Ok(unsafe { OwnedFd::from_raw_fd(returned) })
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;
    use std::sync::Arc;
    use std::thread;
    use std::time::Instant;

    use super::*;

    const LONG: Option<Duration> = Some(Duration::from_secs(20));

    /// A poller that waits as this kernel can, and one that waits as an older one can.
    fn pollers() -> [Poller; 2] {
        let older = Poller::new().unwrap();
        older.has_pwait2.store(false, Ordering::Relaxed);
        [Poller::new().unwrap(), older]
    }

    fn ready(poller: &Poller, timeout: Option<Duration>) -> Vec<usize> {
        let mut ready = Vec::new();
        poller.wait(&mut ready, timeout).unwrap();
        ready
    }

    #[test]
    fn waits_as_long_as_it_is_told() {
        for poller in pollers() {
            for timeout in [Duration::ZERO, Duration::from_micros(1500), Duration::from_millis(20)] {
                let before = Instant::now();
                assert!(ready(&poller, Some(timeout)).is_empty());
                assert!(before.elapsed() >= timeout);
            }
        }
    }

    #[test]
    fn a_notice_ends_one_wait() {
        for poller in pollers().map(Arc::new) {
            for timeout in [None, LONG] {
                let other = Arc::clone(&poller);
                let notifier = thread::spawn(move || other.notify().unwrap());
                let before = Instant::now();
                assert!(ready(&poller, timeout).is_empty());
                notifier.join().unwrap();
                assert!(before.elapsed() < Duration::from_secs(10));
            }
            poller.notify().unwrap();
            assert!(ready(&poller, LONG).is_empty());
            let before = Instant::now();
            assert!(ready(&poller, Some(Duration::from_millis(5))).is_empty());
            assert!(before.elapsed() >= Duration::from_millis(5), "the notice was for one wait");
        }
    }

    #[test]
    fn a_socket_is_reported_while_it_is_readable_and_wanted() {
        for poller in pollers() {
            let heard = UdpSocket::bind("127.0.0.1:0").unwrap();
            let to = heard.local_addr().unwrap();
            let socket = Socket::from(heard);
            poller.add(&socket, 7).unwrap();
            assert!(ready(&poller, Some(Duration::ZERO)).is_empty());
            UdpSocket::bind("127.0.0.1:0").unwrap().send_to(b"x", to).unwrap();
            for timeout in [None, LONG, Some(Duration::ZERO)] {
                assert_eq!(ready(&poller, timeout), [7]);
            }
            poller.report(&socket, 7, false).unwrap();
            assert!(ready(&poller, Some(Duration::from_millis(5))).is_empty());
            poller.report(&socket, 7, true).unwrap();
            assert_eq!(ready(&poller, LONG), [7]);
            poller.delete(&socket).unwrap();
            assert!(ready(&poller, Some(Duration::from_millis(5))).is_empty());
        }
    }
}
