//! Where tests have the system refuse what it is asked for. In what is published nothing is refused here, and nothing is
//! left of it.

use super::InterfaceIndex;

/// What the system is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    /// A socket that hears or sends.
    Socket,
    /// To bind it.
    Bind,
    /// To join a group.
    Join,
    /// To send a datagram.
    Send,
    /// What datagrams have come.
    Receive,
    /// To wait for sockets.
    Wait,
    /// To watch one more.
    Register,
    /// To tell of changes of the network.
    Watch,
    /// What has changed.
    Changes,
    /// To list the interfaces.
    List,
}

#[cfg(not(feature = "test-hooks"))]
pub(super) fn at(_: Call, _: Option<InterfaceIndex>) -> std::io::Result<()> {
    Ok(())
}

#[cfg(feature = "test-hooks")]
pub use planned::{clear, plan};

#[cfg(feature = "test-hooks")]
pub(super) use planned::at;

#[cfg(feature = "test-hooks")]
mod planned {
    use std::io;
    use std::sync::{Mutex, MutexGuard, PoisonError};

    use super::{Call, InterfaceIndex};

    /// A call that is to fail: on one interface, or wherever; so many times.
    struct Planned {
        call: Call,
        interface: Option<InterfaceIndex>,
        errno: i32,
        times: u32,
    }

    static PLANNED: Mutex<Vec<Planned>> = Mutex::new(Vec::new());

    fn lock() -> MutexGuard<'static, Vec<Planned>> {
        PLANNED.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has a call fail with this error from now on, so many times; on one interface, if one is given.
    pub fn plan(call: Call, interface: Option<InterfaceIndex>, errno: i32, times: u32) {
        lock().push(Planned { call, interface, errno, times });
    }

    /// Has nothing fail any more. Gives how often those that were planned would still have failed.
    pub fn clear() -> Vec<u32> {
        lock().drain(..).map(|planned| planned.times).collect()
    }

    /// The error that is planned for a call, if one is.
    pub(in crate::net) fn at(call: Call, interface: Option<InterfaceIndex>) -> io::Result<()> {
        let fits = |planned: &&mut Planned| {
            let here = planned.interface.is_none() || planned.interface == interface;
            planned.call == call && here && planned.times > 0
        };
        lock().iter_mut().find(fits).map_or(Ok(()), |planned| {
            planned.times -= 1;
            Err(io::Error::from_raw_os_error(planned.errno))
        })
    }
}
