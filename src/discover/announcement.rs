//! What `discover` puts on the wire, and what it makes of what comes: docs/protocol.md. Total: whatever the bytes, the
//! answer is a [`Message`] or a [`Refusal`].

use std::borrow::Cow;
use std::fmt;
use std::str;
use std::sync::Arc;
use std::time::Duration;

use serde::de::{Deserializer, Error as _, MapAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;

use super::seal::{Ring, box_length};

/// The key of everything that is not the user's.
pub const RESERVED: &str = "lan-peers";

/// The version of the protocol.
const VERSION: u64 = 1;

/// The longest id, in characters.
pub const MAX_ID: usize = 64;

/// What the ids of peers that are [`Message::Plain`] begin with, and no other.
pub const PLAIN: &str = "plain:";

/// Deeper nesting than this is malformed: nobody means it, and code that walks it may recurse.
const MAX_DEPTH: usize = 64;

/// The steady interval, whatever is told, is within these.
const INTERVALS: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(600));

/// What somebody who takes part says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Announcement {
    /// Who.
    pub id: Box<str>,
    /// When it started, in milliseconds since 1970: tells a restart from a late packet.
    pub boot: u64,
    /// From 1, one more with each announcement; copies bear the same.
    pub seq: u64,
    /// The steady interval.
    pub every: Duration,
    /// How many peers it knows, itself included.
    pub known: u64,
    /// Whether, and where, it wants to be answered.
    pub ask: Option<Ask>,
    /// When it was sent, in milliseconds since 1970: told by sealed ones, and by them always.
    pub at: Option<u64>,
    /// What it announces, or that it goes.
    pub says: Says,
}

/// What an announcement is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Says {
    /// It is there, with this: the JSON of an object.
    Data(Box<str>),
    /// It goes.
    Bye,
}

/// How an announcement wants to be answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ask {
    /// To the socket that it came from.
    Directly,
    /// To the group.
    Group,
}

/// What a datagram may hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// Of somebody who takes part.
    Announcement(Announcement),
    /// A bare JSON object, as programs without this protocol send.
    Plain(Box<str>),
}

/// Why a datagram is none of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Not UTF-8, not a JSON object, nested too deep, or without what an announcement must have.
    Malformed,
    /// Of a later version of the protocol.
    Version,
    /// Of another `app`.
    OtherApp,
    /// Sealed, and there is no key.
    Sealed,
    /// Not sealed, and there is a key.
    Unsealed,
    /// Sealed with a key that is not there, or by somebody who has none.
    Foreign,
}

/// Writes and reads announcements of one `app`, sealed if there are keys.
#[derive(Clone, Debug)]
pub struct Codec {
    app: Box<str>,
    ring: Option<Arc<Ring>>,
}

impl Codec {
    /// For an `app`, which may be empty.
    pub fn new(app: &str) -> Self {
        Self { app: app.into(), ring: None }
    }

    /// The same with keys, which are for this `app`.
    pub fn sealed(app: &str, ring: Arc<Ring>) -> Self {
        Self { app: app.into(), ring: Some(ring) }
    }

    /// Whether what it reads was sealed by somebody who has a key.
    pub fn is_sealed(&self) -> bool {
        self.ring.is_some()
    }

    /// Whether it has no key yet.
    pub fn is_locked(&self) -> bool {
        self.ring.as_ref().is_some_and(|ring| ring.is_empty())
    }

    /// Has it use these keys from now on, which are for its `app`.
    pub fn unlock(&mut self, ring: Arc<Ring>) {
        self.ring = Some(ring);
    }

