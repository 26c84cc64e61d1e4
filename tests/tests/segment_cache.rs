//! What encodes made is kept on a disk: never more of it than the owner gave, never in the way of
//! whoever watches, and never the picture of another film. `LOGE_LONG=1` does it as large and as
//! long as a release should see.

#![expect(clippy::disallowed_methods, reason = "films, mounts and the judge are real programs")]

use loge_tests::{
    House, Person, Runtime, eventually,
    media::{self, open_to_all},
    segments::{Picture, files, is_whole, let_everybody_encode, number, old_film, old_film_of, repeated, track_of},
    volume::Volume,
};
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    process::Command,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

fn long() -> bool {
    std::env::var_os("LOGE_LONG").is_some()
}

fn folder() -> tempfile::TempDir {
    let films = tempfile::Builder::new().prefix("loge-films-of-").tempdir().expect("a folder");
    open_to_all(films.path());
    films
}

fn titles(who: &Person) -> Vec<(String, String)> {
    let list = who.get("/api/v1/titles?limit=100").json();
    let of = |title: &Value| {
        let text = |name: &str| title[name].as_str().expect("text").to_owned();
        (text("name"), text("id"))
    };
    list["items"].as_array().expect("a list").iter().map(of).collect()
}

fn title(who: &Person, name: &str) -> String {
    let all = titles(who);
    all.iter().find(|(n, _)| n == name).unwrap_or_else(|| panic!("no {name} in {all:?}")).1.clone()
}

fn cache(owner: &Person) -> Value {
    owner.get("/api/v1/admin/cache").json()
}

fn set_space(owner: &Person, each: u64, total: u64) {
    let form = json!({ "cache_each_bytes": each, "cache_total_bytes": total, "max_viewers": 8 });
    let answer = owner.patch("/api/v1/admin/settings", &form);
    assert_eq!(answer.status, 200, "{answer:?}");
}

fn kept_segments(house: &House) -> BTreeMap<PathBuf, u64> {
    files(&house.data_dir().join("segments"))
}

/// Numbers that are no secret: the same on every machine.
struct Chance(u64);
impl Chance {
    fn below(&mut self, most: u32) -> u32 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        u32::try_from(self.0 >> 33).unwrap_or(0) % most.max(1)
    }
}

/// Where somebody is in which film, as the sampler reads it.
#[derive(Debug, Clone, Default, PartialEq)]
struct Place {
    /// By its file.
    film: String,
    asked: u32,
    /// Counts seeks: what was active before one need not be after it. 0 is on the way somewhere.
    era: u64,
}

/// Under what the cache keeps segments of a title.
fn file_of(who: &Person, title: &str) -> String {
    let told = who.get(&format!("/api/v1/titles/{title}/playability")).json();
    told["files"][0]["file_id"].as_str().unwrap_or_else(|| panic!("no file in {told:#}")).to_owned()
}

