//! A worker for tests: a real `loge-frames`, orders, and answers as they come.

#![expect(dead_code, reason = "each test file uses its part")]

use contract::{
    Status,
    pictures::{Ending, Order, Picture, READY, read_answer},
};
use rustix::net::{
    AddressFamily, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketFlags, SocketType, recv,
    sendmsg, socketpair,
};
use std::{
    fs::File,
    io::{IoSlice, Read},
    mem::MaybeUninit,
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::net::UnixStream,
    },
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

/// Patience of a condition that should come at once; a loaded machine is slow.
pub const PATIENCE: Duration = Duration::from_secs(60);
pub const GIB: u64 = 1 << 30;

pub struct Frames {
    pub control: Option<OwnedFd>,
    pub program: Child,
}

/// What came of an order: status, bytes, and how its process ended.
pub type Answer = (Option<Status>, Vec<u8>, Ending);

impl Frames {
    #[expect(clippy::disallowed_methods, reason = "the test starts the program it is about")]
    pub fn start() -> Self {
        let (control, theirs) =
            socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_loge-frames"));
        command.arg("--serve").env_clear().stdin(Stdio::from(theirs)).stdout(Stdio::null());
        let program = command.spawn().unwrap();
        drop(command);
        let mut said = [0; 64];
        let (n, _) = recv(&control, &mut said, RecvFlags::empty()).unwrap();
        assert_eq!(said[..n], READY);
        Self { control: Some(control), program }
    }

    /// Sends these bytes and descriptors as they are.
    pub fn send(&self, bytes: &[u8], fds: &[BorrowedFd<'_>]) {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(8))];
        let mut ancillary = SendAncillaryBuffer::new(&mut space);
        if !fds.is_empty() {
            ancillary.push(SendAncillaryMessage::ScmRights(fds));
        }
        let control = self.control.as_ref().unwrap();
        sendmsg(control, &[IoSlice::new(bytes)], &mut ancillary, SendFlags::NOSIGNAL).unwrap();
    }

    /// Gives an order and answers the stream on which it is worked.
    pub fn order(&self, film: &Path, order: &Order) -> UnixStream {
        let (ours, theirs) = UnixStream::pair().unwrap();
        ours.set_read_timeout(Some(PATIENCE)).unwrap();
        let film = File::open(film).unwrap();
        self.send(&order.to_bytes().unwrap(), &[film.as_fd(), theirs.as_fd()]);
        ours
    }

    pub fn ask(&self, film: &Path, order: &Order) -> Answer {
        answer(self.order(film, order))
    }

    pub fn sheet(&self, film: &Path, times_ms: &[u64], tile: (u32, u32)) -> Answer {
        self.ask(film, &sheet(times_ms, tile))
    }

    pub fn poster(&self, film: &Path, moments_ms: &[u64], width: u32) -> Answer {
        let picture = Picture::Poster { picture_track: 0, moments_ms: moments_ms.to_vec(), width };
        self.ask(film, &Order { picture, ..sheet(&[], (16, 16)) })
    }

    pub fn children(&self) -> Vec<u32> {
        children_of(self.program.id())
    }
}

impl Drop for Frames {
    fn drop(&mut self) {
        let _ = self.program.kill();
        let _ = self.program.wait();
    }
}

pub fn sheet(times_ms: &[u64], (tile_width, tile_height): (u32, u32)) -> Order {
    let picture = Picture::Sheet { picture_track: 0, times_ms: times_ms.to_vec(), tile_width, tile_height };
    Order { picture, max_bytes: 4 << 20, cpu_s: 60, memory_bytes: 3 * GIB / 2 }
}

/// Everything that is said until the end.
pub fn answer(mut stream: UnixStream) -> Answer {
    let mut said = Vec::new();
    stream.read_to_end(&mut said).expect("an answer in time");
    let (status, bytes, ending) = read_answer(&said).expect("an answer with an ending");
    (status, bytes.to_vec(), ending)
}

/// A JPEG of an answer that must be one.
pub fn jpeg((status, bytes, ending): Answer) -> Vec<u8> {
    let words = String::from_utf8_lossy(&bytes[..bytes.len().min(80)]);
    assert_eq!((status, ending), (Some(Status::Ok), Ending::Exited(0)), "{words}");
    assert!(bytes.starts_with(&[0xff, 0xd8, 0xff]) && bytes.ends_with(&[0xff, 0xd9]));
    bytes
}

/// Runs ffmpeg; answers its standard output.
#[expect(clippy::disallowed_methods, reason = "ffmpeg makes films and is what pictures are held against")]
pub fn ffmpeg(args: &[&str]) -> Vec<u8> {
    let out = Command::new("ffmpeg").args(["-nostdin", "-v", "error", "-y"]).args(args).output().unwrap();
    assert!(out.status.success(), "{args:?}: {}", String::from_utf8_lossy(&out.stderr));
    out.stdout
}

/// Makes a film from a source of ffmpeg's own.
pub fn film(dir: &Path, name: &str, source: &str, codecs: &[&str]) -> PathBuf {
    let path = dir.join(name);
    ffmpeg(&[&["-f", "lavfi", "-i", source], codecs, &[path.to_str().unwrap()]].concat());
    path
}

/// The pixels of a JPEG, and its width and height.
pub fn pixels(dir: &Path, jpeg: &[u8]) -> (Vec<u8>, usize, usize) {
    let path = dir.join("look.jpg");
    std::fs::write(&path, jpeg).unwrap();
    let rgb = ffmpeg(&["-i", path.to_str().unwrap(), "-f", "rawvideo", "-pix_fmt", "rgb24", "pipe:1"]);
    let frame = jpeg.windows(2).position(|w| w == [0xff, 0xc0]).expect("a baseline JPEG");
    let number = |at: usize| usize::from(u16::from_be_bytes([jpeg[frame + at], jpeg[frame + at + 1]]));
    let (height, width) = (number(5), number(7));
    assert_eq!(rgb.len(), width * height * 3);
    (rgb, width, height)
}

/// How far two pictures are apart, in steps of 255, on average.
pub fn difference(a: &[u8], b: &[u8]) -> f64 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| f64::from(a.abs_diff(*b))).sum::<f64>() / a.len() as f64
}

/// Waits until `condition` holds.
pub fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let until = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < until, "{what}: not within {PATIENCE:?}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Processes whose parent is `parent`, zombies too.
pub fn children_of(parent: u32) -> Vec<u32> {
    let is_child = |pid: &u32| {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let after_name = stat.rsplit(") ").next().unwrap_or_default();
        after_name.split(' ').nth(1).and_then(|p| p.parse().ok()) == Some(parent)
    };
    let all = std::fs::read_dir("/proc").unwrap().flatten();
    all.filter_map(|e| e.file_name().to_str()?.parse().ok()).filter(is_child).collect()
}

/// What a process has open, as `/proc` names it.
pub fn open_files(pid: u32) -> Vec<String> {
    let fds = std::fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
    fds.filter_map(|fd| Some(std::fs::read_link(fd.path()).ok()?.to_string_lossy().into_owned())).collect()
}
