use super::*;

macro_rules! sample {
    ($name:literal) => {
        include_bytes!(concat!("../../fixtures/", $name, ".json")).as_slice()
    };
}

#[test]
fn real_samples() {
    for (json, named, container, codec, audio) in [
        (sample!("a_mp4"), Container::Mp4, Container::Mp4, "h264", "aac"),
        (sample!("a_mp4"), Container::M4v, Container::M4v, "h264", "aac"),
        (sample!("a_mp4"), Container::Avi, Container::Mp4, "h264", "aac"),
        (sample!("a_mov"), Container::Mov, Container::Mov, "h264", "aac"),
        (sample!("a_mkv"), Container::Mkv, Container::Mkv, "h264", "aac"),
        (sample!("a_mkv"), Container::Webm, Container::Mkv, "h264", "aac"),
        (sample!("a_webm"), Container::Webm, Container::Webm, "vp9", "opus"),
        (sample!("a_webm"), Container::Mkv, Container::Mkv, "vp9", "opus"),
        (sample!("a_avi"), Container::Avi, Container::Avi, "mpeg4", "mp3"),
    ] {
        let facts = parse(json, Some(named)).unwrap();
        assert_eq!(facts.container, container, "{named:?}");
        let video = facts.video.unwrap();
        assert_eq!((video.codec.as_str(), video.width, video.height), (codec, 640, 360));
        assert_eq!((video.bit_depth, video.frame_rate), (Some(8), Some(24.0)));
        assert_eq!(facts.audio[0].codec, audio);
        assert!((3000..3100).contains(&facts.duration_ms), "{}", facts.duration_ms);
        assert!(facts.bitrate.is_some());
    }
}

#[test]
fn turned_deep_and_many_tracks() {
    let turned = parse(sample!("rot_mp4"), None).unwrap().video.unwrap();
    assert_eq!((turned.width, turned.height), (360, 640));

    let hdr = parse(sample!("hdr_mkv"), None).unwrap();
    let video = hdr.video.unwrap();
    assert_eq!((video.bit_depth, video.transfer.as_deref()), (Some(10), Some("smpte2084")));
    assert_eq!((video.profile.as_deref(), video.level), (Some("Main 10"), Some(60)));
    assert_eq!(hdr.duration_ms, 2000);

    let multi = parse(sample!("multi_mkv"), None).unwrap();
    assert_eq!(multi.audio.len(), 2);
    assert_eq!(multi.audio[1].language.as_deref(), Some("deu"));
    assert_eq!(multi.audio[1].title.as_deref(), Some("Kommentar"));
    assert_eq!(multi.subtitles[0].codec, "subrip");
    assert_eq!(multi.subtitles[0].language.as_deref(), Some("fre"));
    let chapters: Vec<_> = multi.chapters.iter().map(|c| (c.start_ms, c.end_ms, c.title.as_deref())).collect();
    assert_eq!(chapters, [(0, 1000, Some("Eins")), (1000, 2000, Some("Zwei"))]);
}

#[test]
fn no_picture_and_no_media() {
    assert_eq!(parse(sample!("audio_mp4"), None), Err(Defect::NoVideo));
    assert_eq!(parse(sample!("t_mkv"), None), Err(Defect::NotMedia));
}

#[test]
fn failures_by_their_text() {
    for (text, defect) in [
        (&b"[mov @ 0x55] moov atom not found\nInvalid data"[..], Defect::Truncated),
        (b"x: End of file", Defect::Truncated),
        (b"number of streams exceeds max_streams parameter (128), see the documentation", Defect::TooManyTracks),
        (b"protected: Invalid data found when processing input", Defect::Protected),
        (b"[srt @ 0x1] Codec (magicyuv) not on whitelist 'h264'", Defect::Unsupported),
        (b"Invalid data found when processing input", Defect::NotMedia),
        (b"Cannot allocate memory", Defect::ProbeLimit),
        (b"Input/output error", Defect::Unreadable),
        (b"\xff\xfe\x00", Defect::NotMedia),
        (b"", Defect::NotMedia),
    ] {
        assert_eq!(defect_of(text), defect, "{}", String::from_utf8_lossy(text));
    }
}

fn film(stream: &str) -> String {
    format!(
        r#"{{"format":{{"format_name":"avi","duration":"10"}},"streams":[{{"codec_type":"video","codec_name":"h264","width":640,"height":480{stream}}}]}}"#
    )
}

