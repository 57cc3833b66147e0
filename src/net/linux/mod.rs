//! Linux: netdevice(7), ip(7), recvmmsg(2).

mod interfaces;
mod options;
mod receive;

pub use interfaces::interfaces;
pub(super) use options::{drops, prepare_listening, set_multicast_interface, set_receive_buffer};
pub use receive::Datagrams;
