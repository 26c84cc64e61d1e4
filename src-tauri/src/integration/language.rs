//! Which language the web view says it speaks.
//!
//! WebKitGTK makes it from the locale, and from `C.UTF-8`, the default of many fresh systems, it
//! makes "C". No formatter of numbers or dates accepts that, and the pages that use one stay
//! empty.

/// The language to claim instead of what the locale yields, if that is none.
pub fn instead_of(variable: impl Fn(&str) -> Option<String>) -> Option<&'static str> {
    // In the order in which the C library asks.
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"]
        .into_iter()
        .find_map(|name| variable(name).filter(|value| !value.is_empty()))
        .unwrap_or_default();
    let language = locale.split(['.', '_', '@']).next().unwrap_or_default();
    matches!(language, "" | "C" | "POSIX").then_some("en-US")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(given: &[(&str, &str)], expected: Option<&str>) {
        let variable =
            |wanted: &str| given.iter().find(|(name, _)| *name == wanted).map(|(_, value)| (*value).to_owned());
        assert_eq!(instead_of(variable), expected, "{given:?}");
    }

    #[test]
    fn a_locale_without_a_language_becomes_english() {
        check(&[], Some("en-US"));
        check(&[("LANG", "C")], Some("en-US"));
        check(&[("LANG", "C.UTF-8")], Some("en-US"));
        check(&[("LANG", "POSIX")], Some("en-US"));
        check(&[("LANG", "de_DE.UTF-8"), ("LC_ALL", "C.UTF-8")], Some("en-US"));
    }

    #[test]
    fn a_language_is_left_alone() {
        check(&[("LANG", "de_DE.UTF-8")], None);
        check(&[("LANG", "en_GB")], None);
        check(&[("LANG", "ca_ES@valencia")], None);
        check(&[("LANG", "C.UTF-8"), ("LC_ALL", ""), ("LC_CTYPE", "pt_BR.UTF-8")], None);
    }
}
