//! Encoded segments on their way into the cache and out of it: the viewer gets the bytes as they
//! come from the worker, and what was taken whole is kept afterwards. No viewer waits for a disk.

use super::{Lease, shelf::Once};
use std::{io, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, Interest},
    net::UnixStream,
};

const CHUNK: usize = 64 << 10;
/// A worker that gives nothing for this long is given up by whoever waits; by us a little later.
const STALL: Duration = Duration::from_secs(15);

/// Passes `length` bytes on, and gives them to `keep` when they were all there. `lease` is told as
/// if nobody stood in between.
///
/// # Errors
/// When there are no descriptors left.
pub fn copy(
    from: UnixStream,
    lease: Box<dyn Lease>,
    length: u64,
    keep: impl FnOnce(Vec<u8>) + Send + 'static,
) -> io::Result<(UnixStream, Box<dyn Lease>)> {
    let (ours, theirs) = UnixStream::pair()?;
    tokio::spawn(async move {
        if let Some((all, from)) = pass(from, theirs, length).await {
            lease.finish(from);
            keep(all);
        }
    });
    Ok((ours, Box::new(Once)))
}

/// `None` when the worker gave less, or whoever watches has left.
async fn pass(mut from: UnixStream, mut to: UnixStream, length: u64) -> Option<(Vec<u8>, UnixStream)> {
    let length = usize::try_from(length).ok()?;
    let mut all = Vec::with_capacity(length);
    while all.len() < length {
        let before = all.len();
        let most = CHUNK.min(length - before) as u64;
        let mut part = (&mut from).take(most);
        tokio::select! {
            read = part.read_buf(&mut all) => if read.ok()? == 0 { return None },
            // Nobody ever writes on that side: it is ready when it is closed.
            _ = to.ready(Interest::READABLE) => return None,
            () = tokio::time::sleep(STALL) => return None,
        }
        to.write_all(&all[before..]).await.ok()?;
    }
    Some((all, from))
}

/// Bytes from memory on a stream, as if a worker sent them.
///
/// # Errors
/// When there are no descriptors left.
pub fn serve(bytes: Vec<u8>) -> io::Result<(UnixStream, Box<dyn Lease>)> {
    let (ours, mut theirs) = UnixStream::pair()?;
    tokio::spawn(async move {
        // Whoever reads may have left.
        let _ = theirs.write_all(&bytes).await;
    });
    Ok((ours, Box::new(Once)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::sync::oneshot;

    struct Told(oneshot::Sender<()>);
    impl Lease for Told {
        fn finish(self: Box<Self>, _: UnixStream) {
            let _ = self.0.send(());
        }
    }

    fn bytes() -> Vec<u8> {
        (0..3_000_000_u32).map(|n| (n % 251) as u8).collect()
    }

    /// A worker that writes `bytes`, somebody who takes what was announced, and what was kept.
    async fn through(bytes: Vec<u8>, announced: u64) -> (Vec<u8>, Option<Vec<u8>>, bool) {
        let (from, mut worker) = UnixStream::pair().unwrap();
        let (tell, told) = oneshot::channel();
        let (finish, finished) = oneshot::channel();
        let keep = move |all| {
            let _ = tell.send(all);
        };
        let (mut stream, _lease) = copy(from, Box::new(Told(finish)), announced, keep).unwrap();
        let writing = tokio::spawn(async move { worker.write_all(&bytes).await });
        let mut got = Vec::new();
        stream.read_to_end(&mut got).await.unwrap();
        writing.abort();
        (got, told.await.ok(), finished.await.is_ok())
    }

    #[tokio::test]
    async fn what_went_to_the_viewer_is_what_is_kept() {
        let (got, kept, finished) = through(bytes(), 3_000_000).await;
        assert!(got == bytes() && kept == Some(bytes()) && finished);
        let (got, kept, finished) = through(vec![], 0).await;
        assert!(got.is_empty() && kept == Some(vec![]) && finished);
        // What a worker sends beyond its word is nobody's.
        let (got, kept, _) = through(bytes(), 1000).await;
        assert!(got == bytes()[..1000] && kept.is_some_and(|kept| kept == bytes()[..1000]));
    }

    #[tokio::test]
    async fn less_than_was_announced_is_not_kept() {
        let (got, kept, finished) = through(bytes(), 3_000_001).await;
        assert!(got == bytes() && kept.is_none() && !finished);
    }

    #[tokio::test]
    async fn whoever_leaves_ends_it_though_the_worker_says_nothing() {
        let (from, mut worker) = UnixStream::pair().unwrap();
        let (tell, told) = oneshot::channel::<Vec<u8>>();
        let keep = move |all| {
            let _ = tell.send(all);
        };
        let (stream, lease) = copy(from, Box::new(Once), 10, keep).unwrap();
        drop((stream, lease));
        assert!(told.await.is_err(), "nothing was kept");
        assert_eq!(worker.read(&mut [0]).await.unwrap(), 0, "and the worker is let go");
    }

    #[tokio::test]
    async fn memory_is_served_whole() {
        let (mut stream, _lease) = serve(bytes()).unwrap();
        let mut got = Vec::new();
        stream.read_to_end(&mut got).await.unwrap();
        assert!(got == bytes());
    }
}
