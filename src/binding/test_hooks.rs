//! What tests need to reach inside for. Only in a build with the feature `test-hooks`, which binding.d.ts does not
//! describe.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicI64, Ordering};

use napi_derive::napi;

use crate::engine::process;

/// Plants a panic in the engine, if one runs.
#[napi(catch_unwind)]
pub fn make_the_engine_panic() {
    process::make_the_engine_panic();
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
