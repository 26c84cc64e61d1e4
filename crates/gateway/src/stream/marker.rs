//! A region of addresses that stands for "film bytes go here". It is mapped without any right,
//! so whoever reads it crashes at once instead of sending zeros to a viewer.

use bytes::Bytes;
use std::sync::LazyLock;

/// Longest body frame; costs address space and nothing else.
pub const MARKER_BYTES: usize = 2 << 20;

static MARKER: LazyLock<&'static [u8]> = LazyLock::new(|| map().unwrap_or_else(|_| vec![0; MARKER_BYTES].leak()));

/// A frame of `length` bytes (at most [`MARKER_BYTES`]) that says "film".
pub fn frame(length: usize) -> Bytes {
    Bytes::from_static(&MARKER[..length.min(MARKER_BYTES)])
}

/// Whether these bytes stand for film. Compares addresses and reads nothing.
pub fn is_marker(bytes: &[u8]) -> bool {
    let (at, region) = (bytes.as_ptr() as usize, MARKER.as_ptr() as usize);
    !bytes.is_empty() && at >= region && at < region + MARKER_BYTES
}

#[expect(unsafe_code, reason = "an inaccessible mapping cannot be had from safe Rust; nothing ever reads through it")]
fn map() -> rustix::io::Result<&'static [u8]> {
    use rustix::mm::{MapFlags, ProtFlags, mmap_anonymous};
    // SAFETY: the kernel picks the address, the mapping is never unmapped, and the slice is used
    // for its address and length only: hyper hands it to `SpliceIo`, which compares addresses.
    unsafe {
        let at = mmap_anonymous(
            std::ptr::null_mut(),
            MARKER_BYTES,
            ProtFlags::empty(),
            MapFlags::PRIVATE | MapFlags::NORESERVE,
        )?;
        Ok(std::slice::from_raw_parts(at.cast::<u8>(), MARKER_BYTES))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsFd;

    #[test]
    fn the_region_is_known_by_its_address_alone() {
        let whole = frame(usize::MAX);
        assert_eq!(whole.len(), MARKER_BYTES);
        assert!(is_marker(&whole) && is_marker(&whole.slice(MARKER_BYTES - 1..)));
        assert!(!is_marker(&[]) && !is_marker(&[0; 16]));
    }

    /// The kernel refuses to read it for us, so nothing in this process can either.
    #[test]
    fn nobody_can_read_the_region() {
        let (reader, writer) = rustix::pipe::pipe().unwrap();
        assert_eq!(rustix::io::write(writer.as_fd(), b"x"), Ok(1), "control: readable memory goes through");
        assert_eq!(rustix::io::write(writer.as_fd(), &frame(1)), Err(rustix::io::Errno::FAULT));
        drop(reader);
    }
}
