//! Ranges through the real worker: the bytes, and everything that must not be given.

mod common;

use common::{House, PATIENCE, eventually, head, put, range};
use contract::{FileRef, RequestBody, Status, ToWorker};
use std::{io::Read, os::unix::fs::symlink};

/// Repeatable numbers.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }
}

#[test]
fn two_hundred_random_ranges_equal_the_file() {
    let mut house = House::open();
    let mut dice = Dice(7);
    let film: Vec<u8> = (0..3_000_001).map(|_| dice.below(256) as u8).collect();
    house.write("film.mp4", &film);
    let size = film.len() as u64;
    let mut data = house.dial(1);
    for id in 0..200 {
        let offset = dice.below(size);
        let length = 1 + dice.below(size - offset);
        let known = (id % 2 == 0).then_some(size);
        let (status, bytes) = range(&mut data, id, house.file(b"film.mp4", known), offset, length);
        assert_eq!(status, Status::Ok);
        assert!(bytes == film[offset as usize..(offset + length) as usize], "range {offset}+{length} differs");
    }
    assert_eq!(house.ping(9), 0);
}

#[test]
fn names_are_bytes_and_nothing_outside_is_given() {
    let mut house = House::open();
    std::fs::write(house.home.path().join("secret"), b"secret").unwrap();
    symlink("../secret", house.library.join("link")).unwrap();
    symlink("..", house.library.join("up")).unwrap();
    rustix::fs::mkfifoat(rustix::fs::CWD, house.library.join("fifo"), rustix::fs::Mode::RWXU).unwrap();
    house.write("it's \"a\nfilm.mkv", b"film");
    let mut data = house.dial(1);

    let (status, bytes) = range(&mut data, 1, house.file(b"it's \"a\nfilm.mkv", Some(4)), 1, 2);
    assert_eq!((status, bytes.as_slice()), (Status::Ok, &b"il"[..]));
    for (id, (path, expected)) in [
        (&b"../secret"[..], Status::Refused),
        (b"up/secret", Status::Refused),
        (b"link", Status::Refused),
        (b"fifo", Status::Refused),
        (b"", Status::Refused),
        (b"/etc/passwd", Status::Refused),
        (b"a\0b", Status::Refused),
        (b".", Status::Refused),
        (b"none", Status::NotFound),
    ]
    .into_iter()
    .enumerate()
    {
        let (status, bytes) = range(&mut data, id as u64 + 2, house.file(path, None), 0, 1);
        assert_eq!((status, bytes.len()), (expected, 0), "{:?}", String::from_utf8_lossy(path));
    }
    let elsewhere = FileRef { mount: "other".into(), path: b"x".to_vec(), size: None, mtime_ns: None };
    assert_eq!(range(&mut data, 90, elsewhere, 0, 1).0, Status::Refused);
}

#[test]
fn a_file_of_another_size_and_ranges_outside_are_no_bytes() {
    let mut house = House::open();
    house.write("film.mp4", b"0123456789");
    let mut data = house.dial(1);
    assert_eq!(range(&mut data, 1, house.file(b"film.mp4", Some(11)), 0, 1).0, Status::Changed);
    for (offset, length) in [(0, 11), (10, 1), (11, 1), (0, 0), (u64::MAX, 1), (1, u64::MAX)] {
        let (status, _) = range(&mut data, 2, house.file(b"film.mp4", None), offset, length);
        assert_eq!(status, Status::Refused, "{offset}+{length}");
    }
    // The connection is still good.
    assert_eq!(range(&mut data, 3, house.file(b"film.mp4", Some(10)), 9, 1).1, b"9");
}

#[test]
fn a_file_cut_while_it_is_sent_ends_the_connection() {
    let mut house = House::open();
    let size = 64 << 20;
    house.write("film.mp4", &vec![7; size]);
    let mut data = house.dial(1);
    let body = RequestBody::Range { file: house.file(b"film.mp4", Some(size as u64)), offset: 0, length: size as u64 };
    put(&mut data, 1, body);
    assert_eq!(head(&mut data).status, Status::Ok);
    // The worker is stuck on the full socket buffer: most of the file is still unsent.
    let file = std::fs::OpenOptions::new().write(true).open(house.library.join("film.mp4")).unwrap();
    file.set_len(1000).unwrap();
    let mut rest = Vec::new();
    let _ = data.read_to_end(&mut rest);
    assert!(rest.len() < size, "a full answer from a file that was cut");
    // Control: the worker itself goes on.
    let mut again = house.dial(2);
    assert_eq!(range(&mut again, 1, house.file(b"film.mp4", Some(1000)), 0, 1000).0, Status::Ok);
}

#[test]
fn a_reader_who_leaves_frees_the_thread() {
    let mut house = House::open();
    let size = 64 << 20;
    house.write("film.mp4", &vec![7; size]);
    let mut data = house.dial(1);
    let body = RequestBody::Range { file: house.file(b"film.mp4", None), offset: 0, length: size as u64 };
    put(&mut data, 1, body);
    assert_eq!(head(&mut data).status, Status::Ok);
    assert_eq!(house.ping(1), 1);
    drop(data);
    eventually("the request ends", || house.ping(2) == 0);
}

#[test]
fn as_many_data_connections_as_agreed_and_no_more() {
    let mut house = House::open();
    let mut all: Vec<_> = (0..contract::MAX_DATA_CONNECTIONS as u8).map(|n| house.dial(n)).collect();
    house.order(&ToWorker::Dial { token: [99; 16] });
    // Orders are taken in turn, so after this pong the one too many has been decided.
    house.ping(1);
    assert!(!house.is_dialled());
    all.pop();
    // A freed place can be used again; its thread needs a moment to notice.
    eventually("a place is free", || {
        house.order(&ToWorker::Dial { token: [50; 16] });
        house.ping(2);
        house.is_dialled()
    });
}

#[test]
fn it_ends_with_the_control_connection() {
    let mut house = House::open();
    house.order(&ToWorker::Shutdown);
    assert_eq!(house.worker.wait().unwrap().code(), Some(0));

    let mut house = House::open();
    let _data = house.dial(1);
    house.control.shutdown(std::net::Shutdown::Both).unwrap();
    assert_eq!(house.worker.wait().unwrap().code(), Some(1));
}

#[test]
fn garbage_on_control_ends_it_and_on_data_only_that_connection() {
    use std::io::Write;
    let mut house = House::open();
    let mut data = house.dial(1);
    data.write_all(&u32::MAX.to_le_bytes()).unwrap();
    let mut rest = Vec::new();
    data.set_read_timeout(Some(PATIENCE)).unwrap();
    assert_eq!(data.read_to_end(&mut rest).unwrap(), 0);
    assert_eq!(house.ping(3), 0);

    house.control.write_all(&[1, 0, 0, 0, 250]).unwrap();
    assert_eq!(house.worker.wait().unwrap().code(), Some(1));
}
