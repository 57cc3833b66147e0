//! Windows: Winsock and the IP Helper API.

pub mod errno;

mod clock;
mod interfaces;
mod monitor;
mod options;
mod receive;

pub use super::one_by_one::Datagrams;
pub(super) use super::one_by_one::{most_together, send_together};
pub(super) use super::portable_poller::Poller;
pub use clock::suspended;
pub use interfaces::{interface_index, interfaces};
pub use monitor::Monitor;
pub(super) use options::{
    address_for, bind_free, bind_shared, drops, join, join_source, leave, leave_source, must_join_to_send,
    prepare_listening, prepare_sending, send_by_interface, set_receive_buffer, tell_packet_info,
};
pub(super) use receive::receive;
