//! Linux: ip(7), recvmmsg(2), rtnetlink(7).

mod clock;
mod interfaces;
mod monitor;
mod options;
mod poller;
mod receive;
mod send;

pub use super::unix::{Monitor, errno, interface_index, interfaces};
pub(super) use super::unix::{
    address_for, bind_free, join, join_source, leave, leave_source, prepare_listening, send_by_interface,
    tell_packet_info,
};
pub use clock::suspended;
pub(super) use interfaces::{AddressStates, is_for_the_system, netmask_length};
pub(super) use monitor::{subscribe, take_in};
pub(super) use options::{
    bind_shared, drops, hear_own_groups_only, join_v4, leave_v4, must_join_to_send, prepare_sending,
    route_by_interface, set_receive_buffer, share_port,
};
pub(super) use poller::Poller;
pub use receive::Datagrams;
pub(super) use send::{most_together, send_together};
