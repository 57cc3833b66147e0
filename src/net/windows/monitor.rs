//! Notices that interfaces and addresses change: NotifyIpInterfaceChange and NotifyUnicastIpAddressChange.

use std::ffi::c_void;
use std::io;
use std::mem;
use std::ptr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use polling::Event;
use polling::os::iocp::{CompletionPacket, PollerIocpExt};
use windows_sys::Win32::Foundation::{ERROR_SUCCESS, HANDLE};
use windows_sys::Win32::NetworkManagement::IpHelper::{
    CancelMibChangeNotify2, MIB_IPINTERFACE_ROW, MIB_NOTIFICATION_TYPE, MIB_UNICASTIPADDRESS_ROW,
    MibDeleteInstance, NotifyIpInterfaceChange, NotifyUnicastIpAddressChange,
};
use windows_sys::Win32::Networking::WinSock::AF_UNSPEC;

use crate::net::{Changes, InterfaceIndex, Poll};

/// Tells of changes through the poller.
pub struct Monitor {
    // Dropped before what its callbacks use.
    _subscriptions: [Subscription; 2],
    noticed: Arc<Noticed>,
}

/// What the callbacks, on threads of the system, leave for the engine.
struct Noticed {
    poll: Arc<Poll>,
    key: usize,
    changes: Mutex<Changes>,
}

/// A subscription, until it is dropped.
struct Subscription(HANDLE);

// SAFETY: the handle is a name by which any thread may cancel.
unsafe impl Send for Subscription {}

impl Monitor {
    /// Begins to notice changes: from now on `key` is reported as readable when there are some. On failure says
    /// which call failed.
    pub fn open(poll: &Arc<Poll>, key: usize) -> Result<Self, (&'static str, io::Error)> {
        let noticed = Arc::new(Noticed { poll: Arc::clone(poll), key, changes: Mutex::default() });
        let context = Arc::as_ptr(&noticed).cast::<c_void>();
        // SAFETY: the context outlives the subscriptions, and the callbacks take it for what it is.
        let interfaces = Subscription::new(|handle| unsafe {
            NotifyIpInterfaceChange(AF_UNSPEC, Some(interface_changed), context, false, handle)
        })
        .map_err(|error| ("NotifyIpInterfaceChange", error))?;
        // SAFETY: as above.
        let addresses = Subscription::new(|handle| unsafe {
            NotifyUnicastIpAddressChange(AF_UNSPEC, Some(address_changed), context, false, handle)
        })
        .map_err(|error| ("NotifyUnicastIpAddressChange", error))?;
        Ok(Self { _subscriptions: [interfaces, addresses], noticed })
    }

    /// Adds what has changed since the last time, without waiting.
    ///
    /// # Errors
    /// None.
    pub fn read(&mut self, changes: &mut Changes) -> io::Result<()> {
        let Changes { any, removed, missed } = mem::take(&mut *self.noticed.changes());
        changes.any |= any;
        changes.removed.extend(removed);
        changes.missed |= missed;
        Ok(())
    }
}

impl Noticed {
    fn changes(&self) -> MutexGuard<'_, Changes> {
        // Whoever panicked left at worst less than there was to tell.
        self.changes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes a change, and wakes the engine unless it has still to come for the last one.
    fn note(&self, removed: Option<InterfaceIndex>) {
        let mut changes = self.changes();
        changes.removed.extend(removed);
        if !mem::replace(&mut changes.any, true) {
            // Without the packet the change is found when the list is old.
            let _ = self.poll.poller.poller.post(CompletionPacket::new(Event::readable(self.key)));
        }
    }
}

impl Subscription {
    fn new(subscribe: impl FnOnce(*mut HANDLE) -> u32) -> io::Result<Self> {
        let mut handle = ptr::null_mut();
        match subscribe(&raw mut handle) {
            ERROR_SUCCESS => Ok(Self(handle)),
            error => Err(io::Error::from_raw_os_error(error.cast_signed())),
        }
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        // It waits for callbacks that run, so it must not be called by one: the engine's thread is none.
        // SAFETY: the handle came from a subscription and is cancelled once.
        unsafe { CancelMibChangeNotify2(self.0) };
    }
}

/// An interface came, went, or changed in one version of IP. One that went in one version alone is none the worse
/// for being joined again.
unsafe extern "system" fn interface_changed(
    context: *const c_void,
    row: *const MIB_IPINTERFACE_ROW,
    kind: MIB_NOTIFICATION_TYPE,
) {
    // SAFETY: the context is what the subscription was given, and the row is null or one that has its index.
    let (noticed, row) = unsafe { (&*context.cast::<Noticed>(), row.as_ref()) };
    let removed = row.filter(|_| kind == MibDeleteInstance).map(|row| InterfaceIndex(row.InterfaceIndex));
    noticed.note(removed);
}

/// An address came, went, or changed.
unsafe extern "system" fn address_changed(
    context: *const c_void,
    _row: *const MIB_UNICASTIPADDRESS_ROW,
    _kind: MIB_NOTIFICATION_TYPE,
) {
    // SAFETY: the context is what the subscription was given.
    unsafe { &*context.cast::<Noticed>() }.note(None);
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use windows_sys::Win32::NetworkManagement::IpHelper::{MibAddInstance, MibParameterNotification};

    use super::*;

    #[test]
    fn changes_wake_the_poller_and_are_told_once() {
        let poll = Arc::new(Poll::new().unwrap());
        let mut monitor = Monitor::open(&poll, 7).unwrap();
        let context = Arc::as_ptr(&monitor.noticed).cast();
        let row = MIB_IPINTERFACE_ROW { InterfaceIndex: 500_000, ..Default::default() };
        // SAFETY: as the system calls them.
        unsafe {
            address_changed(context, ptr::null(), MibAddInstance);
            interface_changed(context, &raw const row, MibParameterNotification);
        }
        let mut ready = Vec::new();
        poll.wait(&mut ready, Some(Duration::from_secs(10))).unwrap();
        assert_eq!(ready, [7], "two changes, one packet");
        let mut changes = Changes::default();
        monitor.read(&mut changes).unwrap();
        assert!(changes.any && !changes.missed && changes.removed.is_empty());
        // SAFETY: as above.
        unsafe { interface_changed(context, &raw const row, MibDeleteInstance) };
        poll.wait(&mut ready, Some(Duration::from_secs(10))).unwrap();
        assert_eq!(ready, [7]);
        monitor.read(&mut changes).unwrap();
        assert!(changes.removed.contains(&InterfaceIndex(500_000)));
    }
}
