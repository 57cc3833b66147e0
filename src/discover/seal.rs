//! Sealed announcements: nobody without a key can read one, make one, or change one. XChaCha20-Poly1305
//! (draft-irtf-cfrg-xchacha-03), with a nonce drawn for each.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use chacha20poly1305::aead::{Aead, Payload};
use chacha20poly1305::{KeyInit, XChaCha20Poly1305, XNonce};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

/// The length of a key in bytes.
pub const KEY: usize = 32;

/// The length of a nonce in bytes.
pub const NONCE: usize = 24;

/// What is added to a text by its tag, in bytes.
const TAG: usize = 16;

/// A key, which is wiped when it is dropped.
pub type Key = Zeroizing<[u8; KEY]>;

/// Draws a nonce; `None` if the system has no chance to draw from, and then nothing can be sealed.
pub type Nonces = fn() -> Option<[u8; NONCE]>;

/// The keys of those who take part: the first seals, all open.
pub struct Ring {
    keys: Vec<NamedKey>,
    /// What is sealed for one `app` is for no other.
    associated: Box<[u8]>,
    nonces: Nonces,
}

struct NamedKey {
    /// Eight hexadecimal digits.
    name: String,
    cipher: XChaCha20Poly1305,
}

impl Ring {
    /// For an `app`. Without a key it seals and opens nothing.
    pub fn new(app: &str, keys: &[Key], nonces: Nonces) -> Self {
        let named =
            |key: &Key| NamedKey { name: name(app, key), cipher: XChaCha20Poly1305::new((&**key).into()) };
        let associated = format!("lan-peers/1\0{app}").into_bytes().into();
        Self { keys: keys.iter().map(named).collect(), associated, nonces }
    }

    /// Whether there is no key.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Seals a text: the name of the key, and the box. `None` if there is no key, or no nonce can be had.
    pub fn seal(&self, text: &str) -> Option<(&str, String)> {
        let key = self.keys.first()?;
        Some((&key.name, self.seal_with(key, (self.nonces)()?, text)?))
    }

    fn seal_with(&self, key: &NamedKey, nonce: [u8; NONCE], text: &str) -> Option<String> {
        let payload = Payload { msg: text.as_bytes(), aad: &self.associated };
        // It fails for more than 256 GiB.
        let sealed = key.cipher.encrypt(&XNonce::from(nonce), payload).ok()?;
        Some(BASE64.encode([&nonce[..], &sealed].concat()))
    }

    /// Opens a box that was sealed with the key of this name; `None` if it cannot be.
    pub fn open(&self, name: &str, sealed: &str) -> Option<Vec<u8>> {
        let mut keys = self.keys.iter().filter(|key| key.name == name).peekable();
        keys.peek()?;
        let bytes = BASE64.decode(sealed).ok()?;
        let (nonce, text) = bytes.split_first_chunk::<NONCE>()?;
        let payload = || Payload { msg: text, aad: &self.associated };
        keys.find_map(|key| key.cipher.decrypt(&XNonce::from(*nonce), payload()).ok())
    }
}

impl fmt::Debug for Ring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Ring({} keys)", self.keys.len())
    }
}

/// How long the box of a text of so many bytes is.
pub fn box_length(text: usize) -> usize {
    (NONCE + text + TAG).div_ceil(3) * 4
}

/// The name of a key: what tells it from others, and nothing of it.
fn name(app: &str, key: &Key) -> String {
    let hash = Sha256::new().chain_update("lan-peers key id\0").chain_update(app).chain_update([0]);
    let hash = hash.chain_update(key.as_slice()).finalize();
    hash[..4].iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONCES: Nonces = || Some([7; NONCE]);

    fn key(byte: u8) -> Key {
        Zeroizing::new([byte; KEY])
    }

    #[test]
    fn what_is_sealed_is_opened_by_whoever_has_the_key() {
        let old = Ring::new("chat", &[key(1)], NONCES);
        let both = Ring::new("chat", &[key(2), key(1)], NONCES);
        let new = Ring::new("chat", &[key(2)], NONCES);
        for text in ["", "hello", &"x".repeat(10_000)] {
            let (name, sealed) = old.seal(text).unwrap();
            assert_eq!((name.len(), sealed.len()), (8, box_length(text.len())));
            assert_eq!(both.open(name, &sealed).as_deref(), Some(text.as_bytes()));
            assert_eq!(new.open(name, &sealed), None);
            let (name, sealed) = both.seal(text).unwrap();
            assert_eq!(new.open(name, &sealed).as_deref(), Some(text.as_bytes()));
            assert_eq!(old.open(name, &sealed), None);
        }
    }

    #[test]
    fn nothing_else_is_opened() {
        let ring = Ring::new("chat", &[key(1)], NONCES);
        let (name, sealed) = ring.seal("hello").unwrap();
        let bytes = BASE64.decode(&sealed).unwrap();
        for i in 0..bytes.len() {
            for bit in 0..8 {
                let mut changed = bytes.clone();
                changed[i] ^= 1 << bit;
                assert_eq!(ring.open(name, &BASE64.encode(changed)), None, "byte {i}, bit {bit}");
            }
        }
        for short in 0..bytes.len() {
            assert_eq!(ring.open(name, &BASE64.encode(&bytes[..short])), None, "{short} bytes");
        }
        for text in ["", "=", "no base64!", &sealed[1..], &format!("{sealed}=")] {
            assert_eq!(ring.open(name, text), None, "{text}");
        }
        for other in ["", "00000000", &name[1..]] {
            assert_eq!(ring.open(other, &sealed), None);
        }
        // For another app, though by the same key.
        let other = Ring::new("game", &[key(1)], NONCES);
        assert_eq!(other.open(name, &sealed), None);
        assert_eq!(other.open(&other.keys[0].name, &sealed), None);
    }

    #[test]
    fn it_is_the_seal_of_the_vectors_of_the_protocol() {
        let bytes = |text: &serde_json::Value| -> Vec<u8> {
            let pairs = text.as_str().unwrap().as_bytes().chunks(2);
            pairs.map(|pair| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
        };
        let vectors = serde_json::from_str(include_str!("../../docs/sealed-vectors.json"));
        let vectors: Vec<serde_json::Value> = vectors.unwrap();
        assert!(!vectors.is_empty());
        for vector in vectors {
            let text = |name: &str| vector[name].as_str().unwrap();
            let key = Key::new(bytes(&vector["key"]).try_into().unwrap());
            let ring = Ring::new(text("app"), &[key], NONCES);
            let datagram: serde_json::Value = serde_json::from_str(text("datagram")).unwrap();
            let head = &datagram["lan-peers"];
            let (name, sealed) = (head["key"].as_str().unwrap(), head["box"].as_str().unwrap());
            assert_eq!(ring.keys[0].name, name);
            assert_eq!(ring.open(name, sealed).as_deref(), Some(text("announcement").as_bytes()));
            let nonce = BASE64.decode(sealed).unwrap()[..NONCE].to_vec();
            assert_eq!(nonce, bytes(&vector["nonce"]));
            assert_eq!(
                ring.seal_with(&ring.keys[0], nonce.try_into().unwrap(), text("announcement")),
                Some(sealed.to_owned())
            );
        }
    }

    #[test]
    fn without_chance_nothing_is_sealed() {
        assert_eq!(Ring::new("", &[key(1)], || None).seal("hello"), None);
    }

    #[test]
    fn of_a_key_nothing_is_shown() {
        assert_eq!(format!("{:?}", Ring::new("", &[key(1), key(2)], NONCES)), "Ring(2 keys)");
    }
}