#[test]
fn evil_json_gives_a_defect() {
    let deep = format!("{}1{}", "[".repeat(10_000), "]".repeat(10_000));
    let nested = film(&format!(r#","tags":{}"#, deep));
    let audio = vec![r#"{"codec_type":"audio"}"#; 10_000].join(",");
    let streams = film(&format!(r#"}},{audio},{{"x":1"#));
    let big = film(&format!(r#","tags":{{"title":"{}"}}"#, "a".repeat(1 << 20)));
    for (json, defect) in [
        ("", Defect::NotMedia),
        ("null", Defect::NotMedia),
        ("[]", Defect::NotMedia),
        ("{", Defect::NotMedia),
        ("{}", Defect::NotMedia),
        (r#"{"format":{}}"#, Defect::NotMedia),
        (r#"{"format":[],"streams":{}}"#, Defect::NotMedia),
        (r#"{"format":{},"streams":[]}"#, Defect::Unsupported),
        (r#"{"format":{"format_name":"hls"},"streams":[]}"#, Defect::Unsupported),
        (r#"{"format":{"format_name":7},"streams":[]}"#, Defect::Unsupported),
        (r#"{"format":{"format_name":"avi"},"streams":[null,1,"x",[],{}]}"#, Defect::NoVideo),
        (
            r#"{"format":{"format_name":"avi"},"streams":[{"codec_type":"video","width":0,"height":9}]}"#,
            Defect::NoVideo,
        ),
        (
            r#"{"format":{"format_name":"avi"},"streams":[{"codec_type":"video","width":-1,"height":9}]}"#,
            Defect::NoVideo,
        ),
        (
            r#"{"format":{"format_name":"avi"},"streams":[{"codec_type":"video","width":4294967297,"height":9}]}"#,
            Defect::NoVideo,
        ),
        (r#"{"format":{"format_name":"avi","duration":1e999},"streams":[]}"#, Defect::NotMedia),
        (r#"{"format":{"format_name":"avi\ud800"},"streams":[]}"#, Defect::NotMedia),
        (&deep, Defect::NotMedia),
        (&nested, Defect::NotMedia),
        (&streams, Defect::TooManyTracks),
        (&big, Defect::ProbeLimit),
    ] {
        assert_eq!(parse(json.as_bytes(), None), Err(defect), "{:.80}", json);
    }
    assert_eq!(parse(b"\xff\xfe{}", None), Err(Defect::NotMedia));
}

#[test]
fn evil_fields_are_dropped_and_the_film_stays() {
    let check = |stream: &str| parse(film(stream).as_bytes(), None).unwrap().video.unwrap();
    for stream in [
        r#","avg_frame_rate":"0/0","r_frame_rate":"1/0""#,
        r#","avg_frame_rate":"-1/2""#,
        r#","avg_frame_rate":"4000000000/1""#,
        r#","avg_frame_rate":["24/1"]"#,
    ] {
        assert_eq!(check(stream).frame_rate, None, "{stream}");
    }
    assert_eq!(check(r#","level":-99"#).level, None);
    assert_eq!(check(r#","pix_fmt":"../../etc""#).pixel_format, None);
    assert_eq!(check(r#","profile":"a\u001b[31m\u202eb\r\nSet-Cookie: x""#).profile.unwrap(), "a[31mbSet-Cookie: x");
    let long = check(&format!(r#","profile":"{}""#, "é".repeat(5_000)));
    assert_eq!(long.profile.unwrap().chars().count(), MAX_TEXT_CHARS);
    assert_eq!(check(r#","side_data_list":[{"rotation":1e300}]"#).codec, "h264");
    assert_eq!(check(r#","codec_name":"H264 <script>""#).codec, "unknown");
    for duration in [r#""-5""#, r#""nan""#, r#""inf""#, r#""1e300""#, "true", "[]"] {
        let json = film("").replace(r#""10""#, duration);
        assert_eq!(parse(json.as_bytes(), None).unwrap().duration_ms, 0, "{duration}");
    }
}

#[test]
fn depths_by_pixel_format() {
    for (name, depth) in [
        ("yuv420p", Some(8)),
        ("yuvj422p", Some(8)),
        ("nv12", Some(8)),
        ("yuv420p10le", Some(10)),
        ("yuva444p12be", Some(12)),
        ("p010le", Some(10)),
        ("gray10le", Some(10)),
        ("rgb24", Some(8)),
        ("rgb48le", Some(16)),
        ("gbrpf32le", None),
        ("pal8", None),
        ("xyz12le", None),
    ] {
        assert_eq!(bit_depth(name), depth, "{name}");
    }
}

/// Returns a film of ten seconds with these fields in its picture stream and these beside the streams.
fn with(stream: &str, beside: &str) -> FileFacts {
    let json = film(stream).replacen('{', &format!("{{{beside}"), 1);
    parse(json.as_bytes(), None).unwrap()
}

#[test]
fn shape_fields_colours_and_names() {
    let of = |stream: &str| with(stream, "").video.unwrap();
    for (aspect, expected) in [
        ("64:45", Some((64, 45))),
        ("1:1", None),
        ("0:1", None),
        ("1:0", None),
        ("N/A", None),
        ("4000000000:1", None),
        ("-4:3", None),
    ] {
        assert_eq!(of(&format!(r#","sample_aspect_ratio":"{aspect}""#)).pixel_aspect, expected, "{aspect}");
    }
    let turned = of(r#","sample_aspect_ratio":"64:45","side_data_list":[{"rotation":-90}]"#);
    assert_eq!((turned.width, turned.height, turned.pixel_aspect), (480, 640, Some((45, 64))));
    for (order, expected) in
        [("tt", true), ("bb", true), ("tb", true), ("bt", true), ("progressive", false), ("unknown", false)]
    {
        assert_eq!(of(&format!(r#","field_order":"{order}""#)).interlaced, expected, "{order}");
    }
    assert_eq!(of(r#","color_primaries":"bt2020""#).primaries.as_deref(), Some("bt2020"));
    assert_eq!(of(r#","color_primaries":"unknown""#).primaries, None);
    assert_eq!(of(r#","codec_tag_string":"avc1""#).sample_entry, None, "of HEVC only");
    assert_eq!(of(r#","codec_name":"hevc","codec_tag_string":"hev1""#).sample_entry.as_deref(), Some("hev1"));
    assert_eq!(of(r#","codec_name":"hevc","codec_tag_string":"[0][0][0][0]""#).sample_entry, None);
    let dolby = of(r#","side_data_list":[{"x":1},{"dv_profile":5,"dv_bl_signal_compatibility_id":0}]"#).dolby_vision;
    assert_eq!(dolby, Some(DolbyVision { profile: 5, compatibility: 0 }));
}

#[test]
fn one_picture_and_one_sound_are_the_film() {
    let stream = |kind: &str, codec: &str, marks: &str, more: &str| {
        format!(
            r#"{{"codec_type":"{kind}","codec_name":"{codec}","width":64,"height":48,"channels":2,"disposition":{{{marks}}}{more}}}"#
        )
    };
    let parsed = |streams: &[String]| {
        let json = format!(
            r#"{{"format":{{"format_name":"matroska,webm","duration":"10"}},"streams":[{}]}}"#,
            streams.join(",")
        );
        parse(json.as_bytes(), None)
    };
    let track = |streams: &[String]| parsed(streams).map(|facts| facts.video.unwrap().track);
    let plain = stream("video", "h264", "", "");
    let default = stream("video", "h264", r#""default":1"#, "");
    let cover = stream("video", "png", r#""attached_pic":1"#, "");
    let thumbnail = stream("video", "mjpeg", r#""default":1"#, "");
    let sound = stream("audio", "aac", "", "");
    assert_eq!(track(&[sound.clone(), plain.clone(), default.clone()]), Ok(1));
    assert_eq!(track(&[plain.clone(), plain.clone()]), Ok(0));
    assert_eq!(track(&[cover.clone(), plain.clone()]), Ok(1), "a cover counts and is none");
    assert_eq!(track(&[thumbnail.clone(), plain.clone()]), Ok(1), "whatever is marked");
    assert_eq!(track(&[thumbnail.clone(), thumbnail]), Ok(0), "a film of photographs");
    assert_eq!(track(&[cover, sound.clone()]), Err(Defect::NoVideo));
    let silent = stream("audio", "aac", "", "").replace(r#""channels":2"#, r#""channels":0"#);
    let named = stream("audio", "aac", r#""default":1"#, r#","tags":{"title":"Commentary by the director"}"#);
    let told = stream("audio", "aac", r#""visual_impaired":1"#, "");
    let facts = parsed(&[plain, silent, sound, named, told]).unwrap();
    let tracks: Vec<_> = facts.audio.iter().map(|a| (a.track, a.commentary)).collect();
    assert_eq!(tracks, [(1, false), (2, true), (3, true)], "what is left out is counted");
}

#[test]
fn aac_says_its_channels_by_a_number_or_by_itself() {
    let of = |codec: &str, channels: u32, layout: &str| {
        let json = format!(
            r#"{{"format":{{"format_name":"avi"}},"streams":[{{"codec_type":"video","codec_name":"h264","width":64,"height":48}},{{"codec_type":"audio","codec_name":"{codec}","channels":{channels}{layout}}}]}}"#
        );
        parse(json.as_bytes(), None).unwrap().audio.remove(0).has_channel_map
    };
    for (channels, layout, expected) in [
        (2, "stereo", false),
        (6, "5.1", false),
        (6, "5.1(side)", true),
        (6, "unknown", true),
        (3, "2.1", true),
        (4, "quad", true),
        (7, "6.1", true),
        (8, "7.1", true),
    ] {
        assert_eq!(of("aac", channels, &format!(r#","channel_layout":"{layout}""#)), expected, "{layout}");
    }
    assert!(of("aac", 6, "") && of("aac", 8, "") && !of("aac", 2, ""));
    assert!(!of("ac3", 6, r#","channel_layout":"5.1(side)""#));
}

#[test]
fn the_clock_of_a_film_begins_at_zero() {
    let clock = |format: &str, beside: &str| {
        let json = film("").replace(r#""duration":"10""#, format).replacen('{', &format!("{{{beside}"), 1);
        let facts = parse(json.as_bytes(), None).unwrap();
        (facts.start_ms, facts.duration_ms)
    };
    assert_eq!(clock(r#""duration":"10""#, ""), (0, 10_000));
    assert_eq!(clock(r#""duration":"36010","start_time":"35999.979""#, ""), (35_999_979, 10_021));
    assert_eq!(clock(r#""duration":"10","start_time":"36000""#, ""), (36_000_000, 10_000), "a length, not an end");
    assert_eq!(clock(r#""duration":"10","start_time":"0.7""#, ""), (0, 10_000));
    assert_eq!(clock(r#""duration":"10","start_time":"-3""#, ""), (0, 10_000));
    // Ten years are no length, and neither are ten hours of ten kilobytes.
    assert_eq!(clock(r#""duration":"322843082""#, ""), (0, 0));
    assert_eq!(clock(r#""duration":"36000","size":"10000""#, ""), (0, 0));
    assert_eq!(clock(r#""duration":"322843082""#, r#""loge":{"end_s":12.5},"#), (0, 12_500));
    assert_eq!(clock(r#""start_time":"36000""#, r#""loge":{"end_s":36010.5},"#), (36_000_000, 10_500));
}

#[test]
fn what_the_worker_added_counts() {
    let of = |added: &str| parse(film("").replacen('{', &format!(r#"{{"loge":{added},"#), 1).as_bytes(), None);
    assert_eq!(of(r#"{"protected":true}"#), Err(Defect::Protected));
    assert_eq!(of(r#"{"empty":true}"#), Err(Defect::Truncated));
    assert!(of(r#"{"compressed":true}"#).unwrap().compressed);
    assert!(!of(r#"{"protected":"yes","compressed":1}"#).unwrap().compressed, "as untrusted as the rest");
    let by_size = film("").replacen('{', r#"{"loge":{"end_s":4.0},"#, 1);
    let by_size = by_size.replace(r#""duration":"10""#, r#""size":"1000000","bit_rate":"5""#);
    assert_eq!(parse(by_size.as_bytes(), None).unwrap().bitrate, Some(2_000_000));
}

#[test]
fn chapters_are_within_the_film_and_not_too_many() {
    let list = |chapters: &[(f64, f64)]| {
        let one = |(start, end): &(f64, f64)| format!(r#"{{"start_time":"{start}","end_time":"{end}"}}"#);
        let list: Vec<String> = chapters.iter().map(one).collect();
        let facts = with("", &format!(r#""chapters":[{}],"#, list.join(",")));
        facts.chapters.iter().map(|c| (c.start_ms, c.end_ms)).collect::<Vec<_>>()
    };
    assert_eq!(list(&[(0.0, 4.0), (4.0, 99.0), (20.0, 30.0)]), [(0, 4_000), (4_000, 10_000)]);
    assert_eq!(list(&[(5.0, 10.0), (0.0, 5.0), (0.0, 2.0)]), [(0, 5_000), (5_000, 10_000)]);
    let many: Vec<_> = (0..1_200).map(|n| (f64::from(n) / 200.0, f64::from(n + 1) / 200.0)).collect();
    assert_eq!(list(&many).len(), MAX_CHAPTERS);
}
