//! The process that is ready, and its children: one per order, each watched to its end.

use crate::{film, limits, pictures, raw};
use contract::{
    Status,
    pictures::{Ending, MAX_ORDER_BYTES, Order, READY},
};
use rustix::{
    event::{PollFd, PollFlags, poll},
    io::Errno,
    net::{
        RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendFlags, recvmsg, send,
        sockopt::{set_socket_send_buffer_size, socket_type},
    },
    pipe::{PipeFlags, pipe_with},
    process::{Pid, Signal, WaitOptions, kill_process, waitpid},
    stdio,
};
use std::{
    io::IoSliceMut,
    mem::MaybeUninit,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    process::ExitCode,
};

/// Not told to be here by a worker.
const BAD_START: u8 = 64;
/// A child that could not take its rights away.
const NOT_RESTRICTED: i32 = 2;
/// No sheet is larger, so a child never waits for the worker to read.
const ANSWER_BYTES: usize = 256 << 10;

/// A child at work.
struct Child {
    pid: Pid,
    /// The zygote's own copy of the stream on which the child answers.
    answer: OwnedFd,
    /// Hangs up when the child is gone.
    life: OwnedFd,
}

/// Serves the worker on standard input until it hangs up.
pub fn serve() -> ExitCode {
    let control = stdio::stdin();
    if socket_type(control) != Ok(rustix::net::SocketType::SEQPACKET) {
        return ExitCode::from(BAD_START);
    }
    let _ = rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable);
    film::warm();
    if send(control, &READY, SendFlags::NOSIGNAL).is_err() {
        return ExitCode::FAILURE;
    }
    // Whoever started us reads no further than that.
    if let Ok(null) = std::fs::OpenOptions::new().write(true).open("/dev/null") {
        let _ = stdio::dup2_stderr(&null);
    }
    let mut children: Vec<Child> = Vec::new();
    loop {
        let (ordered, over) = wait(control, &children);
        for at in over.into_iter().rev() {
            children.swap_remove(at).finish();
        }
        match ordered.then(|| receive(control)) {
            None => {}
            Some(Ok(Received::Order { order, film, answer })) => start(&mut children, &order, film, answer),
            // Dropping its descriptors says no.
            Some(Ok(Received::Nonsense)) => {}
            Some(Ok(Received::End) | Err(_)) => return ExitCode::SUCCESS,
        }
    }
}

/// Whether there is an order, and which children are over or no longer wanted, in order.
fn wait(control: BorrowedFd<'_>, children: &[Child]) -> (bool, Vec<usize>) {
    let mut fds = vec![PollFd::from_borrowed_fd(control, PollFlags::IN)];
    for child in children {
        fds.push(PollFd::from_borrowed_fd(child.answer.as_fd(), PollFlags::RDHUP));
        fds.push(PollFd::from_borrowed_fd(child.life.as_fd(), PollFlags::IN));
    }
    if poll(&mut fds, None).is_err() {
        return (false, Vec::new());
    }
    let seen = |fd: &PollFd<'_>| !fd.revents().is_empty();
    let over = fds[1..].chunks_exact(2).enumerate().filter(|(_, two)| two.iter().any(seen)).map(|(at, _)| at);
    (seen(&fds[0]), over.collect())
}

enum Received {
    Order {
        order: Order,
        film: OwnedFd,
        answer: OwnedFd,
    },
    Nonsense,
    /// The worker hung up.
    End,
}

fn receive(control: BorrowedFd<'_>) -> rustix::io::Result<Received> {
    let mut bytes = [0; MAX_ORDER_BYTES];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(2))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let got = loop {
        match recvmsg(control, &mut [IoSliceMut::new(&mut bytes)], &mut ancillary, RecvFlags::CMSG_CLOEXEC) {
            Err(Errno::INTR) => {}
            other => break other?,
        }
    };
    if got.bytes == 0 {
        return Ok(Received::End);
    }
    let mut given: Vec<OwnedFd> = Vec::new();
    for message in ancillary.drain() {
        if let RecvAncillaryMessage::ScmRights(fds) = message {
            given.extend(fds);
        }
    }
    let whole = !got.flags.intersects(ReturnFlags::TRUNC | ReturnFlags::CTRUNC);
    let order = Order::from_bytes(&bytes[..got.bytes]).filter(|_| whole);
    Ok(match (order, <[OwnedFd; 2]>::try_from(given)) {
        (Some(order), Ok([film, answer])) => Received::Order { order, film, answer },
        _ => Received::Nonsense,
    })
}

fn start(children: &mut Vec<Child>, order: &Order, film: OwnedFd, answer: OwnedFd) {
    let zygote = rustix::process::getpid();
    let _ = set_socket_send_buffer_size(&answer, ANSWER_BYTES);
    let begun = pipe_with(PipeFlags::CLOEXEC).and_then(|(life, held)| Ok((life, held, raw::fork()?)));
    match begun {
        Ok((life, _, Some(pid))) => children.push(Child { pid, answer, life }),
        Ok((life, _held, None)) => {
            // Everything that belongs to others.
            drop(life);
            children.clear();
            let code = match stdio::dup2_stdin(&film).and_then(|()| limits::restrict(zygote, order)) {
                Ok(()) => {
                    work(order, film.as_fd(), answer.as_fd());
                    0
                }
                Err(_) => NOT_RESTRICTED,
            };
            raw::end(code)
        }
        Err(_) => say(&answer, &[&[Status::Io as u8][..], &Ending::Exited(0).to_bytes()].concat()),
    }
}

/// A child's whole life.
fn work(order: &Order, film: BorrowedFd<'_>, answer: BorrowedFd<'_>) {
    let (status, bytes) = pictures::make(film, order);
    let mut left = &[&[status as u8][..], &bytes].concat()[..];
    while !left.is_empty() {
        match send(answer, left, SendFlags::NOSIGNAL) {
            Ok(sent) => left = &left[sent..],
            Err(Errno::INTR) => {}
            // Nobody wants it any more.
            Err(_) => return,
        }
    }
}

impl Child {
    /// Clears it away and tells how it ended, to whoever still listens.
    fn finish(self) {
        // One that has ended keeps its ending; its number is its own until it is waited for.
        let _ = kill_process(self.pid, Signal::KILL);
        let status = loop {
            match waitpid(Some(self.pid), WaitOptions::empty()) {
                Err(Errno::INTR) => {}
                other => break other.ok().flatten(),
            }
        };
        let Some((_, status)) = status else { return };
        let byte = |number: i32| u8::try_from(number).unwrap_or(u8::MAX);
        let ending = match (status.exit_status(), status.terminating_signal()) {
            (Some(code), _) => Ending::Exited(byte(code)),
            (None, signal) => Ending::Killed(signal.map_or(0, byte)),
        };
        say(&self.answer, &ending.to_bytes());
    }
}

/// Never waits: whoever does not read its answer does not get the end of it.
fn say(answer: &OwnedFd, bytes: &[u8]) {
    let _ = send(answer, bytes, SendFlags::NOSIGNAL | SendFlags::DONTWAIT);
}