#[test]
fn the_cache_never_exceeds_its_quota_while_eight_people_seek_about() {
    const NAMES: [&str; 8] = ["Ana", "Bo", "Cleo", "Dan", "Eva", "Finn", "Gia", "Hal"];
    // A segment is about 130 kB here and 200 kB in the long form.
    let (each, total, lasts, seconds, size) = if long() {
        (40 << 20, 200 << 20, Duration::from_secs(1800), 300, "640x360")
    } else {
        (4 << 20, 8 << 20, Duration::from_secs(25), 120, "320x240")
    };
    let films = folder();
    for name in ["One", "Two", "Three"] {
        let noise = format!("testsrc2=s={size}:r=25,noise=alls=20:allf=t:all_seed={}", name.len());
        old_film(&films.path().join(format!("{name} (1999).avi")), &noise, seconds);
    }
    let house = House::open(Runtime::available()[0]);
    let owner = house.claim();
    let library = house.library(&owner, "Films", films.path());
    let_everybody_encode(&house);
    set_space(&owner, each, total);
    let people: Vec<Person> = NAMES.iter().map(|name| house.viewer(&owner, name, &[&library])).collect();
    let places: Vec<Arc<Mutex<Place>>> = people.iter().map(|_| Arc::default()).collect();
    let over = AtomicBool::new(false);
    let (most, samples, looked) = (AtomicU64::new(0), AtomicU64::new(0), AtomicU64::new(0));
    let gone: Mutex<Vec<String>> = Mutex::default();
    let (fetched, refused) = (AtomicU64::new(0), AtomicU64::new(0));
    let given: Mutex<BTreeSet<String>> = Mutex::default();
    let counted = |owner: &Person, what: &str| {
        let metrics = String::from_utf8(owner.get("/metrics").body).expect("text");
        let line = metrics.lines().find(|l| l.starts_with("loge_segment_cache_total") && l.contains(what));
        line.and_then(|l| l.rsplit(' ').next()?.parse::<u64>().ok()).unwrap_or(0)
    };
    let going = AtomicBool::new(true);
    std::thread::scope(|scope| {
        let until = Instant::now() + lasts;
        // A slow machine takes longer until the quota is in the way.
        let enough = || Instant::now() > until && (long() || counted(&owner, "made_room") > 20);
        let at_most = until + Duration::from_secs(180);
        for (n, (person, place)) in people.iter().zip(&places).enumerate() {
            let (anybody, fetched, refused, given, going) = (house.anonymous(), &fetched, &refused, &given, &going);
            scope.spawn(move || {
                let film = |(_, title): (String, String)| (file_of(person, &title), title);
                let films: Vec<_> = titles(person).into_iter().map(film).collect();
                let mut chance = Chance(n as u64 * 7919 + 1);
                let (mut era, mut person, mut signed_in) = (0, person.clone(), Instant::now());
                while going.load(Ordering::Relaxed) {
                    let (film, title) = &films[chance.below(3) as usize];
                    if signed_in.elapsed() > Duration::from_secs(240) {
                        person.sign_in_again(NAMES[n], "curtain up at eight");
                        signed_in = Instant::now();
                    }
                    let Ok(picture) = Picture::try_play(&anybody, &person, title, None) else {
                        refused.fetch_add(1, Ordering::Relaxed);
                        std::thread::sleep(Duration::from_millis(200));
                        continue;
                    };
                    for _ in 0..4 {
                        let from = chance.below(picture.len.saturating_sub(12));
                        for number in from..(from + 12).min(picture.len) {
                            if number > from {
                                place.lock().expect("a place").asked = number;
                            }
                            let answer = picture.get(number);
                            if number == from {
                                era += 1;
                                *place.lock().expect("a place") = Place { film: film.clone(), asked: number, era };
                            }
                            if answer.status != 200 {
                                // The machine is busy: the player would ask again.
                                refused.fetch_add(1, Ordering::Relaxed);
                                continue;
                            }
                            assert!(is_whole(&answer.body), "{number} is cut off");
                            fetched.fetch_add(1, Ordering::Relaxed);
                            given.lock().expect("a list").insert(media::sha256(&answer.body));
                        }
                        *place.lock().expect("a place") = Place::default();
                        if !going.load(Ordering::Relaxed) {
                            break;
                        }
                    }
                    picture.close();
                }
            });
        }
        // Every file that lies there, as often as one can look.
        let root = house.data_dir().join("segments");
        let mut seen: Vec<(Place, BTreeSet<PathBuf>)> = vec![Default::default(); people.len()];
        while !enough() && Instant::now() < at_most {
            let before: Vec<Place> = places.iter().map(|p| p.lock().expect("a place").clone()).collect();
            // What is in two listings lay there between them: one alone sees what went and what came.
            let (mut lie, again) = (files(&root), files(&root));
            lie.retain(|path, _| again.contains_key(path));
            let after: Vec<Place> = places.iter().map(|p| p.lock().expect("a place").clone()).collect();
            let bytes = lie.values().sum::<u64>();
            most.fetch_max(bytes, Ordering::Relaxed);
            over.fetch_or(bytes > total, Ordering::Relaxed);
            samples.fetch_add(1, Ordering::Relaxed);
            for (n, person) in people.iter().enumerate() {
                let hers: BTreeSet<PathBuf> =
                    lie.keys().filter(|p| p.starts_with(root.join(&person.id))).cloned().collect();
                over.fetch_or(
                    lie.iter().filter(|(p, _)| hers.contains(*p)).map(|(_, b)| b).sum::<u64>() > each,
                    Ordering::Relaxed,
                );
                let (place, known) = &mut seen[n];
                if place.era > 0 && place.era == before[n].era && place.era == after[n].era {
                    // What she has just seen or is about to see, with a little room for the moment between two looks.
                    let active =
                        |p: &&PathBuf| number(p).is_some_and(|k| k + 15 >= after[n].asked && k <= before[n].asked + 10);
                    looked.fetch_add(known.iter().filter(active).count() as u64, Ordering::Relaxed);
                    let lost = known.iter().filter(active).filter(|p| !hers.contains(*p));
                    let told = lost.map(|p| format!("{} between {:?} and {:?}", p.display(), before[n], after[n]));
                    gone.lock().expect("a list").extend(told);
                }
                // Films she does not watch at the moment are not active.
                let track = track_of(&after[n].film, after[n].asked, &hers);
                *known = hers.into_iter().filter(|p| track.as_deref() == p.parent()).collect();
                // A listing that a seek fell into may name what went before it.
                *place = if before[n].era == after[n].era { after[n].clone() } else { Place::default() };
            }
        }
        going.store(false, Ordering::Relaxed);
    });
    let owner = house.sign_in("Olga", "a long night at the opera");
    let view = cache(&owner);
    let counted = |what: &str| counted(&owner, what);
    eprintln!(
        "{} segments fetched ({} refusals), {} samples, at most {} of {total} bytes; kept {}, made room {}, served {}",
        fetched.load(Ordering::Relaxed),
        refused.load(Ordering::Relaxed),
        samples.load(Ordering::Relaxed),
        most.load(Ordering::Relaxed),
        counted("\"kept\""),
        counted("made_room"),
        counted("\"served\""),
    );
    assert!(!over.load(Ordering::Relaxed), "{} of {total} bytes: {view:#}", most.load(Ordering::Relaxed));
    let gone = gone.into_inner().expect("a list");
    assert!(gone.is_empty(), "{} segments that somebody was at went: {:#?}", gone.len(), &gone[..gone.len().min(5)]);
    assert!(looked.load(Ordering::Relaxed) > 100, "control: active segments were looked for");
    // The control: the quota was in the way, and looking was worth it.
    assert!(counted("made_room") > 20 && counted("\"served\"") > 0, "{view:#}");
    assert!(most.load(Ordering::Relaxed) > total / 2 && samples.load(Ordering::Relaxed) > 50);
    // Everything that lies there went to somebody, byte for byte.
    let given = given.into_inner().expect("a list");
    let lie = kept_segments(&house);
    assert!(lie.len() > 20, "{lie:?}");
    for path in lie.keys() {
        let bytes = std::fs::read(path).unwrap_or_default();
        assert!(given.contains(&media::sha256(&bytes)), "{} is nobody's", path.display());
    }
}

