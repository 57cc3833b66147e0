//! Whatever happens to a table it is in order, and who is told of it knows it.

#![no_main]

#[path = "../../tests/properties/trial.rs"]
mod trial;

use libfuzzer_sys::fuzz_target;

use trial::{Event, Trial};

fuzz_target!(|case: (u8, Vec<Event>)| {
    let (room, events) = case;
    let mut trial = Trial::new(usize::from(room) % 40 + 1);
    for event in &events {
        trial.happens(event);
    }
    trial.falls_silent();
});
