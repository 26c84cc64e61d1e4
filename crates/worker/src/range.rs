//! Bytes of a file into a Unix stream: page references move, nothing is copied.

use crate::connection::ConnectionError;
use contract::Status;
use media::jail::OpenFile;
use rustix::{fs, io::Errno, net::sockopt};
use std::{num::NonZeroU64, os::unix::net::UnixStream};

/// One call moves at most this much, so that an end is noticed soon.
const CHUNK: u64 = 1 << 20;
/// What may wait in the socket for a gateway that is busy elsewhere. Above a few hundred KiB it
/// no longer saves CPU, and eight viewers' worth of it is kernel memory of this loge.
const SEND_BUFFER: usize = 512 << 10;
/// From here on a read is a film being watched, not a seek for an index.
const SEQUENTIAL: u64 = 4 << 20;

/// The system's own limit decides when it is lower.
pub fn widen(stream: &UnixStream) {
    let _ = sockopt::set_socket_send_buffer_size(stream, SEND_BUFFER);
}

/// The gateway takes offset and length from its own records; a range outside the file is its
/// mistake or a file that changed, and never a short answer.
pub fn check(open: &OpenFile, offset: u64, length: u64) -> Result<(), Status> {
    let inside = offset.checked_add(length).is_some_and(|end| end <= open.size_bytes);
    if inside && length > 0 { Ok(()) } else { Err(Status::Refused) }
}

/// Sends exactly `length` bytes, or ends the connection.
pub fn send(stream: &UnixStream, open: &OpenFile, offset: u64, length: u64) -> Result<(), ConnectionError> {
    if length >= SEQUENTIAL {
        // A hint: the kernel reads further ahead, which is what keeps a spinning disk spinning.
        let _ = fs::fadvise(&open.fd, offset, NonZeroU64::new(length), fs::Advice::Sequential);
    }
    let (mut at, mut left) = (offset, length);
    while left > 0 {
        let count = usize::try_from(left.min(CHUNK)).unwrap_or(usize::MAX);
        match fs::sendfile(stream, &open.fd, Some(&mut at), count) {
            Ok(0) => return Err(ConnectionError::Cut("the file ends before the range does")),
            Ok(sent) => left -= sent as u64,
            Err(Errno::INTR) => {}
            Err(Errno::PIPE | Errno::CONNRESET) => return Err(ConnectionError::Closed),
            Err(_) => return Err(ConnectionError::Cut("the file can not be read to the end of the range")),
        }
    }
    Ok(())
}