#[test]
fn a_long_film_plays_to_its_end_on_a_small_disk() {
    // Two hours and a little of 480p are more than a gigabyte; the short form is as much too long for its disk.
    // Few frames are enough to fill the rate of its rung, and are encoded sooner.
    let (bytes, size, quality, times, rate) =
        if long() { (1 << 30, "854x480:r=10", "480p", 140, "3M") } else { (6 << 20, "320x240:r=25", "240p", 3, "6M") };
    let films = folder();
    let minute = films.path().join("minute.avi");
    old_film_of(&minute, &format!("testsrc2=s={size},noise=alls=40:allf=t"), 60, rate);
    repeated(&minute, &films.path().join("Long (1999).avi"), times);
    std::fs::remove_file(&minute).expect("removed");
    let place = folder();
    let Some(volume) = Volume::mount(&place.path().join("volume"), bytes) else { return };
    let env = [("LOGE_SEGMENTS_DIR", volume.0.to_str().expect("a path"))];
    {
        let house = House::open_with(Runtime::available()[0], &env);
        let owner = house.claim();
        let library = house.library(&owner, "Films", films.path());
        let_everybody_encode(&house);
        let ana = house.viewer(&owner, "Ana", &[&library]);
        let picture = Picture::play(&house, &ana, &title(&ana, "Long"), Some(quality));
        assert!(picture.len >= times * 29, "{} segments", picture.len);
        let mut sent = 0;
        for number in 0..picture.len {
            let segment = picture.segment(number);
            sent += segment.len() as u64;
            let used = files(&volume.0).values().sum::<u64>();
            assert!(used <= bytes - bytes / 20, "segment {number}: {used} of {bytes} bytes");
        }
        assert_eq!(picture.get(picture.len).status, 404, "that was the end");
        // Her signing in does not last as long as the film.
        let owner = house.sign_in("Olga", "a long night at the opera");
        let view = cache(&owner);
        eprintln!("{} segments, {sent} bytes through a disk of {bytes}; {view}", picture.len);
        // The control: the film did not fit, and the disk was used.
        assert!(sent > bytes && view["used_bytes"].as_u64() > Some(bytes / 2), "{sent} {view:#}");
        assert_eq!(view["state"], "keeping", "{view:#}");
        // Back a little, which lies there, and to the beginning, which is made again.
        assert!(is_whole(&picture.segment(picture.len - 3)) && is_whole(&picture.segment(0)));
    }
    drop(volume);
}

