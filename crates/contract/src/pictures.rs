//! What the worker and `loge-frames` promise each other.
//!
//! They share a `SOCK_SEQPACKET` pair. `loge-frames` says [`READY`] once; after that the worker
//! sends one [`Order`] per datagram together with two descriptors: the film, and one end of a
//! stream pair for the answer. On that stream come a [`Status`] as one byte, the bytes that belong
//! to it (a JPEG for `Ok`, words for the log for `Failed`), and an [`Ending`]. A stream that ends
//! without one means that `loge-frames` itself is gone. Whoever closes the stream, or its own half,
//! no longer wants the answer.

use crate::Status;
use serde::{Deserialize, Serialize};

/// The first datagram. The number changes with the meaning of anything here.
pub const READY: [u8; 8] = *b"frames-2";

/// No order is longer, encoded.
pub const MAX_ORDER_BYTES: usize = 1024;

/// One picture of one film, and what may be spent on it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    pub picture: Picture,
    /// Of the JPEG.
    pub max_bytes: u32,
    /// Seconds of processor time.
    pub cpu_s: u32,
    /// Address space, libraries included.
    pub memory_bytes: u64,
}

/// See [`crate::Job::Poster`] and [`crate::Job::Sheet`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Picture {
    Poster { picture_track: u32, moments_ms: Vec<u64>, width: u32 },
    Sheet { picture_track: u32, times_ms: Vec<u64>, tile_width: u32, tile_height: u32 },
}

impl Order {
    /// `None` for one that is too long to be meant.
    pub fn to_bytes(&self) -> Option<Vec<u8>> {
        postcard::to_stdvec(self).ok().filter(|bytes| bytes.len() <= MAX_ORDER_BYTES)
    }

    /// `None` for what is no order.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        if bytes.len() > MAX_ORDER_BYTES {
            return None;
        }
        let (order, rest) = postcard::take_from_bytes(bytes).ok()?;
        rest.is_empty().then_some(order)
    }
}

/// How the process that worked on a film came to its end. The last two bytes of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    Exited(u8),
    /// By this signal.
    Killed(u8),
}

impl Ending {
    pub const BYTES: usize = 2;

    pub const fn to_bytes(self) -> [u8; Self::BYTES] {
        match self {
            Self::Exited(code) => [b'e', code],
            Self::Killed(signal) => [b'k', signal],
        }
    }

    pub const fn from_bytes(bytes: [u8; Self::BYTES]) -> Option<Self> {
        match bytes {
            [b'e', code] => Some(Self::Exited(code)),
            [b'k', signal] => Some(Self::Killed(signal)),
            _ => None,
        }
    }
}

/// A whole answer. `None` where its ending is missing.
pub fn read_answer(bytes: &[u8]) -> Option<(Option<Status>, &[u8], Ending)> {
    let (said, ending) = bytes.split_last_chunk()?;
    let ending = Ending::from_bytes(*ending)?;
    let (status, rest) = said.split_first().map_or((None, said), |(status, rest)| (Status::from_byte(*status), rest));
    Some((status, rest, ending))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_survive_and_garbage_does_not() {
        let picture =
            Picture::Sheet { picture_track: 1, times_ms: vec![u64::MAX; 25], tile_width: 240, tile_height: 134 };
        let order = Order { picture, max_bytes: 138_000, cpu_s: 120, memory_bytes: 3 << 29 };
        let bytes = order.to_bytes().unwrap();
        assert_eq!(Order::from_bytes(&bytes), Some(order.clone()));
        assert_eq!(Order::from_bytes(&bytes[..bytes.len() - 1]), None);
        assert_eq!(Order::from_bytes(&[&bytes[..], &[0]].concat()), None);
        assert_eq!(Order::from_bytes(&[7; 40]), None);
        let picture = Picture::Poster { picture_track: 0, moments_ms: vec![u64::MAX; 200], width: 1 };
        assert_eq!(Order { picture, ..order }.to_bytes(), None);
    }

    #[test]
    fn answers_are_taken_apart_at_both_ends() {
        let whole = |said: &[u8], ending: Ending| [said, &ending.to_bytes()].concat();
        let ok = whole(&[0, 1, 2, 3], Ending::Exited(0));
        assert_eq!(read_answer(&ok), Some((Some(Status::Ok), &[1, 2, 3][..], Ending::Exited(0))));
        let killed = whole(&[], Ending::Killed(9));
        assert_eq!(read_answer(&killed), Some((None, &[][..], Ending::Killed(9))));
        assert_eq!(read_answer(&whole(&[99], Ending::Exited(1))), Some((None, &[][..], Ending::Exited(1))));
        assert_eq!((read_answer(&[]), read_answer(&[0]), read_answer(&[0, 1, 2])), (None, None, None));
    }
}
