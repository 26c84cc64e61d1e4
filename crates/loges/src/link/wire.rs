//! Frames on a stream. A length is judged before a byte of its body is read or allocated.

use contract::{FrameError, frame};
use serde::de::DeserializeOwned;
use std::io;
use tokio::io::{AsyncRead, AsyncReadExt};

#[derive(Debug, thiserror::Error)]
pub enum WireError {
    #[error("the connection ended")]
    Ended,
    #[error("reading failed")]
    Read(#[source] io::Error),
    #[error("no frame of ours")]
    Frame(#[from] FrameError),
}

/// Reads exactly one frame and not a byte more. Not safe to cancel in the middle.
pub async fn read_frame<T: DeserializeOwned>(stream: &mut (impl AsyncRead + Unpin)) -> Result<T, WireError> {
    let mut field = [0; 4];
    exactly(stream, &mut field).await?;
    let mut body = vec![0; frame::body_length(field)?];
    exactly(stream, &mut body).await?;
    Ok(frame::decode(&body)?)
}

async fn exactly(stream: &mut (impl AsyncRead + Unpin), out: &mut [u8]) -> Result<(), WireError> {
    match stream.read_exact(out).await {
        Ok(_) => Ok(()),
        Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => Err(WireError::Ended),
        Err(e) => Err(WireError::Read(e)),
    }
}

/// A row of frames from one stream, safe to cancel between any two bytes.
pub struct Frames<R> {
    from: R,
    buffer: Vec<u8>,
}

impl<R: AsyncRead + Unpin> Frames<R> {
    pub fn new(from: R) -> Self {
        Self { from, buffer: Vec::with_capacity(256) }
    }

    pub async fn next<T: DeserializeOwned>(&mut self) -> Result<T, WireError> {
        loop {
            if let Some((field, rest)) = self.buffer.split_first_chunk::<4>() {
                let length = frame::body_length(*field)?;
                if let Some(body) = rest.get(..length) {
                    let message = frame::decode(body)?;
                    self.buffer.drain(..4 + length);
                    return Ok(message);
                }
            }
            // `read_buf` on a bounded chunk: what one call can add to the buffer is limited.
            let mut chunk = [0; 1024];
            match self.from.read(&mut chunk).await.map_err(WireError::Read)? {
                0 => return Err(WireError::Ended),
                n => self.buffer.extend_from_slice(&chunk[..n]),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use contract::{FromWorker, frame::encode};
    use tokio::io::AsyncWriteExt;

    async fn frames_of(bytes: &[u8]) -> Vec<Result<FromWorker, String>> {
        let (mut ours, theirs) = tokio::io::duplex(7);
        let bytes = bytes.to_vec();
        let writing = tokio::spawn(async move {
            let _ = ours.write_all(&bytes).await;
        });
        let mut frames = Frames::new(theirs);
        let mut out = Vec::new();
        loop {
            let next = frames.next::<FromWorker>().await.map_err(|e| e.to_string());
            let over = next.is_err();
            out.push(next);
            if over {
                drop(frames);
                let _ = writing.await;
                return out;
            }
        }
    }

    #[tokio::test]
    async fn frames_come_whole_however_they_are_cut() {
        let pong = |seq| FromWorker::Pong { seq, busy: 0 };
        let both = [encode(&pong(1)).unwrap(), encode(&pong(300)).unwrap()].concat();
        assert_eq!(frames_of(&both).await, [Ok(pong(1)), Ok(pong(300)), Err("the connection ended".into())]);
    }

    #[tokio::test]
    async fn strange_lengths_end_the_row_before_anything_is_allocated() {
        for (bytes, case) in [
            (vec![0, 0, 0, 0], "zero"),
            (vec![0xff, 0xff, 0xff, 0xff, 0], "huge"),
            (vec![1, 0, 1, 0, 0], "one over the limit"),
            (vec![1, 0, 0, 0, 99], "unknown message"),
            (vec![4, 0, 0, 0, 0, 1, 0, 7], "trailing byte"),
        ] {
            let got = frames_of(&bytes).await;
            assert_eq!(got, [Err("no frame of ours".to_owned())], "{case}");
        }
    }
}