#[test]
fn a_full_disk_takes_nothing_from_anybody_and_is_told() {
    let films = media::some(&[media::DIRECT, media::AVI]);
    let place = folder();
    let Some(volume) = Volume::mount(&place.path().join("volume"), 16 << 20) else { return };
    let env = [("LOGE_SEGMENTS_DIR", volume.0.to_str().expect("a path"))];
    {
        let house = House::open_with(Runtime::available()[0], &env);
        let owner = house.claim();
        let library = house.library(&owner, "Films", films.path());
        let ana = house.viewer(&owner, "Ana", &[&library]);
        let kept = || files(&volume.0).keys().filter(|path| number(path).is_some()).count();
        let picture = Picture::play(&house, &ana, &title(&ana, "Old Reel"), None);
        picture.segment(0);
        eventually("the control: it is kept while there is room", || (kept() == 1).then_some(()));

        // To the last byte, by somebody else.
        let filler = volume.0.join("filler");
        let mut file = std::fs::File::create(&filler).expect("a file");
        while std::io::Write::write_all(&mut file, &[0; 4096]).is_ok() {}
        drop(file);
        picture.segment(1);
        let told = eventually("the owner is told", || {
            let alerts = owner.get("/api/v1/admin/alerts").json();
            alerts["items"].as_array()?.iter().find(|a| a["code"] == "cache_paused").cloned()
        });
        let text = told["text"].as_str().expect("words");
        assert!(text.contains("full") && text.contains("plays on"), "{told:#}");
        assert_eq!(cache(&owner)["state"], "full");
        // Live encodes, films as they are and the owner's pages go on.
        for number in 0..picture.len {
            picture.segment(number);
        }
        let direct = ana.post(&format!("/api/v1/titles/{}/play", title(&ana, "The Lantern Room")), &json!({})).json();
        assert_eq!(direct["method"], "direct", "{direct:#}");
        let film = house.anonymous().get(direct["url"].as_str().expect("an address"));
        let whole = std::fs::read(films.path().join(media::DIRECT)).expect("the film");
        assert!(film.status == 200 && film.body == whole, "{}", film.status);

        std::fs::remove_file(&filler).expect("removed");
        eventually("it is over by itself", || {
            let alerts = owner.get("/api/v1/admin/alerts").json();
            let raised = alerts["items"].as_array()?.iter().any(|a| a["code"] == "cache_paused");
            (!raised && cache(&owner)["state"] == "keeping").then_some(())
        });
        let before = kept();
        eventually("it is kept again", || {
            for number in 0..picture.len {
                picture.segment(number);
            }
            (kept() > before).then_some(())
        });
    }
    drop(volume);
}

