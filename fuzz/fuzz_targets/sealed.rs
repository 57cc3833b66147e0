//! Who has no key is never heard, whatever it sends; what a friend seals is taken as the same unsealed would be; and what was sealed
//! and then changed is refused.

#![no_main]

use std::sync::{Arc, LazyLock};

use arbitrary::Arbitrary;
use lan_peers::discover::announcement::{Codec, Message, Refusal};
use lan_peers::discover::seal::{NONCE, Ring};
use libfuzzer_sys::fuzz_target;

const APP: &str = "chat";

/// One that seals with the second of our keys.
static FRIEND: LazyLock<Ring> = LazyLock::new(|| ring(&[2]));
static OURS: LazyLock<Codec> = LazyLock::new(|| Codec::sealed(APP, Arc::new(ring(&[1, 2]))));
static UNSEALED: LazyLock<Codec> = LazyLock::new(|| Codec::new(APP));

#[derive(Arbitrary, Debug)]
enum Datagram<'a> {
    /// Of somebody who knows nothing.
    Bytes(&'a [u8]),
    /// Of somebody who knows the form.
    Envelope { key: &'a str, sealed: &'a str },
    /// Of somebody who knows the name of the key, too.
    Named { sealed: &'a str },
    /// Of a friend.
    Sealed { text: &'a str },
    /// Of a friend, with one character of the box changed on the way.
    Altered { text: &'a str, at: usize, to: u8 },
    /// Of a friend, with a part of the box only.
    Cut { text: &'a str, length: usize },
}

fn ring(keys: &[u8]) -> Ring {
    let keys: Vec<_> = keys.iter().map(|byte| [*byte; 32].into()).collect();
    Ring::new(APP, &keys, || Some([7; NONCE]))
}

fn decode(key: &str, sealed: &str) -> Result<Message, Refusal> {
    OURS.decode(format!(r#"{{"lan-peers":{{"v":1,"key":"{key}","box":"{sealed}"}}}}"#).as_bytes())
}

fn seal(text: &str) -> (&str, String) {
    FRIEND.seal(text).expect("there are a key and a nonce")
}

fuzz_target!(|datagram: Datagram<'_>| {
    const BASE64: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=";
    match datagram {
        Datagram::Bytes(bytes) => assert!(OURS.decode(bytes).is_err()),
        Datagram::Envelope { key, sealed } => assert!(decode(key, sealed).is_err()),
        Datagram::Named { sealed } => assert!(decode(seal("").0, sealed).is_err()),
        Datagram::Sealed { text } => {
            let (key, sealed) = seal(text);
            let opened = decode(key, &sealed);
            match UNSEALED.decode(text.as_bytes()) {
                Ok(Message::Announcement(said)) if said.at.is_some() => {
                    assert_eq!(opened, Ok(Message::Announcement(said)));
                }
                Ok(_) => assert_eq!(opened, Err(Refusal::Malformed)),
                // A box in a box: there is another reading of it for each.
                Err(Refusal::Sealed) => {}
                Err(refusal) => assert_eq!(opened, Err(refusal)),
            }
        }
        Datagram::Altered { text, at, to } => {
            let (key, sealed) = seal(text);
            let mut bytes = sealed.into_bytes();
            let at = at % bytes.len();
            let before = bytes[at];
            bytes[at] = BASE64[usize::from(to) % BASE64.len()];
            if bytes[at] != before {
                let sealed = String::from_utf8(bytes).expect("Base64 is ASCII");
                assert_eq!(decode(key, &sealed), Err(Refusal::Foreign));
            }
        }
        Datagram::Cut { text, length } => {
            let (key, sealed) = seal(text);
            assert_eq!(decode(key, &sealed[..length % sealed.len()]), Err(Refusal::Foreign));
        }
    }
});
