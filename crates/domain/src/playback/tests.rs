use super::*;
use crate::facts::{AudioFacts, DolbyVision, VideoFacts};

fn file(container: Container, video: &str, audio: &[&str]) -> FileFacts {
    FileFacts {
        container,
        duration_ms: 1000,
        start_ms: 0,
        compressed: false,
        is_length_found: false,
        bitrate: None,
        video: Some(VideoFacts { bit_depth: Some(8), ..VideoFacts::plain(video, 640, 360) }),
        audio: (0..).zip(audio).map(|(track, codec)| AudioFacts::plain(track, codec, 2)).collect(),
        subtitles: vec![],
        chapters: vec![],
    }
}

fn candidate(facts: &FileFacts) -> Candidate<'_> {
    Candidate { facts: Some(facts), defect: None, copy: None, sound_begins_late: false, renditions: &[], live: &[] }
}

fn check(facts: &FileFacts, caps: &Capabilities, want: Result<Method, &[Reason]>) {
    check_of(&candidate(facts), caps, Wish::default(), want);
}

fn check_of(file: &Candidate<'_>, caps: &Capabilities, wish: Wish, want: Result<Method, &[Reason]>) {
    match (decide(file, caps, wish), want) {
        (Decision::Play { method, .. }, Ok(wanted)) => assert_eq!(method, wanted, "{file:?}"),
        (Decision::Refuse { reasons }, Err(wanted)) => assert_eq!(reasons, wanted, "{file:?}"),
        (got, want) => panic!("{got:?} instead of {want:?}"),
    }
}

#[test]
fn the_cheapest_way_comes_first() {
    let any = Capabilities::default();
    check(&file(Container::Mp4, "h264", &["aac"]), &any, Ok(Method::Direct));
    check(&file(Container::Webm, "vp9", &["opus"]), &any, Ok(Method::Direct));
    check(&file(Container::Mov, "h264", &[]), &any, Ok(Method::Direct));
    check(&file(Container::Mp4, "h264", &["ac3"]), &any, Ok(Method::Remux));
    check(&file(Container::Mkv, "h264", &["aac"]), &any, Ok(Method::Remux));
    check(&file(Container::Mkv, "vp9", &["opus"]), &any, Ok(Method::Remux));
    check(&file(Container::Avi, "h264", &["mp3"]), &any, Ok(Method::Remux));
    check(
        &file(Container::Avi, "mpeg4", &["mp3"]),
        &any,
        Err(&[Reason::ContainerNotPlayable, Reason::VideoCodecNotPlayable]),
    );
    check(
        &file(Container::Mkv, "hevc", &["ac3"]),
        &any,
        Err(&[Reason::ContainerNotPlayable, Reason::VideoCodecNotPlayable, Reason::AudioCodecNotPlayable]),
    );
}

#[test]
fn a_way_that_failed_is_not_offered_again() {
    let facts = file(Container::Mp4, "h264", &["aac"]);
    let live = Candidate { copy: Some(CopyVerdict::Possible), live: &[360], ..candidate(&facts) };
    let wish = |direct, remux| Wish { failed: FailedMethods { direct, remux }, ..Wish::default() };
    let any = Capabilities::default();
    check_of(&live, &any, wish(false, false), Ok(Method::Direct));
    check_of(&live, &any, wish(true, false), Ok(Method::Remux));
    check_of(&live, &any, wish(true, true), Ok(Method::Transcode));
    check_of(&live, &any, wish(false, true), Ok(Method::Direct));
    check_of(&candidate(&facts), &any, wish(true, true), Err(&[Reason::FailedBefore]));
    let prepared = Candidate { renditions: &[240], ..live };
    assert!(ladder(&prepared, &any, wish(true, false), Method::Remux, None).original);
    assert!(!ladder(&prepared, &any, wish(true, true), Method::Rendition, Some(240)).original);
}

