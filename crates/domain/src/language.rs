//! Names of languages, in their own words, for tracks and subtitles.

/// Two- and three-letter codes (the latter in both ISO 639-2 spellings) of what films speak.
const NAMES: &[(&[&str], &str)] = &[
    (&["ar", "ara"], "العربية"),
    (&["bg", "bul"], "Български"),
    (&["ca", "cat"], "Català"),
    (&["cs", "cze", "ces"], "Čeština"),
    (&["da", "dan"], "Dansk"),
    (&["de", "ger", "deu"], "Deutsch"),
    (&["el", "gre", "ell"], "Ελληνικά"),
    (&["en", "eng"], "English"),
    (&["es", "spa"], "Español"),
    (&["et", "est"], "Eesti"),
    (&["fa", "per", "fas"], "فارسی"),
    (&["fi", "fin"], "Suomi"),
    (&["fr", "fre", "fra"], "Français"),
    (&["gl", "glg"], "Galego"),
    (&["he", "heb"], "עברית"),
    (&["hi", "hin"], "हिन्दी"),
    (&["hr", "hrv"], "Hrvatski"),
    (&["hu", "hun"], "Magyar"),
    (&["id", "ind"], "Bahasa Indonesia"),
    (&["is", "ice", "isl"], "Íslenska"),
    (&["it", "ita"], "Italiano"),
    (&["ja", "jpn"], "日本語"),
    (&["ko", "kor"], "한국어"),
    (&["la", "lat"], "Latina"),
    (&["lt", "lit"], "Lietuvių"),
    (&["lv", "lav"], "Latviešu"),
    (&["ms", "may", "msa"], "Bahasa Melayu"),
    (&["nb", "nob"], "Norsk bokmål"),
    (&["nl", "dut", "nld"], "Nederlands"),
    (&["nn", "nno"], "Norsk nynorsk"),
    (&["no", "nor"], "Norsk"),
    (&["pl", "pol"], "Polski"),
    (&["pt", "por"], "Português"),
    (&["ro", "rum", "ron"], "Română"),
    (&["ru", "rus"], "Русский"),
    (&["sk", "slo", "slk"], "Slovenčina"),
    (&["sl", "slv"], "Slovenščina"),
    (&["sr", "srp"], "Српски"),
    (&["sv", "swe"], "Svenska"),
    (&["ta", "tam"], "தமிழ்"),
    (&["th", "tha"], "ไทย"),
    (&["tr", "tur"], "Türkçe"),
    (&["uk", "ukr"], "Українська"),
    (&["vi", "vie"], "Tiếng Việt"),
    (&["zh", "chi", "zho"], "中文"),
];

/// English names, as they appear in file names: `film.german.srt`.
const SPELLED: &[(&str, &str)] = &[
    ("english", "en"),
    ("german", "de"),
    ("deutsch", "de"),
    ("french", "fr"),
    ("spanish", "es"),
    ("italian", "it"),
    ("dutch", "nl"),
    ("portuguese", "pt"),
    ("russian", "ru"),
    ("polish", "pl"),
    ("turkish", "tr"),
    ("japanese", "ja"),
    ("chinese", "zh"),
    ("korean", "ko"),
    ("swedish", "sv"),
    ("danish", "da"),
    ("norwegian", "no"),
    ("finnish", "fi"),
    ("arabic", "ar"),
    ("greek", "el"),
    ("czech", "cs"),
    ("hungarian", "hu"),
    ("ukrainian", "uk"),
];

fn known(code: &str) -> Option<&'static (&'static [&'static str], &'static str)> {
    let first = code.split('-').next().unwrap_or_default();
    NAMES.iter().find(|(codes, _)| codes.iter().any(|c| c.eq_ignore_ascii_case(first)))
}

/// What a language calls itself: `ger` is Deutsch. `None` for codes nobody here knows.
pub fn name(code: &str) -> Option<&'static str> {
    known(code).map(|(_, name)| *name)
}

/// The two-letter code browsers expect, where there is one.
pub fn two_letters(code: &str) -> Option<&'static str> {
    known(code).map(|(codes, _)| codes[0])
}

/// Whether two codes mean one language: `ger`, `de` and `de-AT` do.
pub fn is_same(a: &str, b: &str) -> bool {
    match (two_letters(a), two_letters(b)) {
        (Some(a), Some(b)) => a == b,
        _ => a.eq_ignore_ascii_case(b),
    }
}

/// Reads one word of a file name as a language; the answer is a two-letter code.
pub fn in_file_name(word: &str) -> Option<&'static str> {
    let lower = word.to_lowercase();
    SPELLED.iter().find(|(spelled, _)| *spelled == lower).map(|(_, code)| *code).or_else(|| two_letters(&lower))
}

/// What a person reads of a track: its own title, else its language, else its number.
pub fn label(language: Option<&str>, title: Option<&str>, forced: bool, index: usize) -> String {
    let language = language.map(|code| name(code).unwrap_or(code));
    let base = match (language, title) {
        (Some(language), Some(title)) if !title.to_lowercase().contains(&language.to_lowercase()) => {
            format!("{language} ({title})")
        }
        (_, Some(title)) => title.to_owned(),
        (Some(language), None) => language.to_owned(),
        (None, None) => format!("#{}", index + 1),
    };
    if forced && !base.to_lowercase().contains("forced") { format!("{base}, forced") } else { base }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_of_all_kinds_have_one_name() {
        for code in ["de", "ger", "deu", "DEU", "de-AT"] {
            assert_eq!((name(code), two_letters(code)), (Some("Deutsch"), Some("de")), "{code}");
        }
        assert_eq!(name("xx"), None);
        assert_eq!(name(""), None);
        assert_eq!(in_file_name("German"), Some("de"));
        assert_eq!(in_file_name("director"), None);
        let mut all: Vec<_> = NAMES.iter().flat_map(|(codes, _)| codes.iter()).collect();
        let count = all.len();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), count, "no code twice");
    }

    #[test]
    fn labels() {
        for (language, title, forced, expected) in [
            (Some("ger"), None, false, "Deutsch"),
            (Some("ger"), Some("Kommentar"), false, "Deutsch (Kommentar)"),
            (Some("ger"), Some("Deutsch SDH"), false, "Deutsch SDH"),
            (Some("eng"), None, true, "English, forced"),
            (Some("eng"), Some("English Forced"), true, "English Forced"),
            (Some("qaa"), None, false, "qaa"),
            (None, Some("Songs"), false, "Songs"),
            (None, None, false, "#3"),
        ] {
            assert_eq!(label(language, title, forced, 2), expected);
        }
    }
}