#[test]
fn a_crash_leaves_nothing_half_written() {
    let films = media::some(&[media::AVI]);
    let mut house = House::open(Runtime::available()[0]);
    let owner = house.claim();
    let library = house.library(&owner, "Films", films.path());
    house.viewer(&owner, "Ana", &[&library]);
    for round in 0..if long() { 40 } else { 4 } {
        let ana = house.sign_in("Ana", "curtain up at eight");
        let picture = Picture::play(&house, &ana, &title(&ana, "Old Reel"), None);
        let owner = house.sign_in("Olga", "a long night at the opera");
        assert_eq!(owner.delete("/api/v1/admin/cache").status, 204);
        for number in 0..=round % picture.len {
            picture.segment(number);
        }
        // Now, while the last of them is on its way to the disk.
        let segments = house.data_dir().join("segments");
        let track = eventually("something is kept", || {
            files(&segments).keys().find(|p| number(p).is_some()).and_then(|p| p.parent().map(Path::to_path_buf))
        });
        // The control: this is what a write looks like that a crash interrupted.
        let part = track.join("77.part");
        std::fs::write(&part, b"half").expect("written");
        house = house.crash_and_reopen();
        let owner = house.sign_in("Olga", "a long night at the opera");
        eventually("the cache is open", || (cache(&owner)["segments"].as_u64()? > 0).then_some(()));
        for path in files(&house.data_dir().join("segments")).keys() {
            let name = path.file_name().and_then(|n| n.to_str()).expect("a name");
            let length = name.split('.').nth(1).and_then(|hex| u64::from_str_radix(hex, 16).ok());
            let bytes = std::fs::read(path).expect("a segment");
            assert!(length == Some(bytes.len() as u64) && is_whole(&bytes), "{name} is left behind");
        }
        assert!(!part.exists());
    }
}

/// The middle of a picture: red, green and blue of its mean.
fn colour(init: &[u8], segment: &[u8], dir: &Path) -> [u8; 3] {
    let file = dir.join("joined.mp4");
    std::fs::write(&file, [init, segment].concat()).expect("written");
    let out = Command::new("ffmpeg")
        .args(["-nostdin", "-v", "error", "-i"])
        .arg(&file)
        .args(["-frames:v", "1", "-vf", "scale=1:1", "-f", "rawvideo", "-pix_fmt", "rgb24", "-"])
        .output()
        .expect("ffmpeg runs");
    std::fs::remove_file(&file).expect("removed");
    out.stdout.get(..3).and_then(|rgb| rgb.try_into().ok()).unwrap_or_else(|| panic!("no picture: {out:?}"))
}

#[test]
fn a_film_that_is_replaced_is_never_mixed_with_the_one_before() {
    for runtime in Runtime::available() {
        let (films, work) = (folder(), folder());
        let (path, other) = (films.path().join("Film (1999).avi"), work.path().join("other.avi"));
        old_film(&path, "color=red:s=320x240:r=25", 20);
        old_film(&other, "color=blue:s=320x240:r=25", 20);
        // Of the same size, so that only its time tells.
        let (mut red, mut blue) = (std::fs::read(&path).expect("a film"), std::fs::read(&other).expect("a film"));
        let size = red.len().max(blue.len());
        red.resize(size, 0);
        blue.resize(size, 0);
        std::fs::write(&path, &red).expect("written");
        let house = House::open(runtime);
        let owner = house.claim();
        let library = house.library(&owner, "Films", films.path());
        let ana = house.viewer(&owner, "Ana", &[&library]);
        let id = title(&ana, "Film");
        let picture = Picture::play(&house, &ana, &id, None);
        let is_red = |picture: &Picture, segment: &[u8]| {
            let [r, _, b] = colour(&picture.init, segment, work.path());
            assert!(r.abs_diff(b) > 100, "{r} {b}");
            r > b
        };
        for number in 0..3 {
            assert!(is_red(&picture, &picture.segment(number)));
        }
        eventually("they are kept", || (kept_segments(&house).len() >= 3).then_some(()));

        std::fs::write(&path, &blue).expect("written");
        let mut changed = 0;
        for number in (0..picture.len).chain(0..3) {
            let answer = picture.get(number);
            match answer.status {
                200 => assert!(is_red(&picture, &answer.body), "segment {number} is of the other film"),
                409 => changed += 1,
                status => panic!("{status}: {answer:?}"),
            }
        }
        assert!(changed > 0, "the control: the other film was there to be seen");
        assert_eq!(owner.post(&format!("/api/v1/libraries/{library}/scan"), &json!({})).status, 202);
        house.wait_for_jobs(&owner);
        eventually("the play is over", || (picture.get(0).status == 409).then_some(()));
        let picture = Picture::play(&house, &ana, &id, None);
        for number in 0..picture.len {
            assert!(!is_red(&picture, &picture.segment(number)), "segment {number} is of the film before");
        }
        eventually("nothing of the film before is left", || {
            let films: BTreeSet<_> = kept_segments(&house)
                .keys()
                .filter_map(|p| Some(p.parent()?.parent()?.file_name()?.to_owned()))
                .collect();
            (films.len() == 1).then_some(())
        });
    }
}