#[test]
fn the_receipt_says_what_is_done_and_why() {
    let facts = file(Container::Mkv, "h264", &["ac3"]);
    let Decision::Play { reasons, .. } = decide(&candidate(&facts), &Capabilities::default(), Wish::default()) else {
        panic!("refused")
    };
    let expected =
        [Reason::ContainerNotPlayable, Reason::AudioCodecNotPlayable, Reason::PictureCopied, Reason::SoundEncoded];
    assert_eq!(reasons, expected);
}

#[test]
fn a_browser_that_says_more_gets_more() {
    let chromium = Capabilities { containers: Some(vec![Container::Mkv, Container::Mp4]), ..Capabilities::default() };
    check(&file(Container::Mkv, "h264", &["aac"]), &chromium, Ok(Method::Direct));
    check(&file(Container::Webm, "vp9", &["opus"]), &chromium, Ok(Method::Remux));
    let safari = Capabilities { mse_video_codecs: Some(vec!["h264".into(), "hevc".into()]), ..Capabilities::default() };
    check(&file(Container::Mkv, "hevc", &["ac3"]), &safari, Ok(Method::Remux));
    check(
        &file(Container::Mkv, "vp9", &["opus"]),
        &safari,
        Err(&[Reason::ContainerNotPlayable, Reason::VideoCodecNotPlayable]),
    );
}

#[test]
fn ten_bit_h264_is_not_believed_unless_it_was_measured() {
    let mut facts = file(Container::Mp4, "h264", &["aac"]);
    facts.video.as_mut().unwrap().bit_depth = Some(10);
    check(&facts, &Capabilities::default(), Err(&[Reason::TenBitNotPlayable]));
    let measured = Capabilities { ten_bit: Some(vec!["h264".into()]), ..Capabilities::default() };
    check(&facts, &measured, Ok(Method::Direct));
}

#[test]
fn the_track_that_will_be_heard_decides() {
    let mut facts = file(Container::Mp4, "h264", &["ac3", "aac"]);
    check(&facts, &Capabilities::default(), Ok(Method::Remux));
    facts.audio[1].default = true;
    check(&facts, &Capabilities::default(), Ok(Method::Remux));
    facts.audio.swap(0, 1);
    check(&facts, &Capabilities::default(), Ok(Method::Direct));
    facts.audio.swap(0, 1);
    let other = Wish { audio_track: Some(0), ..Wish::default() };
    check_of(&candidate(&facts), &Capabilities::default(), other, Ok(Method::Remux));
}

#[test]
fn key_frames_that_need_others_are_neither_played_nor_copied() {
    let facts = file(Container::Mp4, "h264", &["aac"]);
    let open = Candidate { copy: Some(CopyVerdict::OpenGroups), ..candidate(&facts) };
    let any = Capabilities::default();
    check_of(&open, &any, Wish::default(), Err(&[Reason::OpenGroups]));
    check_of(&Candidate { renditions: &[480, 720], ..open }, &any, Wish::default(), Ok(Method::Rendition));
    check_of(&Candidate { live: &[480], ..open }, &any, Wish::default(), Ok(Method::Transcode));
    let sparse = Candidate { copy: Some(CopyVerdict::TooSparse), ..candidate(&facts) };
    check_of(&sparse, &any, Wish::default(), Ok(Method::Direct));
}

