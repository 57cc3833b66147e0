//! What tests need to reach inside for. Only in a build with the feature `test-hooks`, which binding.d.ts does not
//! describe.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicI64, Ordering};

use napi::{Error, Result};
use napi_derive::napi;

use crate::engine::process;
use crate::net::faults::{self, Call};
use crate::net::interface_index;

/// Plants a panic in the engine, if one runs.
#[napi(catch_unwind)]
pub fn make_the_engine_panic() {
    process::make_the_engine_panic();
}

/// Has a call of the system fail with this error, a positive number, so many times; on one interface, if one is named.
#[napi(catch_unwind)]
pub fn plan_fault(call: String, errno: i32, times: u32, interface: Option<String>) -> Result<()> {
    let call = match &*call {
        "socket" => Call::Socket,
        "bind" => Call::Bind,
        "join" => Call::Join,
        "send" => Call::Send,
        "receive" => Call::Receive,
        "wait" => Call::Wait,
        "register" => Call::Register,
        "watch" => Call::Watch,
        "changes" => Call::Changes,
        "list" => Call::List,
        _ => return Err(Error::from_reason(format!("there is no call {call}"))),
    };
    let index = |name: String| {
        interface_index(&name).ok_or_else(|| Error::from_reason(format!("there is no {name}")))
    };
    faults::plan(call, interface.map(index).transpose()?, errno, times);
    Ok(())
}

/// Has no call fail any more. Gives how often those that were planned would still have failed.
#[napi]
pub fn clear_faults() -> Vec<u32> {
    faults::clear()
}

/// How many bytes this library has allocated and not freed.
#[napi]
pub fn allocated_bytes() -> i64 {
    ALLOCATED.load(Ordering::Relaxed)
}

static ALLOCATED: AtomicI64 = AtomicI64::new(0);

/// The system's allocator, counting.
struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

// SAFETY: all is done by the system's.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATED.fetch_add(layout.size() as i64, Ordering::Relaxed);
        // SAFETY: the caller's.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        ALLOCATED.fetch_sub(layout.size() as i64, Ordering::Relaxed);
        // SAFETY: the caller's.
        unsafe { System.dealloc(memory, layout) }
    }
}
