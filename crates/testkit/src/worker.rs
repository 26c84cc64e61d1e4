//! A worker inside the test's own process that keeps the contract, or breaks one rule of it.

use contract::{
    AnswerHead, FromWorker, Hello, Opening, PROTOCOL, Request, RequestBody, Status, ToWorker,
    frame::{body_length, decode, encode},
};
use serde::{Serialize, de::DeserializeOwned};
use std::{collections::HashMap, io, path::PathBuf, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::UnixStream,
    task::JoinSet,
};

/// The one rule this worker breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    /// None.
    Good,
    /// Ends with this code before it dials.
    DiesAtStart(i64),
    /// Connects and never says hello.
    Mute,
    /// Never connects at all.
    NeverConnects,
    WrongNonce,
    WrongProtocol,
    /// Says hello, and then again on a second connection with the same nonce.
    TwoHellos,
    /// Says hello and then answers no ping.
    DeafToPings,
    /// Sends pongs nobody asked for.
    UnaskedPongs,
    /// A frame with an absurd length on the control connection.
    HugeFrame,
    /// Brings tokens it made up.
    MadeUpTokens,
    /// Hears that it should dial, and does not.
    NeverDials,
    /// Takes the request and says nothing.
    SilentOnData,
    WrongId,
    GarbageHead,
    /// Announces one byte more than asked for.
    AnnouncesMore,
    AnnouncesLess,
    /// Announces rightly and sends ten bytes more.
    SendsMore,
    /// Announces rightly and closes half-way.
    SendsLess,
    /// Sends half and stops.
    StopsHalfWay,
    /// Sends half and ends altogether.
    DiesHalfWay,
    /// One byte at a time.
    Dribbles,
    /// Says "not found" with bytes behind it.
    BytesBehindNo,
    /// Passes a descriptor with its answer, again and again.
    PassesDescriptors,
    /// Brings the token of a dial again and again.
    TokenTwice,
    /// Answers with the number of the request before.
    OldId,
    AnnouncesTenfold,
    AnnouncesEverything,
    /// Head and bytes, and the same once more.
    AnswersTwice,
    /// Announces rightly and sends without end.
    Endless,
    /// One byte every nine seconds, which is no stall.
    TakesForEver,
    /// Half a head, and no more.
    HalfAHead,
    /// Bytes on a connection that lies idle.
    SpeaksUnasked,
    /// Half a frame on the control connection, and silence.
    HalfAFrame,
    /// Frames of our size that say nothing we know.
    NonsenseFrames,
    /// Reads no orders any more.
    StopsReading,
    /// Ends altogether over a file whose name begins with `bad`; takes a second for a `slow` one.
    ChokesOnBad,
}

/// Bytes by mount and path.
pub type Films = Arc<HashMap<(String, Vec<u8>), Vec<u8>>>;

#[derive(Debug, Clone)]
pub struct ScriptedWorker {
    pub socket: PathBuf,
    pub nonce: [u8; 32],
    pub manner: Manner,
    pub films: Films,
}

impl ScriptedWorker {
    /// Lives until it is told to end or its connection is gone; answers the exit code.
    pub async fn run(self) -> i64 {
        match self.manner {
            Manner::DiesAtStart(code) => code,
            Manner::NeverConnects => std::future::pending().await,
            _ => self.serve().await.unwrap_or(1),
        }
    }

