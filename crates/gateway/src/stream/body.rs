//! The two bodies of a film answer: one for the plain socket, one for everything else.

use super::{
    marker::{self, MARKER_BYTES},
    pipes::PIPE_BYTES,
    source::{Slot, Source},
};
use bytes::{Bytes, BytesMut};
use http_body::{Body, Frame, SizeHint};
use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

/// Frames that stand for film; [`super::SpliceIo`] moves the bytes. Only valid on the
/// connection whose slot it was made with.
pub struct RegionBody {
    slot: Slot,
    source: Option<Source>,
    left: u64,
}

impl RegionBody {
    pub fn new(slot: Slot, source: Source) -> Self {
        Self { slot, left: source.length(), source: Some(source) }
    }
}

impl Body for RegionBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        // Not earlier: an answer whose body is never polled (HEAD, a lost race) must not leave
        // a source behind for the next one.
        if let Some(source) = self.source.take() {
            self.slot.place(source)?;
        }
        if self.left == 0 {
            return Poll::Ready(None);
        }
        let length = self.left.min(MARKER_BYTES as u64);
        self.left -= length;
        Poll::Ready(Some(Ok(Frame::data(marker::frame(usize::try_from(length).unwrap_or(MARKER_BYTES))))))
    }
    fn is_end_stream(&self) -> bool {
        self.left == 0
    }
    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

/// Reads the worker's stream into memory, 256 KiB at a time: for TLS, for HTTP/2, for tests.
pub struct PortableBody {
    source: Option<Source>,
    left: u64,
    buffer: BytesMut,
}

impl PortableBody {
    pub fn new(source: Source) -> Self {
        Self { left: source.length(), source: Some(source), buffer: BytesMut::new() }
    }
}

impl Body for PortableBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let this = &mut *self;
        let Some(source) = &mut this.source else { return Poll::Ready(None) };
        if this.left > 0 {
            this.buffer.reserve(PIPE_BYTES.min(usize::try_from(this.left).unwrap_or(PIPE_BYTES)));
            ready!(source.poll_read(cx, &mut this.buffer))?;
            let bytes = this.buffer.split().freeze();
            this.left -= bytes.len() as u64;
            if this.left == 0
                && let Some(done) = this.source.take()
            {
                done.finish();
            }
            return Poll::Ready(Some(Ok(Frame::data(bytes))));
        }
        Poll::Ready(None)
    }
    fn is_end_stream(&self) -> bool {
        self.left == 0
    }
    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}