/// How long it took is printed; that it was the same picture is what is tested.
#[test]
fn going_back_encodes_nothing_twice() {
    for runtime in Runtime::available() {
        let films = folder();
        let noise = "testsrc2=s=640x480:r=25,noise=alls=20:allf=t";
        old_film(&films.path().join("Film (1999).avi"), noise, if long() { 120 } else { 30 });
        let house = House::open(runtime);
        let owner = house.claim();
        let library = house.library(&owner, "Films", films.path());
        let_everybody_encode(&house);
        let ana = house.viewer(&owner, "Ana", &[&library]);
        let picture = Picture::play(&house, &ana, &title(&ana, "Film"), Some("480p"));
        let sound = picture.url.replace("master.m3u8", "a-0/");
        let hear = |part: &str| {
            let answer = house.anonymous().get(&format!("{sound}{part}"));
            assert_eq!(answer.status, 200, "{part}: {answer:?}");
            answer.body
        };
        hear("init.mp4");
        let seen: Vec<Vec<u8>> = (0..picture.len).map(|number| picture.segment(number)).collect();
        let heard: Vec<Vec<u8>> = (0..4).map(|number| hear(&format!("{number}.m4s"))).collect();
        eventually("all of it is kept", || {
            (cache(&owner)["segments"].as_u64() == Some(u64::from(picture.len) + 4)).then_some(())
        });
        // What the container has in memory goes with it.
        let forget = || {
            let path = format!("/api/v1/admin/containers/{}/restart", ana.id);
            assert!(owner.post(&path, &json!({})).status < 300);
            eventually("another container", || (house.anonymous().get(&picture.url).status == 200).then_some(()));
            hear("init.mp4");
        };
        let all = [picture.len / 2, 3, picture.len - 4];
        let places = if long() { &all[..] } else { &all[..1] };
        let back = |what: &str| {
            let (mut picture_ms, mut sound_ms, mut same) = (vec![], vec![], 0);
            for place in places.iter().copied() {
                forget();
                let began = Instant::now();
                same += usize::from(picture.segment(place) == seen[place as usize]);
                picture_ms.push(began.elapsed().as_millis());
                let began = Instant::now();
                same += usize::from(hear("1.m4s") == heard[1]);
                sound_ms.push(began.elapsed().as_millis());
            }
            eprintln!("{runtime:?}, going back {what}: picture {picture_ms:?} ms, sound {sound_ms:?} ms");
            same
        };
        let served = || cache(&owner)["served"].as_u64().expect("a number");
        let before = served();
        let pieces = places.len() * 2;
        assert_eq!(back("with what was kept"), pieces, "the same picture and sound");
        assert_eq!(served(), before + pieces as u64);
        // The control: without it they are made again.
        set_space(&owner, 0, 0);
        assert_eq!(owner.delete("/api/v1/admin/cache").status, 204);
        back("without");
        assert_eq!(served(), before + pieces as u64);
    }
}

#[test]
fn wrapping_a_film_anew_writes_nothing() {
    let films = media::some(&[media::MKV, media::AVI]);
    let house = House::open(Runtime::available()[0]);
    let owner = house.claim();
    let library = house.library(&owner, "Films", films.path());
    let ana = house.viewer(&owner, "Ana", &[&library]);
    let picture = Picture::play(&house, &ana, &title(&ana, "Copper Sky"), None);
    let sound = picture.url.replace("master.m3u8", "a-0/");
    for number in 0..picture.len {
        picture.segment(number);
    }
    for part in ["init.mp4", "0.m4s", "1.m4s"] {
        assert_eq!(house.anonymous().get(&format!("{sound}{part}")).status, 200);
    }
    // The control: what is kept is there by now, and of the encode alone.
    let encoded = Picture::play(&house, &ana, &title(&ana, "Old Reel"), None);
    encoded.segment(0);
    eventually("the encode is kept", || (!kept_segments(&house).is_empty()).then_some(()));
    assert_eq!(kept_segments(&house).len(), 1, "{:?}", kept_segments(&house));
}
