//! What Linux and macOS have in common: netdevice(7), getifaddrs(3), recvmsg(2), RFC 3678.

pub mod errno;

mod clock;
mod interfaces;
mod message;
mod monitor;
mod options;

pub(super) use clock::clock;
pub use interfaces::{interface_index, interfaces};
pub(super) use message::{Control, packet_info, sender};
pub use monitor::Monitor;
pub(super) use options::{
    address_for, bind_free, join, join_source, leave, leave_source, prepare_listening, send_by_interface,
    set, tell_packet_info,
};
#[cfg(target_os = "macos")]
pub(super) use options::{join_group, leave_group};
