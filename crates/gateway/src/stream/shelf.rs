//! A part of a file of our own on a stream, as if a worker sent it: versions that were made ahead
//! of time take the same way to the viewer as everything else.

use super::Lease;
use renditions::Slice;
use rustix::fs::sendfile;
use std::io;
use tokio::{io::Interest, net::UnixStream};

/// Read from the disk at once; a thread waits for no more than this.
const CHUNK: u64 = 1 << 20;

/// The stream ends with it: nothing is given back.
pub(super) struct Once;

impl Lease for Once {
    fn finish(self: Box<Self>, _: UnixStream) {}
}

/// Exactly `slice.length` bytes, unless the disk fails.
///
/// # Errors
/// When there are no descriptors left.
pub fn serve(slice: Slice) -> io::Result<(UnixStream, Box<dyn Lease>)> {
    let (ours, theirs) = UnixStream::pair()?;
    tokio::spawn(async move {
        if let Err(e) = feed(slice, theirs).await
            && !matches!(e.kind(), io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset)
        {
            tracing::warn!("a prepared version cannot be read: {e}");
        }
    });
    Ok((ours, Box::new(Once)))
}

/// Ends when everything is sent, or when whoever reads is gone.
async fn feed(slice: Slice, mut to: UnixStream) -> io::Result<()> {
    let Slice { file, offset, length } = slice;
    let (mut at, end) = (offset, offset + length);
    while at < end {
        to.writable().await?;
        let file = file.clone();
        // The disk may be slow; the runtime's threads must not wait for it.
        let moved = tokio::task::spawn_blocking(move || {
            let want = usize::try_from(CHUNK.min(end - at)).unwrap_or(usize::MAX);
            let mut from = at;
            let moved = to.try_io(Interest::WRITABLE, || Ok(sendfile(&to, &*file, Some(&mut from), want)?));
            (to, moved)
        });
        let (back, moved) = moved.await.map_err(io::Error::other)?;
        to = back;
        match moved {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(moved) => at += moved as u64,
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
            Err(e) => return Err(e),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{io::Write, sync::Arc};
    use tokio::io::AsyncReadExt;

    fn slice(offset: u64, length: u64) -> (Vec<u8>, Slice) {
        let bytes: Vec<u8> = (0..3_000_000_u32).map(|n| (n % 251) as u8).collect();
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&bytes).unwrap();
        (bytes, Slice { file: Arc::new(file), offset, length })
    }

    #[tokio::test]
    async fn exactly_the_part_arrives() {
        let (bytes, slice) = slice(17, 2_500_000);
        let (mut stream, _lease) = serve(slice).unwrap();
        let mut got = Vec::new();
        stream.read_to_end(&mut got).await.unwrap();
        assert!(got == bytes[17..2_500_017]);
    }

    #[tokio::test]
    async fn a_file_that_is_too_short_ends_too_early() {
        let (_, slice) = slice(2_999_000, 5000);
        let (mut stream, _lease) = serve(slice).unwrap();
        let mut got = Vec::new();
        stream.read_to_end(&mut got).await.unwrap();
        assert_eq!(got.len(), 1000);
    }
}