#[test]
fn smaller_pictures_are_for_those_who_want_or_need_them() {
    let mut facts = file(Container::Mp4, "h264", &["aac"]);
    facts.video.as_mut().unwrap().height = 1080;
    facts.bitrate = Some(12_000_000);
    let film = Candidate { renditions: &[480, 720], live: &[360], ..candidate(&facts) };
    let lines = |caps: &Capabilities, quality| match decide(&film, caps, Wish { quality, ..Wish::default() }) {
        Decision::Play { method, lines, .. } => (method, lines),
        Decision::Refuse { reasons } => panic!("{reasons:?}"),
    };
    let any = Capabilities::default();
    assert_eq!(lines(&any, Quality::Auto), (Method::Direct, None));
    assert_eq!(lines(&any, Quality::Lines(720)), (Method::Rendition, Some(720)));
    assert_eq!(lines(&any, Quality::Lines(360)), (Method::Transcode, Some(360)));
    assert_eq!(lines(&any, Quality::Lines(540)), (Method::Direct, None));
    assert_eq!(lines(&any, Quality::Lines(2160)), (Method::Direct, None));
    let phone = Capabilities { max_height: Some(720), ..Capabilities::default() };
    assert_eq!(lines(&phone, Quality::Auto), (Method::Rendition, Some(720)));
    assert_eq!(lines(&phone, Quality::Original), (Method::Direct, None));
    let far = Capabilities { downlink_kbps: Some(5000), ..Capabilities::default() };
    assert_eq!(lines(&far, Quality::Auto), (Method::Rendition, Some(720)));
    assert_eq!(Quality::parse("720p"), Some(Quality::Lines(720)));
    assert_eq!(Quality::parse("9p"), None);
    assert_eq!(Quality::parse("p"), None);
}

#[test]
fn a_player_may_change_between_what_costs_nobody_an_encode() {
    let mut facts = file(Container::Mkv, "h264", &["aac"]);
    facts.video.as_mut().unwrap().height = 1080;
    let film =
        Candidate { copy: Some(CopyVerdict::Possible), renditions: &[480, 720], live: &[360], ..candidate(&facts) };
    let any = Capabilities::default();
    let of = |film: &Candidate<'_>, caps: &Capabilities, quality| {
        let wish = Wish { quality, ..Wish::default() };
        match decide(film, caps, wish) {
            Decision::Play { method, lines, .. } => {
                let ladder = ladder(film, caps, wish, method, lines);
                assert!(method == Method::Direct || ladder.holds(lines), "what was chosen is always there");
                (ladder.original, ladder.lines)
            }
            Decision::Refuse { reasons } => panic!("{reasons:?}"),
        }
    };
    assert_eq!(of(&film, &any, Quality::Auto), (true, vec![720, 480]));
    assert_eq!(of(&Candidate { renditions: &[], ..film }, &any, Quality::Auto), (true, vec![]));
    // Who chose gets that and nothing else.
    assert_eq!(of(&film, &any, Quality::Original), (true, vec![]));
    assert_eq!(of(&film, &any, Quality::Lines(480)), (false, vec![480]));
    assert_eq!(of(&film, &any, Quality::Lines(360)), (false, vec![360]));
    // What admission has left is the most there is.
    assert_eq!(of(&film, &any, Quality::AtMost(720)), (false, vec![720, 480]));
    assert_eq!(of(&film, &any, Quality::AtMost(360)), (false, vec![360]));
    let phone = Capabilities { max_height: Some(480), ..Capabilities::default() };
    assert_eq!(of(&film, &phone, Quality::Auto), (false, vec![480]));
    let far = Capabilities { downlink_kbps: Some(2000), ..Capabilities::default() };
    let fat = FileFacts { bitrate: Some(12_000_000), ..facts.clone() };
    assert_eq!(of(&Candidate { facts: Some(&fat), ..film }, &far, Quality::Auto), (true, vec![720, 480]));
    // A picture that cannot be copied is not among them, and nothing is encoded on top of what there is.
    let sparse = Candidate { copy: Some(CopyVerdict::TooSparse), ..film };
    assert_eq!(of(&sparse, &any, Quality::Auto), (false, vec![720, 480]));
    let unknown = Candidate { copy: None, ..film };
    assert_eq!(of(&unknown, &any, Quality::Lines(720)), (false, vec![720]));
    let hevc =
        FileFacts { video: Some(VideoFacts { codec: "hevc".into(), ..facts.video.clone().unwrap() }), ..facts.clone() };
    assert_eq!(of(&Candidate { facts: Some(&hevc), ..film }, &any, Quality::Auto), (false, vec![720, 480]));
    let none = Candidate { facts: Some(&hevc), renditions: &[], ..film };
    assert_eq!(of(&none, &any, Quality::Auto), (false, vec![360]), "the live one that was admitted");
    let plain = file(Container::Mp4, "h264", &["aac"]);
    assert_eq!(of(&candidate(&plain), &any, Quality::Auto), (false, vec![]), "a file as it is has no rungs");
}

