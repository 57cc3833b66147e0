//! Linux: netdevice(7), ip(7), recvmmsg(2).

mod interfaces;
mod options;
mod receive;

pub use interfaces::{interface_index, interfaces};
pub(super) use options::{
    drops, join_source, leave_source, prepare_listening, send_by_interface, set_receive_buffer,
};
pub use receive::Datagrams;
