//! People who drag and people who open and close: what runs for them is what one person needs who
//! watches one place of one film, and nothing when they are gone.

#![expect(clippy::disallowed_methods, reason = "films are made with the program that people make them with")]

use loge_tests::{House, Person, Runtime, eventually, media, processes::heads_of};
use serde_json::{Value, json};
use std::{
    collections::BTreeSet,
    io::Write,
    net::TcpStream,
    path::Path,
    process::Command,
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

/// One at a time: each looks at what the whole machine runs.
static ALONE: Mutex<()> = Mutex::new(());

const LONG: &str = "Long Way Home (2015).mkv";
const SEEKS: u32 = 100;
const TABS: u64 = 200;

/// Five minutes, a hundred segments, sound that no browser decodes.
fn long_film(dir: &Path) {
    let args = "-nostdin -v error -y -f lavfi -i testsrc2=s=320x180:r=24 -f lavfi -i sine=frequency=220 -t 300 \
                -c:v libx264 -preset ultrafast -pix_fmt yuv420p -g 72 -c:a ac3";
    let made = Command::new("ffmpeg").args(args.split_whitespace()).arg(dir.join(LONG)).status().expect("ffmpeg runs");
    assert!(made.success());
}

fn titles(person: &Person) -> Vec<(String, String)> {
    let list = person.get("/api/v1/titles?limit=200").json();
    let text = |title: &Value, key: &str| title[key].as_str().expect("a text").to_owned();
    list["items"].as_array().expect("a list").iter().map(|t| (text(t, "name"), text(t, "id"))).collect()
}

fn play(person: &Person, title: &str) -> Value {
    let answer = person.post(&format!("/api/v1/titles/{title}/play"), &json!({}));
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()
}

fn close(person: &Person, title: &str, play: &Value) {
    let told = json!({ "position_s": 1.0, "event": "close", "play_id": play["play_id"] });
    let answer = person.put(&format!("/api/v1/titles/{title}/progress"), &told);
    assert_eq!(answer.status, 204, "{answer:?}");
}

/// Asks, and does not wait for the answer; dropping it is what a browser does that has moved on.
fn ask(address: &str, path: &str) -> TcpStream {
    let mut socket = TcpStream::connect(address).expect("the house answers");
    write!(socket, "GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n").expect("sent");
    socket
}

/// Numbers that look like chance and are the same each time.
struct Dice(u64);

impl Dice {
    fn below(&mut self, most: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % most
    }
}

#[test]
fn a_hundred_seeks_leave_one_producer_for_each_track() {
    let _alone = ALONE.lock();
    for runtime in Runtime::available() {
        let films = media::some(&[]);
        long_film(films.path());
        let house = House::open(runtime);
        let owner = house.claim();
        let library = house.library(&owner, "Films", films.path());
        let ana = house.viewer(&owner, "Ana", &[&library]);
        let title = titles(&ana).remove(0).1;
        let started = play(&ana, &title);
        assert_eq!(started["method"], json!("remux"), "{started:#}");
        let base = started["url"].as_str().and_then(|url| url.strip_suffix("master.m3u8")).expect("a list");
        let last = |track: &str| {
            let list = house.anonymous().get(&format!("{base}{track}/index.m3u8"));
            u64::try_from(String::from_utf8_lossy(&list.body).matches("#EXTINF").count()).expect("a number") - 1
        };
        let tracks = [("v-original", last("v-original")), ("a-0", last("a-0"))];
        assert!(tracks.iter().all(|(_, last)| *last > 80), "{tracks:?}");

        let (over, mut seen) = (AtomicBool::new(false), BTreeSet::new());
        let most = std::thread::scope(|scope| {
            let watching = scope.spawn(|| {
                let mut most = 0;
                while !over.load(Ordering::Relaxed) {
                    let now = heads_of(&owner, &ana.id);
                    most = most.max(now.len());
                    seen.extend(now);
                    std::thread::sleep(Duration::from_millis(20));
                }
                most
            });
            let mut dice = Dice(7);
            let mut place = [0, 0];
            // What is asked for at one place is given up at the next.
            let mut asked: Vec<TcpStream> = vec![];
            for _ in 0..SEEKS {
                let part = dice.below(100);
                place = tracks.map(|(_, last)| last * part / 100);
                asked = tracks
                    .iter()
                    .zip(place)
                    .map(|((track, _), n)| ask(house.address(), &format!("{base}{track}/{n}.m4s")))
                    .collect();
                std::thread::sleep(Duration::from_millis(100));
            }
            drop(asked);
            // Where it stops, it plays.
            for ((track, _), number) in tracks.iter().zip(place) {
                let answer = house.anonymous().get(&format!("{base}{track}/{number}.m4s"));
                assert_eq!(answer.status, 200, "{answer:?}");
            }
            over.store(true, Ordering::Relaxed);
            watching.join().expect("it looked")
        });
        eprintln!("{runtime:?}: {SEEKS} seeks: {} programs begun, at most {most} at once", seen.len());
        // Three is what one loge may have; the fourth would be one that is being cleared away.
        assert!(most <= 4, "{most} programs at once");
        assert!(seen.len() <= 2 * SEEKS as usize / 5, "{} programs for {SEEKS} seeks", seen.len());
        eventually("one program for the picture and one for the sound, or less", || {
            (heads_of(&owner, &ana.id).len() <= tracks.len()).then_some(())
        });
        // The control: as long as the page is there, something runs for it.
        for (track, last) in tracks {
            assert_eq!(house.anonymous().get(&format!("{base}{track}/{}.m4s", last / 3)).status, 200);
        }
        eventually("its programs to run", || (!heads_of(&owner, &ana.id).is_empty()).then_some(()));
        let began = Instant::now();
        close(&ana, &title, &started);
        eventually("nothing to run for a page that was closed", || heads_of(&owner, &ana.id).is_empty().then_some(()));
        eprintln!("{runtime:?}: nothing ran {} ms after the page was closed", began.elapsed().as_millis());
        assert_eq!(owner.get("/api/v1/admin/streams").json()["items"], json!([]));
    }
}

#[test]
fn two_hundred_tabs_leave_nothing() {
    let _alone = ALONE.lock();
    for runtime in Runtime::available() {
        let films = media::some(&[media::DIRECT, media::MKV, media::AVI]);
        long_film(films.path());
        let house = House::open(runtime);
        let owner = house.claim();
        let library = house.library(&owner, "Films", films.path());
        let many = json!({ "max_streams_per_person": 20 });
        assert_eq!(owner.patch("/api/v1/admin/settings", &many).status, 200);
        let people: Vec<Person> =
            ["Ana", "Ben", "Cleo", "Dan"].iter().map(|name| house.viewer(&owner, name, &[&library])).collect();
        let (opened, refused) = (AtomicU64::new(0), AtomicU64::new(0));
        std::thread::scope(|scope| {
            for (n, person) in people.iter().enumerate() {
                let (address, opened, refused) = (house.address(), &opened, &refused);
                scope.spawn(move || {
                    let all = titles(person);
                    let mut dice = Dice(n as u64 + 11);
                    let mut tabs: Vec<(String, Value, Vec<TcpStream>)> = vec![];
                    for _ in 0..TABS / 4 {
                        let (_, title) = &all[usize::try_from(dice.below(all.len() as u64)).expect("a place")];
                        let answer = person.post(&format!("/api/v1/titles/{title}/play"), &json!({}));
                        if answer.status == 200 {
                            opened.fetch_add(1, Ordering::Relaxed);
                            let started = answer.json();
                            let url = started["url"].as_str().expect("an address");
                            let part = dice.below(2);
                            let wanted = match url.strip_suffix("master.m3u8") {
                                None => vec![url.to_owned()],
                                Some(base) => {
                                    let picture = started["quality"].as_str().expect("a quality");
                                    [format!("{base}v-{picture}/{part}.m4s"), format!("{base}a-0/{part}.m4s")].to_vec()
                                }
                            };
                            let asked = wanted.iter().map(|path| ask(address, path)).collect();
                            tabs.push((title.clone(), started, asked));
                        } else {
                            // Encodes are few, and whoever finds none left is told so.
                            refused.fetch_add(1, Ordering::Relaxed);
                            assert!(matches!(answer.status, 409 | 429 | 503), "{answer:?}");
                        }
                        if tabs.len() > 3 || (!tabs.is_empty() && dice.below(3) == 0) {
                            close_one(person, &mut tabs, &mut dice);
                        }
                    }
                    while !tabs.is_empty() {
                        close_one(person, &mut tabs, &mut dice);
                    }
                });
            }
        });
        let began = Instant::now();
        eprintln!("{runtime:?}: {opened:?} tabs opened, {refused:?} refused");
        assert!(opened.into_inner() > TABS / 2, "most were opened");
        // The control: one that was not closed is seen.
        let (title, stays) = (&titles(&people[0])[0].1, play(&people[0], &titles(&people[0])[0].1));
        let streams = || owner.get("/api/v1/admin/streams").json()["items"].clone();
        let left = eventually("all seats but one to be free", || {
            let left = streams();
            (left.as_array()?.len() <= 1).then_some(left)
        });
        assert_eq!(left[0]["play_id"], stays["play_id"], "{left:#}");
        close(&people[0], title, &stays);
        for person in &people {
            eventually("no program for anybody", || heads_of(&owner, &person.id).is_empty().then_some(()));
        }
        eprintln!("{runtime:?}: nothing ran {} ms after the last tab was closed", began.elapsed().as_millis());
        assert_eq!(streams(), json!([]));
        // Nobody holds processor time: as many encodes begin as the house has place for, and no more.
        let encode = |person: &Person| {
            let title = titles(person).into_iter().find(|(name, _)| name == "Old Reel").expect("the film").1;
            person.post(&format!("/api/v1/titles/{title}/play"), &json!({}))
        };
        let begun: Vec<u16> = people.iter().map(|person| encode(person).status).collect();
        assert_eq!(begun.iter().filter(|status| **status == 200).count(), 2, "{begun:?}");
    }
}

/// As browsers do it: the page says that it goes, and what it was loading breaks off, in any order.
fn close_one(person: &Person, tabs: &mut Vec<(String, Value, Vec<TcpStream>)>, dice: &mut Dice) {
    let at = usize::try_from(dice.below(tabs.len() as u64)).expect("a place");
    let (title, started, asked) = tabs.swap_remove(at);
    if dice.below(2) == 0 {
        drop(asked);
        close(person, &title, &started);
    } else {
        close(person, &title, &started);
        drop(asked);
    }
}
