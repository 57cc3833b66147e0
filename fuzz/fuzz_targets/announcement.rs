//! Whatever the bytes of a datagram, there is an answer; what is taken for an announcement can be said again, and is the same then.

#![no_main]

use lan_peers::discover::announcement::{Codec, Message, Refusal, Says, is_announceable, is_id, longest};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    for app in ["", "chat"] {
        let codec = Codec::new(app);
        match codec.decode(bytes) {
            Ok(Message::Announcement(heard)) => {
                assert!(is_id(&heard.id));
                let data = match &heard.says {
                    Says::Data(data) => data,
                    Says::Bye => "{}",
                };
                assert!(is_announceable(data));
                let again = codec.encode(&heard).expect("only what is sealed may fail");
                assert!(again.len() <= longest(app, &heard.id, data, heard.at.is_some()));
                assert_eq!(codec.decode(&again), Ok(Message::Announcement(heard)));
            }
            Ok(Message::Plain(data)) => {
                assert!(is_announceable(&data));
                assert_eq!(codec.decode(data.as_bytes()), Ok(Message::Plain(data)));
            }
            Err(refusal) => {
                assert!(!matches!(refusal, Refusal::Unsealed | Refusal::Foreign), "there is no key");
                assert!(!str::from_utf8(bytes).is_ok_and(is_announceable));
            }
        }
    }
});
