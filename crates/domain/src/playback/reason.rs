//! Why a film is played as it is played, or not.

/// One line of the receipt that the player shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reason {
    /// The browser takes the file as it is.
    PlaysAsIs,
    ContainerNotPlayable,
    VideoCodecNotPlayable,
    AudioCodecNotPlayable,
    TenBitNotPlayable,
    NoVideo,
    FileDefect,
    NotProbedYet,
    /// The picture is sent as it is, in other wrapping.
    PictureCopied,
    SoundEncoded,
    OtherSoundTrack,
    /// A browser would play another sound track of the file than the film's.
    SoundNotFirst,
    /// A browser would show another picture of the file than the film's.
    PictureNotFirst,
    /// Browsers show its fields as combs.
    Interlaced,
    /// The frames of its tracks are compressed once more.
    TracksCompressed,
    /// The clock of the file does not begin at zero, and browsers show it as it is.
    ClockNotFromZero,
    /// Its header says no length or a wrong one, and browsers believe it.
    LengthNotInHeader,
    /// Its sound begins behind the picture, and browsers jump to where it does.
    SoundBeginsLate,
    /// Some browsers know this kind of picture only by another name.
    CodecNameNotPlayable,
    /// Colour that is stored in another way than browsers expect.
    SamplingNotPlayable,
    /// A layer of Dolby Vision without which all colours are false.
    DolbyVision,
    /// Its key frames need frames from before them, which browsers fail on.
    OpenGroups,
    /// One segment would be too long to wait for.
    KeyframesTooSparse,
    PreparedVersion,
    EncodedLive,
    /// The same, by the graphics chip.
    EncodedByChip,
    /// A smaller picture suits the screen or the connection.
    SmallerIsEnough,
    /// The quality that was asked for does not exist.
    QualityNotThere,
    /// What the house makes is H.264, and this browser takes none.
    NoH264,
    /// It was tried in this way, and failed.
    FailedBefore,
}

impl Reason {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::PlaysAsIs => "plays_as_is",
            Self::ContainerNotPlayable => "container_not_playable",
            Self::VideoCodecNotPlayable => "video_codec_not_playable",
            Self::AudioCodecNotPlayable => "audio_codec_not_playable",
            Self::TenBitNotPlayable => "ten_bit_not_playable",
            Self::NoVideo => "no_video",
            Self::FileDefect => "file_defect",
            Self::NotProbedYet => "not_probed_yet",
            Self::PictureCopied => "picture_copied",
            Self::SoundEncoded => "sound_encoded",
            Self::OtherSoundTrack => "other_sound_track",
            Self::SoundNotFirst => "sound_not_first",
            Self::PictureNotFirst => "picture_not_first",
            Self::Interlaced => "interlaced",
            Self::TracksCompressed => "tracks_compressed",
            Self::ClockNotFromZero => "clock_not_from_zero",
            Self::LengthNotInHeader => "length_not_in_header",
            Self::SoundBeginsLate => "sound_begins_late",
            Self::CodecNameNotPlayable => "codec_name_not_playable",
            Self::SamplingNotPlayable => "sampling_not_playable",
            Self::DolbyVision => "dolby_vision",
            Self::OpenGroups => "open_groups",
            Self::KeyframesTooSparse => "keyframes_too_sparse",
            Self::PreparedVersion => "prepared_version",
            Self::EncodedLive => "encoded_live",
            Self::EncodedByChip => "encoded_by_chip",
            Self::SmallerIsEnough => "smaller_is_enough",
            Self::QualityNotThere => "quality_not_there",
            Self::NoH264 => "no_h264",
            Self::FailedBefore => "failed_before",
        }
    }
}
