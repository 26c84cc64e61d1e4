//! Pipe pairs, reused: making one and sizing it costs three system calls per range.

use rustix::{fd::OwnedFd, pipe};
use std::{
    io,
    sync::{Mutex, PoisonError},
};

/// What one `splice` moves at most. 256 KiB per active stream stays far below the 64 MiB that
/// an unprivileged user may keep in pipes.
pub const PIPE_BYTES: usize = 256 << 10;
const KEPT: usize = 32;

static IDLE: Mutex<Vec<Pipe>> = Mutex::new(Vec::new());

pub struct Pipe {
    pub reader: OwnedFd,
    pub writer: OwnedFd,
}

impl Pipe {
    /// # Errors
    /// Out of descriptors.
    pub fn take() -> io::Result<Self> {
        if let Some(idle) = IDLE.lock().unwrap_or_else(PoisonError::into_inner).pop() {
            return Ok(idle);
        }
        let (reader, writer) = pipe::pipe_with(pipe::PipeFlags::CLOEXEC | pipe::PipeFlags::NONBLOCK)?;
        // Over the user's pipe budget the kernel keeps the default of 64 KiB: slower, not wrong.
        let _ = pipe::fcntl_setpipe_size(&writer, PIPE_BYTES);
        Ok(Self { reader, writer })
    }

    /// Only for a pipe that is empty: bytes left in it would reach the next viewer.
    pub fn give_back_empty(self) {
        let mut idle = IDLE.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < KEPT {
            idle.push(self);
        }
    }
}