#[test]
fn verdicts() {
    assert_eq!(playability(None, None), Playability::Unknown);
    assert_eq!(playability(None, Some(Defect::Truncated)), Playability::Broken);
    assert_eq!(playability(Some(&file(Container::Avi, "mpeg4", &[])), None), Playability::NeedsPreparing);
    assert_eq!(playability(Some(&file(Container::Mkv, "h264", &["ac3"])), None), Playability::Remux);
    assert_eq!(playability(Some(&file(Container::Mp4, "h264", &["aac"])), None), Playability::Direct);
}

#[test]
fn open_groups_are_for_browsers_that_take_them() {
    let facts = file(Container::Mp4, "h264", &["aac"]);
    let film = Candidate { copy: Some(CopyVerdict::OpenGroups), live: &[240], ..candidate(&facts) };
    let takes = Capabilities { open_groups: true, ..Capabilities::default() };
    check_of(&film, &Capabilities::default(), Wish::default(), Ok(Method::Transcode));
    check_of(&film, &takes, Wish::default(), Ok(Method::Direct));
    assert!(may_hide_open_groups(&facts, &Capabilities::default()));
    assert!(!may_hide_open_groups(&facts, &takes));
    assert!(!may_hide_open_groups(&file(Container::Mkv, "h264", &["aac"]), &Capabilities::default()));
    assert!(!may_hide_open_groups(&file(Container::Mp4, "av1", &["aac"]), &Capabilities::default()));
}

#[test]
fn a_browser_without_h264_is_offered_nothing_that_is_made() {
    let bare = Capabilities {
        video_codecs: Some(vec!["vp9".into(), "av1".into()]),
        mse_video_codecs: Some(vec!["vp9".into(), "av1".into()]),
        ..Capabilities::default()
    };
    let facts = file(Container::Avi, "mpeg4", &["mp3"]);
    let film = Candidate { renditions: &[480], live: &[360], ..candidate(&facts) };
    let why = [Reason::ContainerNotPlayable, Reason::VideoCodecNotPlayable, Reason::NoH264];
    check_of(&film, &bare, Wish::default(), Err(&why));
    check_of(&film, &Capabilities::default(), Wish::default(), Ok(Method::Rendition));
    let mut nine = file(Container::Mkv, "vp9", &["ac3"]);
    nine.video.as_mut().unwrap().height = 1080;
    let film = Candidate { copy: Some(CopyVerdict::Possible), renditions: &[480], live: &[360], ..candidate(&nine) };
    check_of(&film, &bare, Wish { quality: Quality::Lines(480), ..Wish::default() }, Ok(Method::Remux));
    assert_eq!(ladder(&film, &bare, Wish::default(), Method::Remux, None), Ladder { original: true, lines: vec![] });
}

#[test]
fn what_somebody_likes_to_hear() {
    let film = |tracks: &[(Option<&str>, Option<&str>, bool)]| {
        let mut facts = file(Container::Mkv, "h264", &vec!["aac"; tracks.len()]);
        for (track, (language, title, default)) in facts.audio.iter_mut().zip(tracks) {
            track.language = language.map(Into::into);
            track.title = title.map(Into::into);
            track.commentary = title.is_some_and(|title| title.starts_with("Comment"));
            track.default = *default;
        }
        facts
    };
    let both = film(&[(Some("eng"), None, true), (Some("ger"), Some("Comments"), false), (Some("deu"), None, false)]);
    assert_eq!(heard_in(&both, "de"), Some(2));
    assert_eq!(heard_in(&both, "en"), None, "that is what plays anyway");
    assert_eq!(heard_in(&both, "fr"), None);
    let said = film(&[(None, None, false), (Some("de-AT"), Some("Commentary"), false)]);
    assert_eq!(heard_in(&said, "de"), Some(1));
    assert_eq!(heard_in(&film(&[]), "de"), None);
}