    async fn serve(&self) -> io::Result<i64> {
        let mut control = UnixStream::connect(&self.socket).await?;
        if self.manner == Manner::Mute {
            return std::future::pending().await;
        }
        let mut hello = Hello { protocol: PROTOCOL, nonce: self.nonce, version: "scripted\n1".into() };
        match self.manner {
            Manner::WrongNonce => hello.nonce[31] ^= 1,
            Manner::WrongProtocol => hello.protocol += 1,
            _ => {}
        }
        say(&mut control, &Opening::Control(hello.clone())).await?;
        let mut data = JoinSet::new();
        let (died, mut dies) = tokio::sync::mpsc::channel::<()>(1);
        loop {
            let message = tokio::select! {
                message = hear::<ToWorker>(&mut control) => message?,
                _ = dies.recv() => return Ok(139),
            };
            match message {
                ToWorker::Welcome => match self.manner {
                    Manner::TwoHellos => {
                        for _ in 0..3 {
                            let mut second = UnixStream::connect(&self.socket).await?;
                            say(&mut second, &Opening::Control(hello.clone())).await?;
                            let _ = second.read(&mut [0; 1]).await;
                        }
                    }
                    Manner::UnaskedPongs => {
                        for seq in 1000..1003 {
                            say(&mut control, &FromWorker::Pong { seq, busy: 0 }).await?;
                        }
                    }
                    Manner::HalfAFrame => control.write_all(&[9, 0, 0]).await?,
                    Manner::NonsenseFrames => {
                        for kind in [0x7f, 0xff, 2] {
                            control.write_all(&[3, 0, 0, 0, kind, 0xff, 0xff]).await?;
                        }
                    }
                    Manner::StopsReading => return std::future::pending().await,
                    Manner::HugeFrame => control.write_all(&u32::MAX.to_le_bytes()).await?,
                    Manner::MadeUpTokens => {
                        for n in 0..3 {
                            let mut stranger = UnixStream::connect(&self.socket).await?;
                            say(&mut stranger, &Opening::Data { token: [n; 16] }).await?;
                            let _ = stranger.read(&mut [0; 1]).await;
                        }
                    }
                    _ => {}
                },
                ToWorker::Ping { .. } if self.manner == Manner::DeafToPings => {}
                ToWorker::Ping { seq } => say(&mut control, &FromWorker::Pong { seq, busy: 0 }).await?,
                ToWorker::Dial { .. } if self.manner == Manner::NeverDials => {}
                ToWorker::Dial { token } => {
                    let (me, died) = (self.clone(), died.clone());
                    data.spawn(async move {
                        if me.data(token).await.is_ok_and(|ends| ends) {
                            let _ = died.send(()).await;
                        }
                    });
                }
                ToWorker::Shutdown => return Ok(0),
            }
        }
    }

    /// One data connection until it closes. `true` says that the whole worker ends.
    async fn data(&self, token: [u8; 16]) -> io::Result<bool> {
        let mut stream = UnixStream::connect(&self.socket).await?;
        say(&mut stream, &Opening::Data { token }).await?;
        if self.manner == Manner::TokenTwice {
            for _ in 0..3 {
                let mut second = UnixStream::connect(&self.socket).await?;
                say(&mut second, &Opening::Data { token }).await?;
                let _ = second.read(&mut [0; 1]).await;
            }
        }
        loop {
            let request: Request = hear(&mut stream).await?;
            if self.answer(&mut stream, request).await? {
                return Ok(true);
            }
        }
    }

