use super::*;
use crate::facts::{AudioFacts, VideoFacts};

fn file(container: Container, video: &str, audio: &[&str]) -> FileFacts {
    FileFacts {
        container,
        duration_ms: 1000,
        bitrate: None,
        video: Some(VideoFacts {
            codec: video.into(),
            profile: None,
            level: None,
            width: 640,
            height: 360,
            pixel_format: None,
            bit_depth: Some(8),
            frame_rate: None,
            transfer: None,
        }),
        audio: audio
            .iter()
            .map(|c| AudioFacts {
                codec: (*c).into(),
                profile: None,
                channels: 2,
                sample_rate_hz: None,
                language: None,
                title: None,
                default: false,
            })
            .collect(),
        subtitles: vec![],
        chapters: vec![],
    }
}

fn candidate(facts: &FileFacts) -> Candidate<'_> {
    Candidate { facts: Some(facts), defect: None, copy: None, renditions: &[], live: &[] }
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
    check(&facts, &Capabilities::default(), Ok(Method::Direct));
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
    let lines = |caps: &Capabilities, quality| match decide(&film, caps, Wish { quality, audio_track: None }) {
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
        let wish = Wish { quality, audio_track: None };
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
    check_of(&film, &bare, Wish { quality: Quality::Lines(480), audio_track: None }, Ok(Method::Remux));
    assert_eq!(ladder(&film, &bare, Wish::default(), Method::Remux, None), Ladder { original: true, lines: vec![] });
}

#[test]
fn what_somebody_likes_to_hear() {
    let film = |tracks: &[(Option<&str>, Option<&str>, bool)]| {
        let mut facts = file(Container::Mkv, "h264", &vec!["aac"; tracks.len()]);
        for (track, (language, title, default)) in facts.audio.iter_mut().zip(tracks) {
            track.language = language.map(Into::into);
            track.title = title.map(Into::into);
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