/// A film with one thing about it, and what two browsers and a player get of it.
#[test]
fn what_a_browser_shows_wrongly_it_is_not_given() {
    type Change = fn(&mut FileFacts);
    let of = |container, codec, change: Change| {
        let mut facts = file(container, codec, &["aac"]);
        change(&mut facts);
        facts
    };
    let any = Capabilities::default();
    let safari = crate::devices::Device::named("safari").unwrap().capabilities();
    let vlc = crate::devices::Device::named("vlc").unwrap().capabilities();
    let first = |why: Reason| Err(vec![why]);
    type Case<'a> = (&'a str, FileFacts, &'a Capabilities, Result<Method, Vec<Reason>>);
    let cases: [Case<'_>; 21] = [
        ("plain", of(Container::Mp4, "h264", |_| {}), &any, Ok(Method::Direct)),
        (
            "second picture",
            of(Container::Mp4, "h264", |f| f.video.as_mut().unwrap().track = 1),
            &any,
            Ok(Method::Remux),
        ),
        (
            "second picture",
            of(Container::Mp4, "h264", |f| f.video.as_mut().unwrap().track = 1),
            &vlc,
            Ok(Method::Direct),
        ),
        (
            "fields",
            of(Container::Mp4, "h264", |f| f.video.as_mut().unwrap().interlaced = true),
            &any,
            first(Reason::Interlaced),
        ),
        (
            "fields",
            of(Container::Mp4, "h264", |f| f.video.as_mut().unwrap().interlaced = true),
            &vlc,
            Ok(Method::Direct),
        ),
        ("zlib", of(Container::Mp4, "h264", |f| f.compressed = true), &any, Ok(Method::Remux)),
        ("zlib", of(Container::Mp4, "h264", |f| f.compressed = true), &vlc, Ok(Method::Direct)),
        ("late clock", of(Container::Mp4, "h264", |f| f.start_ms = 1), &any, Ok(Method::Remux)),
        ("late clock", of(Container::Mp4, "h264", |f| f.start_ms = 1), &vlc, Ok(Method::Direct)),
        ("no length", of(Container::Webm, "vp9", |f| f.is_length_found = true), &any, Ok(Method::Remux)),
        ("no length", of(Container::Webm, "vp9", |f| f.is_length_found = true), &vlc, Ok(Method::Direct)),
        (
            "hev1",
            of(Container::Mp4, "hevc", |f| f.video.as_mut().unwrap().sample_entry = Some("hev1".into())),
            &safari,
            Ok(Method::Remux),
        ),
        (
            "hvc1",
            of(Container::Mp4, "hevc", |f| f.video.as_mut().unwrap().sample_entry = Some("hvc1".into())),
            &safari,
            Ok(Method::Direct),
        ),
        (
            "hev1",
            of(Container::Mp4, "hevc", |f| f.video.as_mut().unwrap().sample_entry = Some("hev1".into())),
            &vlc,
            Ok(Method::Direct),
        ),
        (
            "4:2:2",
            of(Container::Mp4, "h264", |f| f.video.as_mut().unwrap().pixel_format = Some("yuv422p".into())),
            &any,
            first(Reason::SamplingNotPlayable),
        ),
        (
            "4:2:0",
            of(Container::Mp4, "h264", |f| f.video.as_mut().unwrap().pixel_format = Some("yuvj420p".into())),
            &any,
            Ok(Method::Direct),
        ),
        (
            "DoVi 5",
            of(Container::Mp4, "h264", |f| {
                f.video.as_mut().unwrap().dolby_vision = Some(DolbyVision { profile: 5, compatibility: 0 })
            }),
            &any,
            first(Reason::DolbyVision),
        ),
        (
            "DoVi 8.1",
            of(Container::Mp4, "h264", |f| {
                f.video.as_mut().unwrap().dolby_vision = Some(DolbyVision { profile: 8, compatibility: 1 })
            }),
            &any,
            Ok(Method::Direct),
        ),
        ("no picture", of(Container::Mp4, "h264", |f| f.video = None), &any, first(Reason::NoVideo)),
        ("PCE", of(Container::Mp4, "h264", |f| f.audio[0].has_channel_map = true), &any, Ok(Method::Direct)),
        (
            "commentary first",
            of(Container::Mp4, "h264", |f| {
                f.audio.push(AudioFacts::plain(1, "aac", 2));
                f.audio[0].commentary = true;
            }),
            &any,
            Ok(Method::Remux),
        ),
    ];
    for (name, facts, caps, want) in cases {
        let want = match &want {
            Ok(method) => Ok(*method),
            Err(reasons) => Err(reasons.as_slice()),
        };
        match (decide(&candidate(&facts), caps, Wish::default()), want) {
            (Decision::Play { method, .. }, Ok(wanted)) => assert_eq!(method, wanted, "{name}"),
            (Decision::Refuse { reasons }, Err(wanted)) => assert_eq!(reasons, wanted, "{name}"),
            (got, want) => panic!("{name}: {got:?} instead of {want:?}"),
        }
    }
}

