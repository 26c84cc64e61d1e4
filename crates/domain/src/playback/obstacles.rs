//! What keeps a browser from playing a file as it is, or its picture in segments.

use super::{COMMON_AUDIO, COMMON_CONTAINERS, COMMON_MSE_VIDEO, COMMON_VIDEO, Candidate, Capabilities, CopyVerdict};
use super::{Reason, Wish, chosen_audio, default_audio};
use crate::facts::{Container, FileFacts, VideoFacts};

/// Returns what keeps a browser from playing the file as it is.
pub(super) fn as_it_is(
    file: &Candidate<'_>,
    facts: &FileFacts,
    video: &VideoFacts,
    capabilities: &Capabilities,
    wish: Wish,
) -> Vec<Reason> {
    let mut against = Vec::new();
    let container_ok = match &capabilities.containers {
        Some(list) => list.contains(&facts.container),
        None => COMMON_CONTAINERS.contains(&facts.container),
    };
    if !container_ok {
        against.push(Reason::ContainerNotPlayable);
    }
    if !listed(&capabilities.video_codecs, &COMMON_VIDEO, &video.codec) {
        against.push(Reason::VideoCodecNotPlayable);
    }
    against.extend(of_the_picture(video, capabilities));
    if video.codec == "h264" && file.copy == Some(CopyVerdict::OpenGroups) && !capabilities.open_groups {
        against.push(Reason::OpenGroups);
    }
    // A `<video>` element plays one track and falls silent, without any error, when it cannot decode
    // it. It cannot be told to play another one.
    if let Some(audio) = chosen_audio(facts, wish)
        && !listed(&capabilities.audio_codecs, &COMMON_AUDIO, &audio.codec)
    {
        against.push(Reason::AudioCodecNotPlayable);
    }
    if wish.audio_track.is_some_and(|track| track != default_audio(facts)) {
        against.push(Reason::OtherSoundTrack);
    } else if !capabilities.full_player && is_another_heard(facts, wish) {
        against.push(Reason::SoundNotFirst);
    }
    if !capabilities.full_player {
        // Browsers take the first picture they find, even if another one is marked default.
        if video.track != 0 {
            against.push(Reason::PictureNotFirst);
        }
        if facts.compressed {
            against.push(Reason::TracksCompressed);
        }
        // A `<video>` element shows the file's own clock and length: a film from 10:00:00 to
        // 10:01:30, or one without an end.
        if facts.start_ms > 0 {
            against.push(Reason::ClockNotFromZero);
        }
        if facts.is_length_found {
            against.push(Reason::LengthNotInHeader);
        }
        if file.sound_begins_late && matches!(facts.container, Container::Mkv | Container::Webm) {
            against.push(Reason::SoundBeginsLate);
        }
        if is_named_otherwise(facts.container, video) {
            against.push(Reason::CodecNameNotPlayable);
        }
    }
    against
}

/// Returns what keeps a browser from playing the picture in segments.
pub(super) fn in_segments(file: &Candidate<'_>, video: &VideoFacts, capabilities: &Capabilities) -> Vec<Reason> {
    let mut against = Vec::new();
    if !listed(&capabilities.mse_video_codecs, &COMMON_MSE_VIDEO, &video.codec) {
        against.push(Reason::VideoCodecNotPlayable);
    }
    against.extend(of_the_picture(video, capabilities));
    match file.copy {
        Some(CopyVerdict::OpenGroups) => against.push(Reason::OpenGroups),
        Some(CopyVerdict::TooSparse) => against.push(Reason::KeyframesTooSparse),
        Some(CopyVerdict::Possible) | None => {}
    }
    against
}

/// Returns what keeps a browser from showing the picture in any container.
fn of_the_picture(video: &VideoFacts, capabilities: &Capabilities) -> Vec<Reason> {
    let mut against = Vec::new();
    // Browsers claim the 10-bit H.264 profile and then show nothing or a slide show.
    let told = capabilities.ten_bit.as_ref().is_some_and(|list| list.contains(&video.codec));
    if video.codec == "h264" && video.bit_depth.is_some_and(|bits| bits > 8) && !told {
        against.push(Reason::TenBitNotPlayable);
    }
    if capabilities.full_player {
        return against;
    }
    if matches!(video.codec.as_str(), "h264" | "hevc") && !is_usual_sampling(video) {
        against.push(Reason::SamplingNotPlayable);
    }
    if video.interlaced {
        against.push(Reason::Interlaced);
    }
    against
}

/// Decoders of browsers take H.264 and HEVC in 4:2:0 only; gray pictures are a case of it.
fn is_usual_sampling(video: &VideoFacts) -> bool {
    let usual = ["yuv420", "yuvj420", "nv12", "p010", "gray"];
    video.pixel_format.as_deref().is_none_or(|format| usual.iter().any(|start| format.starts_with(start)))
}

/// Safari shows HEVC in MP4 only where it is called `hvc1`, and plays the sound alone otherwise.
fn is_named_otherwise(container: Container, video: &VideoFacts) -> bool {
    let boxed = matches!(container, Container::Mp4 | Container::M4v | Container::Mov);
    boxed && video.codec == "hevc" && video.sample_entry.as_deref().is_some_and(|name| name != "hvc1")
}

/// Chromium and Firefox play the first sound track they find, Safari the one marked default.
fn is_another_heard(facts: &FileFacts, wish: Wish) -> bool {
    let chosen = wish.audio_track.unwrap_or_else(|| default_audio(facts));
    let marked = facts.audio.iter().position(|audio| audio.default);
    chosen != 0 || marked.is_some_and(|marked| marked != chosen)
}

pub(super) fn listed(told: &Option<Vec<String>>, common: &[&str], codec: &str) -> bool {
    match told {
        Some(list) => list.iter().any(|c| c == codec),
        None => common.contains(&codec),
    }
}
