//! macOS: ip(4), ip6(4), route(4), and the sources of its kernel, XNU.

mod clock;
mod interfaces;
mod monitor;
mod options;
mod receive;

pub use super::one_by_one::Datagrams;
pub(super) use super::one_by_one::{most_together, send_together};
pub(super) use super::portable_poller::Poller;
pub use super::unix::{Monitor, errno, interface_index, interfaces};
pub(super) use super::unix::{
    address_for, bind_free, join, leave, leave_source, prepare_listening, send_by_interface, tell_packet_info,
};
pub use clock::suspended;
pub(super) use interfaces::{AddressStates, is_for_the_system, netmask_length};
pub(super) use monitor::{subscribe, take_in};
pub(super) use options::{
    bind_shared, drops, hear_own_groups_only, join_source, join_v4, leave_v4, must_join_to_send,
    prepare_sending, route_by_interface, set_receive_buffer, share_port,
};
pub(super) use receive::receive;