/// Chromium takes Matroska, and begins it where its sound does.
#[test]
fn a_sound_that_begins_late_is_not_left_to_the_browser() {
    let chromium = Capabilities { containers: Some(vec![Container::Mkv, Container::Mp4]), ..Capabilities::default() };
    for (container, sound_begins_late, expected) in [
        (Container::Mkv, true, Method::Remux),
        (Container::Mkv, false, Method::Direct),
        (Container::Mp4, true, Method::Direct),
    ] {
        let facts = file(container, "h264", &["aac"]);
        check_of(&Candidate { sound_begins_late, ..candidate(&facts) }, &chromium, Wish::default(), Ok(expected));
    }
}

#[test]
fn no_version_is_offered_whose_colours_would_be_false() {
    let mut facts = file(Container::Mkv, "hevc", &["aac"]);
    facts.video.as_mut().unwrap().dolby_vision = Some(DolbyVision { profile: 5, compatibility: 0 });
    let film = Candidate { renditions: &[480], live: &[360], ..candidate(&facts) };
    check_of(&film, &Capabilities::default(), Wish::default(), Err(&[Reason::DolbyVision]));
    facts.video.as_mut().unwrap().dolby_vision = None;
    let film = Candidate { renditions: &[480], live: &[360], ..candidate(&facts) };
    check_of(&film, &Capabilities::default(), Wish::default(), Ok(Method::Rendition));
}

#[test]
fn sound_that_segments_do_not_carry_is_encoded() {
    let mut facts = file(Container::Mkv, "h264", &["aac"]);
    let says = |facts: &FileFacts| match decide(&candidate(facts), &Capabilities::default(), Wish::default()) {
        Decision::Play { reasons, .. } => reasons.contains(&Reason::SoundEncoded),
        Decision::Refuse { reasons } => panic!("{reasons:?}"),
    };
    assert!(!says(&facts));
    facts.audio[0].profile = Some("LC".into());
    assert!(!says(&facts));
    facts.audio[0].profile = Some("Main".into());
    assert!(says(&facts));
    facts.audio[0].profile = Some("LC".into());
    facts.audio[0].has_channel_map = true;
    assert!(says(&facts));
}

#[test]
fn the_sound_of_a_film_is_not_what_is_said_about_it() {
    let mut facts = file(Container::Mkv, "h264", &["aac", "aac", "aac"]);
    for (commentary, default, want) in [
        ([true, false, false], [true, false, false], 1),
        ([true, false, false], [false, false, true], 2),
        ([false, false, true], [true, true, true], 0),
        ([true, true, true], [false, true, false], 1),
        ([true, true, true], [false, false, false], 0),
        ([false, false, false], [false, false, false], 0),
    ] {
        for (n, audio) in facts.audio.iter_mut().enumerate() {
            (audio.commentary, audio.default) = (commentary[n], default[n]);
        }
        assert_eq!(default_audio(&facts), want, "{commentary:?} {default:?}");
    }
}
