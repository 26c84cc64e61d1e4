//! Control frames: a little-endian `u32` length (1 to [`MAX_FRAME_BYTES`]) and a postcard body.

use serde::{Deserialize, Serialize, de::DeserializeOwned};

/// Bumped when either side would misunderstand the other.
pub const PROTOCOL: u16 = 4;

/// No frame is larger, whatever its length field says.
pub const MAX_FRAME_BYTES: usize = 64 << 10;

/// The first frame of every connection a worker makes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Opening {
    Control(Hello),
    /// A data connection, bound to the one-time token of a [`ToWorker::Dial`].
    Data {
        token: [u8; 16],
    },
}

/// Who the worker says it is. The nonce was given to it at start and works once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    pub protocol: u16,
    pub nonce: [u8; 32],
    /// Version of the worker binary, shown to the owner; at most 64 bytes are kept.
    pub version: String,
}

/// Gateway to worker, on the control connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum ToWorker {
    /// The hello was accepted.
    Welcome,
    Ping {
        seq: u64,
    },
    /// Open one more data connection and present this token on it, once.
    Dial {
        token: [u8; 16],
    },
    /// Finish nothing, start nothing, exit 0.
    Shutdown,
}

/// Worker to gateway, on the control connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum FromWorker {
    /// Answer to a ping: same `seq`, and how many requests are being worked on.
    Pong { seq: u64, busy: u32 },
}

/// Why bytes are no frame of ours.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    #[error("frame of {0} bytes is empty or over the limit")]
    Length(u32),
    #[error("frame body is not a known message")]
    Body,
}

/// Encodes a message with its length in front.
///
/// # Errors
/// [`FrameError::Length`] when the message does not fit into one frame.
pub fn encode<T: Serialize>(message: &T) -> Result<Vec<u8>, FrameError> {
    let body = postcard::to_stdvec(message).map_err(|_| FrameError::Body)?;
    let length = u32::try_from(body.len()).map_err(|_| FrameError::Length(u32::MAX))?;
    body_length(length.to_le_bytes())?;
    let mut out = Vec::with_capacity(4 + body.len());
    out.extend_from_slice(&length.to_le_bytes());
    out.extend_from_slice(&body);
    Ok(out)
}

/// Checks a length field before a single byte of the body is read or allocated.
///
/// # Errors
/// [`FrameError::Length`] for zero and for anything above [`MAX_FRAME_BYTES`].
pub fn body_length(field: [u8; 4]) -> Result<usize, FrameError> {
    let length = u32::from_le_bytes(field);
    match usize::try_from(length) {
        Ok(n) if (1..=MAX_FRAME_BYTES).contains(&n) => Ok(n),
        _ => Err(FrameError::Length(length)),
    }
}

/// Decodes a frame body; trailing bytes are refused.
///
/// # Errors
/// [`FrameError::Body`] when the bytes are not exactly one message.
pub fn decode<T: DeserializeOwned>(body: &[u8]) -> Result<T, FrameError> {
    match postcard::take_from_bytes(body) {
        Ok((message, [])) => Ok(message),
        _ => Err(FrameError::Body),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_survive_the_wire() {
        let hello = Opening::Control(Hello { protocol: PROTOCOL, nonce: [7; 32], version: "0.1.0".into() });
        let bytes = encode(&hello).unwrap();
        let length = body_length(bytes[..4].try_into().unwrap()).unwrap();
        assert_eq!(length, bytes.len() - 4);
        assert_eq!(decode::<Opening>(&bytes[4..]), Ok(hello));
    }

    #[test]
    fn strange_lengths_and_bodies_are_refused() {
        assert_eq!(body_length([0; 4]), Err(FrameError::Length(0)));
        assert_eq!(body_length(u32::MAX.to_le_bytes()), Err(FrameError::Length(u32::MAX)));
        assert!(body_length((MAX_FRAME_BYTES as u32 + 1).to_le_bytes()).is_err());
        assert_eq!(decode::<ToWorker>(&[99]), Err(FrameError::Body));
        let mut long = encode(&ToWorker::Welcome).unwrap()[4..].to_vec();
        long.push(0);
        assert_eq!(decode::<ToWorker>(&long), Err(FrameError::Body));
    }
}
