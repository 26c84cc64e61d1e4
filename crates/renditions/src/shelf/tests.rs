use super::*;
use media::hls::{
    TICKS,
    index::{Point, PointKind},
};

fn id(n: u8) -> JobId {
    JobId::from_random([n; 16])
}

/// A film of 8 s with a key frame every 2 s: four segments.
fn index() -> Vec<u8> {
    let points = (0..4).map(|n| Point { pts: n * 2 * TICKS, first: n * 2 * TICKS, kind: PointKind::Clean }).collect();
    KeyframeIndex { picture: 0, points, end: 8 * TICKS, frame: 3600, audio: vec![] }.to_bytes()
}

fn read(slice: &Slice) -> Vec<u8> {
    use std::os::unix::fs::FileExt;
    let mut out = vec![0; usize::try_from(slice.length).unwrap()];
    slice.file.read_exact_at(&mut out, slice.offset).unwrap();
    out
}

fn fill(writer: &mut TrackWriter, from: u8, to: u8) {
    for n in from..to {
        writer.append(&vec![n; usize::from(n) + 1]).unwrap();
    }
}

#[test]
fn what_is_made_can_be_read_and_nothing_before_it_is_whole() {
    let dir = tempfile::tempdir().unwrap();
    let shelf = Shelf::open(dir.path().join("renditions")).unwrap();
    let parts =
        u8::try_from(Timeline::new(KeyframeIndex::from_bytes(&index()).unwrap()).encode.cuts.len()).unwrap() + 1;
    let draft = shelf.begin(&id(1), &index()).unwrap();
    let sounds = u8::try_from(Timeline::new(KeyframeIndex::from_bytes(&index()).unwrap()).audio.len()).unwrap() + 1;
    for (name, parts) in [(VIDEO, parts), ("a-0", sounds)] {
        let mut writer = draft.track(name).unwrap();
        fill(&mut writer, 0, parts);
        writer.keep().unwrap();
    }
    assert!(shelf.read(&id(1), 480).is_err() && !shelf.is_whole(&id(1)));
    draft.finish().unwrap();
    let stored = shelf.read(&id(1), 480).unwrap();
    // Parts of 2 to 5 bytes for 2 s each; the init of one byte is not played.
    assert_eq!(stored.rates(), (5 * 8 / 2, (2 + 3 + 4 + 5) * 8 / 8));
    assert!(stored.has("a-0") && !stored.has("a-1"));
    assert_eq!(read(&stored.slice(VIDEO, None).unwrap()), [0]);
    assert_eq!(read(&stored.slice("a-0", Some(2)).unwrap()), [3; 4]);
    assert!(stored.slice(VIDEO, Some(u32::from(parts) - 1)).is_none() && stored.slice("a-1", None).is_none());
    assert!(stored.slice(VIDEO, Some(u32::MAX)).is_none());

    // A file that lost its end is no version.
    let path = dir.path().join("renditions").join(id(1).as_str()).join("v.m4s");
    let bytes = fs::read(&path).unwrap();
    fs::write(&path, &bytes[..bytes.len() - 1]).unwrap();
    assert!(shelf.read(&id(1), 480).is_err());
    shelf.remove(&id(1)).unwrap();
    shelf.remove(&id(1)).unwrap();
    assert!(!shelf.is_whole(&id(1)));
}

#[test]
fn a_version_of_before_keeps_the_plan_it_was_made_by() {
    let index = {
        let sound = media::hls::index::AudioPhase { start_us: 0, end_us: 30_000_000, rate: 48_000 };
        KeyframeIndex { audio: vec![sound], ..KeyframeIndex::from_bytes(&index()).unwrap() }
    };
    let plans = [Timeline::new(index.clone()), Timeline::ending_with_picture(index.clone())];
    assert_eq!(plans.each_ref().map(|plan| (plan.encode.len(), plan.audio.len())), [(6, 10), (4, 3)]);
    let dir = tempfile::tempdir().unwrap();
    let shelf = Shelf::open(dir.path().into()).unwrap();
    for (n, plan) in (1..).zip(&plans) {
        let draft = shelf.begin(&id(n), &index.to_bytes()).unwrap();
        for (name, parts) in [(VIDEO, plan.encode.len()), ("a-0", plan.audio.len())] {
            let mut writer = draft.track(name).unwrap();
            fill(&mut writer, 0, u8::try_from(parts).unwrap() + 1);
            writer.keep().unwrap();
        }
        draft.finish().unwrap();
        let stored = shelf.read(&id(n), 480).unwrap();
        assert_eq!(stored.timeline.encode, plan.encode);
        assert_eq!(stored.timeline.audio, plan.audio);
        for (name, parts) in [(VIDEO, plan.encode.len()), ("a-0", plan.audio.len())] {
            assert!(stored.slice(name, Some(parts - 1)).is_some() && stored.slice(name, Some(parts)).is_none());
        }
    }
}

#[test]
fn work_goes_on_where_it_surely_is() {
    let dir = tempfile::tempdir().unwrap();
    let shelf = Shelf::open(dir.path().into()).unwrap();
    let draft = shelf.begin(&id(1), &index()).unwrap();
    let mut writer = draft.track(VIDEO).unwrap();
    fill(&mut writer, 0, 3);
    writer.keep().unwrap();
    // Written and not kept: the power may have gone in between.
    fill(&mut writer, 3, 4);
    drop(writer);
    let again = shelf.begin(&id(1), &index()).unwrap().track(VIDEO).unwrap();
    assert_eq!((again.parts(), again.bytes()), (3, 6));
    assert_eq!(fs::metadata(dir.path().join(format!("{}.part/v.m4s", id(1)))).unwrap().len(), 6);
    drop(again);

    // Bytes that never reached the disk take their lengths along.
    OpenOptions::new().write(true).open(draft.dir.join("v.m4s")).unwrap().set_len(4).unwrap();
    let mut again = shelf.begin(&id(1), &index()).unwrap().track(VIDEO).unwrap();
    assert_eq!((again.parts(), again.bytes()), (2, 3));
    again.append(&[9]).unwrap();
    again.keep().unwrap();
    drop(again);
    assert_eq!(draft.track(VIDEO).unwrap().parts(), 3);

    // Another index cuts elsewhere: nothing of the old work fits.
    let other = [index(), vec![]].concat();
    assert_eq!(shelf.begin(&id(1), &other).unwrap().track(VIDEO).unwrap().parts(), 3, "the same one");
    assert_eq!(shelf.begin(&id(1), b"another").unwrap().track(VIDEO).unwrap().parts(), 0);
}

#[test]
fn a_sweep_takes_what_nobody_knows_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let shelf = Shelf::open(dir.path().into()).unwrap();
    for n in 1..=3 {
        drop(shelf.begin(&id(n), &index()).unwrap());
    }
    fs::write(dir.path().join("notes.txt"), b"mine").unwrap();
    let kept = id(2);
    assert_eq!(shelf.sweep(&HashSet::from([kept.as_str()])).unwrap(), 2);
    assert!(shelf.part(&kept).is_dir() && dir.path().join("notes.txt").is_file());
    assert!(shelf.free_bytes() > 0);
}