    async fn answer(&self, stream: &mut UnixStream, request: Request) -> io::Result<bool> {
        let (status, bytes) = self.result(&request.body);
        if self.manner == Manner::ChokesOnBad
            && let Some(file) = request.body.parsed_file()
        {
            let of = |name: &[u8]| file.path.starts_with(name);
            tokio::time::sleep(Duration::from_millis(if of(b"slow") { 1000 } else { 200 })).await;
            if of(b"bad") {
                return Ok(true);
            }
        }
        let mut head = AnswerHead { id: request.id, status, length: bytes.len() as u64 };
        match self.manner {
            Manner::SilentOnData => return std::future::pending().await,
            Manner::WrongId => head.id += 1,
            Manner::OldId => head.id -= 1,
            Manner::AnnouncesTenfold => head.length *= 10,
            Manner::AnnouncesEverything => head.length = u64::MAX,
            Manner::HalfAHead => {
                stream.write_all(&head.to_bytes()[..AnswerHead::BYTES / 2]).await?;
                return std::future::pending().await;
            }
            Manner::AnnouncesMore => head.length += 1,
            Manner::AnnouncesLess => head.length = head.length.saturating_sub(1),
            Manner::BytesBehindNo => head = AnswerHead { status: Status::NotFound, length: 5, ..head },
            Manner::GarbageHead => {
                stream.write_all(&[0x55; AnswerHead::BYTES]).await?;
                return Ok(false);
            }
            _ => {}
        }
        let bytes_of_head = head.to_bytes();
        let sent = if self.manner == Manner::PassesDescriptors { pass_descriptors(stream, &bytes_of_head)? } else { 0 };
        stream.write_all(&bytes_of_head[sent..]).await?;
        let half = bytes.len() / 2;
        match self.manner {
            Manner::SendsMore => {
                stream.write_all(&bytes).await?;
                stream.write_all(&[0xee; 10]).await?;
            }
            Manner::SendsLess => {
                stream.write_all(&bytes[..half]).await?;
                return Err(io::ErrorKind::BrokenPipe.into());
            }
            Manner::StopsHalfWay => {
                stream.write_all(&bytes[..half]).await?;
                return std::future::pending().await;
            }
            Manner::DiesHalfWay => {
                stream.write_all(&bytes[..half]).await?;
                return Ok(true);
            }
            Manner::Dribbles => {
                for byte in &bytes {
                    stream.write_all(&[*byte]).await?;
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
            }
            Manner::TakesForEver => {
                for byte in &bytes {
                    stream.write_all(&[*byte]).await?;
                    tokio::time::sleep(Duration::from_secs(9)).await;
                }
            }
            Manner::AnswersTwice => {
                stream.write_all(&bytes).await?;
                stream.write_all(&bytes_of_head).await?;
                stream.write_all(&bytes).await?;
            }
            Manner::Endless => {
                stream.write_all(&bytes).await?;
                loop {
                    stream.write_all(&[0xee; 4096]).await?;
                }
            }
            Manner::SpeaksUnasked => {
                stream.write_all(&bytes).await?;
                // After the gateway has looked at the connection and put it away.
                tokio::time::sleep(Duration::from_millis(50)).await;
                stream.write_all(b"unasked").await?;
            }
            _ => stream.write_all(&bytes).await?,
        }
        Ok(false)
    }

    fn result(&self, body: &RequestBody) -> (Status, Vec<u8>) {
        match body {
            RequestBody::Range { file, offset, length } => {
                let Some(film) = self.films.get(&(file.mount.clone(), file.path.clone())) else {
                    return (Status::NotFound, Vec::new());
                };
                if file.size.is_some_and(|size| size != film.len() as u64) {
                    return (Status::Changed, Vec::new());
                }
                let from = usize::try_from(*offset).unwrap_or(usize::MAX);
                let to = from.saturating_add(usize::try_from(*length).unwrap_or(usize::MAX));
                film.get(from..to).map_or((Status::Refused, Vec::new()), |bytes| (Status::Ok, bytes.to_vec()))
            }
            RequestBody::Init { file, .. } | RequestBody::Segment { file, .. } => {
                let number =
                    if let RequestBody::Segment { wanted, .. } = body { wanted.number as usize + 1 } else { 0 };
                let Some(film) = self.films.get(&(file.mount.clone(), file.path.clone())) else {
                    return (Status::NotFound, Vec::new());
                };
                // Segments of a thousand bytes; past the end there is nothing to cut.
                let from = number * 1000;
                film.get(from..from + 1000)
                    .map_or((Status::Unsupported, Vec::new()), |bytes| (Status::Ok, bytes.to_vec()))
            }
            RequestBody::Job { job: contract::Job::Probe { .. }, .. } => (Status::Ok, b"{\"format\":{}}".to_vec()),
            RequestBody::Job { .. } => (Status::Failed, b"no picture\n\x1b[31min there".to_vec()),
        }
    }
}

/// Sends the first byte with eight descriptors riding on it; answers how many bytes went.
fn pass_descriptors(stream: &UnixStream, bytes: &[u8]) -> io::Result<usize> {
    use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
    use std::{io::IoSlice, mem::MaybeUninit, os::fd::AsFd};
    let null = std::fs::File::open("/dev/null")?;
    let fds = [null.as_fd(); 8];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(8))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    control.push(SendAncillaryMessage::ScmRights(&fds));
    Ok(sendmsg(stream, &[IoSlice::new(&bytes[..1])], &mut control, SendFlags::empty())?)
}

async fn say(stream: &mut UnixStream, message: &impl Serialize) -> io::Result<()> {
    stream.write_all(&encode(message).map_err(io::Error::other)?).await
}

async fn hear<T: DeserializeOwned>(stream: &mut UnixStream) -> io::Result<T> {
    let mut field = [0; 4];
    stream.read_exact(&mut field).await?;
    let mut body = vec![0; body_length(field).map_err(io::Error::other)?];
    stream.read_exact(&mut body).await?;
    decode(&body).map_err(io::Error::other)
}
