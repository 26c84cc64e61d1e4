//! What a browser is told a file is.

use domain::facts::Container;

/// The content type of a container. `mov` and `m4v` are sent as `video/mp4`: they are the same
/// family, and browsers refuse `video/quicktime` without looking at the bytes.
pub const fn content_type(container: Container) -> &'static str {
    match container {
        Container::Mp4 | Container::M4v | Container::Mov => "video/mp4",
        Container::Mkv => "video/x-matroska",
        Container::Webm => "video/webm",
        Container::Avi => "video/x-msvideo",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_container_is_a_video() {
        for container in Container::ALL {
            assert!(content_type(container).starts_with("video/"), "{container:?}");
        }
        assert_eq!(content_type(Container::Mov), content_type(Container::Mp4));
    }
}