    /// An announcement as a datagram; `None` if it is to be sealed and cannot be.
    pub fn encode(&self, announcement: &Announcement) -> Option<Vec<u8>> {
        let text = self.text(announcement);
        let Some(ring) = &self.ring else { return Some(text.into_bytes()) };
        let (key, sealed) = ring.seal(&text)?;
        Some(format!(r#"{{"{RESERVED}":{{"v":{VERSION},"key":"{key}","box":"{sealed}"}}}}"#).into_bytes())
    }

    fn text(&self, announcement: &Announcement) -> String {
        let Announcement { id, boot, seq, every, known, ask, at, says } = announcement;
        let every = every.clamp(&INTERVALS.0, &INTERVALS.1).as_millis();
        let mut text = format!(
            r#"{{"{RESERVED}":{{"v":{VERSION},"id":{},"boot":{boot},"seq":{seq},"every":{every},"n":{known}"#,
            quoted(id)
        );
        if !self.app.is_empty() {
            text += &format!(r#","app":{}"#, quoted(&self.app));
        }
        text += match ask {
            None => "",
            Some(Ask::Directly) => r#","ask":true"#,
            Some(Ask::Group) => r#","ask":"group""#,
        };
        if let Some(at) = at {
            text += &format!(r#","t":{at}"#);
        }
        match says {
            Says::Bye => text += r#","bye":true}}"#,
            Says::Data(data) => {
                text.push('}');
                let inside = data.trim_start().strip_prefix('{').unwrap_or("}").trim_start();
                if !inside.starts_with('}') {
                    text.push(',');
                }
                text += inside;
            }
        }
        text
    }

    /// What a datagram holds.
    pub fn decode(&self, bytes: &[u8]) -> Result<Message, Refusal> {
        let (text, Parts { head, data }) = parts(bytes)?;
        let Some(head) = head else {
            return if self.is_sealed() {
                Err(Refusal::Unsealed)
            } else {
                Ok(Message::Plain(text.trim().into()))
            };
        };
        let head = fields(head)?;
        let Some(sealed) = head.get("box") else {
            let announcement = self.announcement(&head, data)?;
            return if self.is_sealed() {
                Err(Refusal::Unsealed)
            } else {
                Ok(Message::Announcement(announcement))
            };
        };
        let ring = self.ring.as_ref().ok_or(Refusal::Sealed)?;
        let (key, sealed) =
            head.get("key").and_then(Value::as_str).zip(sealed.as_str()).ok_or(Refusal::Malformed)?;
        let opened = ring.open(key, sealed).ok_or(Refusal::Foreign)?;
        let (_, Parts { head, data }) = parts(&opened)?;
        let head = fields(head.ok_or(Refusal::Malformed)?)?;
        let announcement = self.announcement(&head, data)?;
        // Without it nobody could tell a copy of long ago.
        if announcement.at.is_none() {
            return Err(Refusal::Malformed);
        }
        Ok(Message::Announcement(announcement))
    }

    fn announcement(&self, head: &Value, data: String) -> Result<Announcement, Refusal> {
        let number = |name| head.get(name).and_then(Value::as_u64).ok_or(Refusal::Malformed);
        let app = head.get("app").map_or(Some(""), Value::as_str).ok_or(Refusal::Malformed)?;
        if *app != *self.app {
            return Err(Refusal::OtherApp);
        }
        let id = head.get("id").and_then(Value::as_str).filter(|id| is_id(id)).ok_or(Refusal::Malformed)?;
        let every = Duration::from_millis(number("every")?).clamp(INTERVALS.0, INTERVALS.1);
        Ok(Announcement {
            id: id.into(),
            boot: number("boot")?,
            seq: number("seq")?,
            every,
            known: number("n")?,
            ask: match head.get("ask") {
                Some(Value::Bool(true)) => Some(Ask::Directly),
                Some(Value::String(whom)) if whom == "group" => Some(Ask::Group),
                _ => None,
            },
            at: head.get("t").map(|at| at.as_u64().ok_or(Refusal::Malformed)).transpose()?,
            says: match head.get("bye") {
                Some(Value::Bool(true)) => Says::Bye,
                _ => Says::Data(data.into()),
            },
        })
    }
}

/// Whether a text may be an id: one that a user has chosen, or has come over the network.
pub fn is_id(id: &str) -> bool {
    (1..=MAX_ID).contains(&id.chars().count()) && !id.starts_with(PLAIN)
}

/// Whether the text of an object may be announced: JSON, an object, nested no deeper than is taken in, and without
/// the reserved key.
pub fn is_announceable(data: &str) -> bool {
    matches!(Codec::new("").decode(data.as_bytes()), Ok(Message::Plain(_)))
}

/// How long an announcement of this can become, in bytes.
pub fn longest(app: &str, id: &str, data: &str, is_sealed: bool) -> usize {
    let announcement = Announcement {
        id: id.into(),
        boot: u64::MAX,
        seq: u64::MAX,
        every: INTERVALS.1,
        known: u64::MAX,
        ask: Some(Ask::Group),
        at: is_sealed.then_some(u64::MAX),
        says: Says::Data(data.into()),
    };
    let text = Codec::new(app).text(&announcement).len();
    if is_sealed { SEALED.len() + box_length(text) } else { text }
}

/// What stands around a box.
const SEALED: &str = r#"{"lan-peers":{"v":1,"key":"00000000","box":""}}"#;

/// The parts of a datagram, and its text.
fn parts(bytes: &[u8]) -> Result<(&str, Parts<'_>), Refusal> {
    let text = str::from_utf8(bytes).map_err(|_| Refusal::Malformed)?;
    if !is_nested_within(text, MAX_DEPTH) {
        return Err(Refusal::Malformed);
    }
    let mut json = serde_json::Deserializer::from_str(text);
    let parts = json.deserialize_map(Parts::default()).map_err(|_| Refusal::Malformed)?;
    json.end().map_err(|_| Refusal::Malformed)?;
    Ok((text, parts))
}

/// What stands under the reserved key, of a version that is known.
fn fields(head: &RawValue) -> Result<Value, Refusal> {
    let head: Value = serde_json::from_str(head.get()).map_err(|_| Refusal::Malformed)?;
    match head.get("v").and_then(Value::as_u64) {
        Some(VERSION) => Ok(head),
        None | Some(0) => Err(Refusal::Malformed),
        Some(_) => Err(Refusal::Version),
    }
}

/// A text as JSON.
pub(crate) fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

/// Whether no array or object is nested deeper than this, the outermost counting one. What is no JSON may be anything.
fn is_nested_within(text: &str, most: usize) -> bool {
    let mut depth = 0_usize;
    let mut in_string = false;
    let mut escaped = false;
    for byte in text.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            _ if in_string => {}
            b'[' | b'{' => depth += 1,
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > most {
            return false;
        }
    }
    true
}

/// The parts of a JSON object: what is under the reserved key, and the rest, each value as it was written.
#[derive(Default)]
struct Parts<'a> {
    head: Option<&'a RawValue>,
    data: String,
}

impl<'de> Visitor<'de> for Parts<'de> {
    type Value = Self;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<Self, A::Error> {
        while let Some(key) = map.next_key::<&RawValue>()? {
            if is_reserved(key.get()) {
                if self.head.replace(map.next_value()?).is_some() {
                    return Err(A::Error::custom("the reserved key comes twice"));
                }
                continue;
            }
            let value: &RawValue = map.next_value()?;
            self.data.push(if self.data.is_empty() { '{' } else { ',' });
            self.data += key.get();
            self.data.push(':');
            self.data += value.get();
        }
        self.data += if self.data.is_empty() { "{}" } else { "}" };
        Ok(self)
    }
}

/// Whether a key, as it is written, is the reserved one, which may be written with escapes.
fn is_reserved(key: &str) -> bool {
    serde_json::from_str::<Cow<'_, str>>(key).is_ok_and(|key| key == RESERVED)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hello() -> Announcement {
        Announcement {
            id: "ada".into(),
            boot: 1_795_464_000_123,
            seq: 17,
            every: Duration::from_secs(2),
            known: 4,
            ask: None,
            at: None,
            says: Says::Data(r#"{"username":"ada"}"#.into()),
        }
    }

    fn decode(text: &str) -> Result<Message, Refusal> {
        Codec::new("chat").decode(text.as_bytes())
    }

    /// With these fields in place of those of a right one.
    fn with(fields: &str) -> Result<Message, Refusal> {
        decode(&format!(
            r#"{{"lan-peers":{{"v":1,"id":"a","boot":1,"seq":1,"every":1000,"n":1,"app":"chat",{fields}}}}}"#
        ))
    }

    #[test]
    fn is_written_as_the_protocol_says() {
        let text = |announcement: &Announcement, app| {
            String::from_utf8(Codec::new(app).encode(announcement).unwrap()).unwrap()
        };
        assert_eq!(
            text(&hello(), "chat"),
            r#"{"lan-peers":{"v":1,"id":"ada","boot":1795464000123,"seq":17,"every":2000,"n":4,"app":"chat"},"username":"ada"}"#
        );
        let asking = Announcement { ask: Some(Ask::Directly), says: Says::Data("{}".into()), ..hello() };
        assert_eq!(
            text(&asking, ""),
            r#"{"lan-peers":{"v":1,"id":"ada","boot":1795464000123,"seq":17,"every":2000,"n":4,"ask":true}}"#
        );
        let bye = Announcement { ask: Some(Ask::Group), says: Says::Bye, id: "\"".into(), ..hello() };
        assert_eq!(
            text(&bye, ""),
            r#"{"lan-peers":{"v":1,"id":"\"","boot":1795464000123,"seq":17,"every":2000,"n":4,"ask":"group","bye":true}}"#
        );
    }

    #[test]
    fn what_is_written_is_read() {
        for ask in [None, Some(Ask::Directly), Some(Ask::Group)] {
            for says in [r"{}", r#"{"a":[1,2.50,"\u00e9\ud800"],"b":{"lan-peers":1}}"#]
                .map(|data| Says::Data(data.into()))
                .into_iter()
                .chain([Says::Bye])
            {
                for app in ["", "chat", "a \"b\" \n"] {
                    let codec = Codec::new(app);
                    let announcement = Announcement { ask, says: says.clone(), ..hello() };
                    let read = codec.decode(&codec.encode(&announcement).unwrap());
                    assert_eq!(read, Ok(Message::Announcement(announcement)));
                }
            }
        }
    }

    #[test]
    fn with_keys_it_is_sealed_and_nothing_else_is_read() {
        let ring = |app: &str, key| Arc::new(Ring::new(app, &[[key; 32].into()], || Some([7; 24])));
        let codec = Codec::sealed("chat", ring("chat", 1));
        let announcement = Announcement { at: Some(1_795_464_000_124), ..hello() };
        let datagram = codec.encode(&announcement).unwrap();
        let text = str::from_utf8(&datagram).unwrap();
        assert!(text.starts_with(r#"{"lan-peers":{"v":1,"key":""#) && !text.contains("ada"), "{text}");
        assert_eq!(codec.decode(&datagram), Ok(Message::Announcement(announcement.clone())));
        assert_eq!(Codec::new("chat").decode(&datagram), Err(Refusal::Sealed));
        assert_eq!(Codec::sealed("chat", ring("chat", 2)).decode(&datagram), Err(Refusal::Foreign));
        assert_eq!(Codec::sealed("game", ring("game", 1)).decode(&datagram), Err(Refusal::Foreign));

        let open = Codec::new("chat").encode(&announcement).unwrap();
        assert_eq!(codec.decode(&open), Err(Refusal::Unsealed));
        assert_eq!(codec.decode(b"{}"), Err(Refusal::Unsealed));
        assert_eq!(codec.decode(&Codec::new("game").encode(&announcement).unwrap()), Err(Refusal::OtherApp));
        let undated = codec.encode(&hello()).unwrap();
        assert_eq!(codec.decode(&undated), Err(Refusal::Malformed));
        for wrong in [
            r#"{"lan-peers":{"v":1,"box":"AAAA"}}"#,
            r#"{"lan-peers":{"v":1,"key":"00000000","box":1}}"#,
            r#"{"lan-peers":{"v":1,"key":0,"box":"AAAA"}}"#,
        ] {
            assert_eq!(codec.decode(wrong.as_bytes()), Err(Refusal::Malformed), "{wrong}");
        }
        let by_friends = ring("chat", 1);
        for text in ["", "{}", "[]", r#"{"lan-peers":{"v":1,"app":"chat"}}"#] {
            let (key, sealed) = by_friends.seal(text).unwrap();
            let datagram = format!(r#"{{"lan-peers":{{"v":1,"key":"{key}","box":"{sealed}"}}}}"#);
            assert_eq!(codec.decode(datagram.as_bytes()), Err(Refusal::Malformed), "{text}");
        }
    }

    #[test]
    fn it_is_known_how_long_an_announcement_can_become() {
        let ring = Arc::new(Ring::new("chat", &[[1; 32].into()], || Some([7; 24])));
        for (codec, is_sealed) in [(Codec::new("chat"), false), (Codec::sealed("chat", ring), true)] {
            let longest = longest("chat", "ada", r#"{"a":1}"#, is_sealed);
            let most = Announcement {
                boot: u64::MAX,
                seq: u64::MAX,
                every: Duration::MAX,
                known: u64::MAX,
                ask: Some(Ask::Group),
                at: is_sealed.then_some(u64::MAX),
                says: Says::Data(r#"{"a":1}"#.into()),
                ..hello()
            };
            assert_eq!(codec.encode(&most).unwrap().len(), longest);
        }
    }

    #[test]
    fn the_reserved_key_may_stand_anywhere_and_be_written_in_any_way() {
        let head = r#"{"v":1,"id":"a","boot":1,"seq":1,"every":1000,"n":1,"app":"chat","other":[{}]}"#;
        for text in [
            format!(r#"{{"a":1,"lan-peers":{head},"b":2}}"#),
            format!(r#" {{ "a":1 , "\u006can-peers" : {head} , "b":2 }} "#),
        ] {
            let Ok(Message::Announcement(read)) = decode(&text) else { panic!("{text}") };
            assert_eq!(read.says, Says::Data(r#"{"a":1,"b":2}"#.into()));
        }
        let twice = format!(r#"{{"lan-peers":{head},"\u006can-peers":{head}}}"#);
        assert_eq!(decode(&twice), Err(Refusal::Malformed));
    }

    #[test]
    fn data_is_the_users_whatever_its_keys_are() {
        for data in [
            r#"{"__proto__":{"a":1},"constructor":2,"\u005f_proto__":3,"":4}"#,
            r#"{"a":1,"a":2}"#,
            r#"{"lone \ud800":1}"#,
            r#"{"huge":1e999,"long":123456789012345678901234567890}"#,
        ] {
            assert_eq!(decode(data), Ok(Message::Plain(data.into())));
            assert!(is_announceable(data), "{data}");
            let announcement = Announcement { says: Says::Data(data.into()), ..hello() };
            let codec = Codec::new("chat");
            assert_eq!(
                codec.decode(&codec.encode(&announcement).unwrap()),
                Ok(Message::Announcement(announcement))
            );
        }
        for data in ["[]", "1", "", r#"{"lan-peers":1}"#, r#"{"\u006can-peers":{}}"#, "{\"a\":1}{}"] {
            assert!(!is_announceable(data), "{data}");
        }
    }

    #[test]
    fn what_is_wrong_is_refused() {
        let nested = |depth: usize| format!("{}1{}", r#"{"a":"#.repeat(depth), "}".repeat(depth));
        assert!(matches!(decode(&nested(MAX_DEPTH)), Ok(Message::Plain(_))));
        let brackets = "[".repeat(64 << 10);
        for text in [
            "",
            " ",
            "null",
            "1",
            "[]",
            "\"a\"",
            "{",
            "{}x",
            "{'a':1}",
            "{\"a\":}",
            "\u{feff}{}",
            &nested(MAX_DEPTH + 1),
            &brackets,
            &format!("{{\"a\":{brackets}"),
            r#"{"lan-peers":1}"#,
            r#"{"lan-peers":{}}"#,
            r#"{"lan-peers":[1]}"#,
            r#"{"lan-peers":null}"#,
            r#"{"lan-peers":{"v":1,"app":"chat"}}"#,
            r#"{"lan-peers":{"v":0}}"#,
            r#"{"lan-peers":{"v":"1"}}"#,
        ] {
            assert_eq!(decode(text), Err(Refusal::Malformed), "{text:.80}");
        }
        assert_eq!(Codec::new("").decode(b"{\"a\":\"\xff\"}"), Err(Refusal::Malformed));
        assert_eq!(decode(r#"{"lan-peers":{"v":2,"what":"ever"}}"#), Err(Refusal::Version));
        assert_eq!(decode(r#"{"lan-peers":{"v":1,"key":"00","box":"AA"}}"#), Err(Refusal::Sealed));
        assert_eq!(with(r#""app":"other""#), Err(Refusal::OtherApp));
        for wrong in [
            r#""id":"""#,
            r#""id":1"#,
            r#""id":"plain:1""#,
            r#""boot":-1"#,
            r#""boot":1.5"#,
            r#""boot":1e999"#,
            r#""seq":"1""#,
            r#""every":null"#,
            r#""n":18446744073709551616"#,
            r#""app":1"#,
        ] {
            assert_eq!(with(wrong), Err(Refusal::Malformed), "{wrong}");
        }
        assert_eq!(with(&format!(r#""id":"{}""#, "é".repeat(MAX_ID + 1))), Err(Refusal::Malformed));
        assert!(with(&format!(r#""id":"{}""#, "é".repeat(MAX_ID))).is_ok());
    }

    #[test]
    fn what_is_not_understood_is_left_out() {
        for odd in
            [r#""ask":false"#, r#""ask":"all""#, r#""bye":1"#, r#""bye":false"#, r#""other":{"deep":[]}"#]
        {
            let Ok(Message::Announcement(read)) = with(odd) else { panic!("{odd}") };
            assert_eq!((read.ask, read.says), (None, Says::Data("{}".into())));
        }
    }

    #[test]
    fn intervals_are_clamped() {
        for (told, taken) in [("0", 100), ("99", 100), ("18446744073709551615", 600_000)] {
            let Ok(Message::Announcement(read)) = with(&format!(r#""every":{told}"#)) else {
                panic!("{told}")
            };
            assert_eq!(read.every, Duration::from_millis(taken));
        }
    }
}
