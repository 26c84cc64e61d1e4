//! Reading with a budget: the bytes decide where the next read goes, never how much is read.

/// What all reads of one walk may add up to.
pub const MAX_BYTES: usize = 2 << 20;
pub const MAX_READS: usize = 400;
/// One read usually serves several headers.
const WINDOW: usize = 4 << 10;
/// No single header that is read whole is larger.
const MAX_PIECE: usize = 256 << 10;

pub(crate) struct Reader<R> {
    read: R,
    size: u64,
    window: Vec<u8>,
    window_at: u64,
    bytes_left: usize,
    reads_left: usize,
}

impl<R: FnMut(u64, &mut [u8]) -> usize> Reader<R> {
    pub(crate) fn new(size: u64, read: R) -> Self {
        Self { read, size, window: Vec::new(), window_at: 0, bytes_left: MAX_BYTES, reads_left: MAX_READS }
    }

    pub(crate) const fn size(&self) -> u64 {
        self.size
    }

    /// Exactly `length` bytes at `at`; `None` past the end, over the budget, or when reading fails.
    pub(crate) fn get(&mut self, at: u64, length: usize) -> Option<&[u8]> {
        self.fill(at, length)?;
        let from = usize::try_from(at - self.window_at).ok()?;
        self.window.get(from..from + length)
    }

    /// At least one and at most `length` bytes at `at`, as far as the file goes.
    pub(crate) fn up_to(&mut self, at: u64, length: usize) -> Option<&[u8]> {
        let there = usize::try_from(self.size.checked_sub(at)?).unwrap_or(usize::MAX);
        self.get(at, length.min(there).max(1))
    }

    fn fill(&mut self, at: u64, length: usize) -> Option<()> {
        let end = at.checked_add(length as u64)?;
        let window_end = self.window_at + self.window.len() as u64;
        if at >= self.window_at && end <= window_end {
            return Some(());
        }
        if length > MAX_PIECE || end > self.size {
            return None;
        }
        let there = usize::try_from(self.size - at).unwrap_or(usize::MAX);
        let want = length.max(WINDOW).min(there);
        self.reads_left = self.reads_left.checked_sub(1)?;
        self.bytes_left = self.bytes_left.checked_sub(want)?;
        self.window.resize(want, 0);
        let got = (self.read)(at, &mut self.window);
        self.window.truncate(got.min(want));
        self.window_at = at;
        (self.window.len() >= length).then_some(())
    }
}

/// Big-endian, at most eight bytes.
pub(crate) fn be(bytes: &[u8]) -> u64 {
    bytes.iter().take(8).fold(0, |n, b| n << 8 | u64::from(*b))
}
