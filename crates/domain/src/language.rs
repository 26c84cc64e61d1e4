//! Names of languages, in their own words, for tracks and subtitles, and the tags (BCP 47) that
//! stand for them: `pt-BR`, `zh-Hans`.

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

/// What a language of one script or one part of the world calls itself.
const VARIANTS: &[(&str, &str)] = &[
    ("de-AT", "Deutsch (Österreich)"),
    ("de-CH", "Deutsch (Schweiz)"),
    ("en-AU", "English (Australia)"),
    ("en-CA", "English (Canada)"),
    ("en-GB", "English (United Kingdom)"),
    ("en-US", "English (United States)"),
    ("es-419", "Español (Latinoamérica)"),
    ("es-ES", "Español (España)"),
    ("es-MX", "Español (México)"),
    ("fr-BE", "Français (Belgique)"),
    ("fr-CA", "Français (Canada)"),
    ("fr-CH", "Français (Suisse)"),
    ("fr-FR", "Français (France)"),
    ("nl-BE", "Nederlands (België)"),
    ("pt-BR", "Português (Brasil)"),
    ("pt-PT", "Português (Portugal)"),
    ("sr-Cyrl", "Српски (ћирилица)"),
    ("sr-Latn", "Srpski (latinica)"),
    ("zh-CN", "中文 (中国)"),
    ("zh-HK", "中文 (香港)"),
    ("zh-Hans", "中文 (简体)"),
    ("zh-Hant", "中文 (繁體)"),
    ("zh-SG", "中文 (新加坡)"),
    ("zh-TW", "中文 (台灣)"),
];

/// Codes that name no language (ISO 639-2), and what they mean.
const NO_LANGUAGE: &[(&str, &str)] =
    &[("und", "Unknown language"), ("mis", "Another language"), ("mul", "Several languages"), ("zxx", "No language")];

/// Codes that people and programs use for a language of one script or region.
const SHORTHANDS: &[(&str, &str)] = &[
    ("big5", "zh-Hant"),
    ("chs", "zh-Hans"),
    ("cht", "zh-Hant"),
    ("cn", "zh"),
    ("cz", "cs"),
    ("dk", "da"),
    ("gb", "zh-Hans"),
    ("gr", "el"),
    ("jp", "ja"),
    ("kr", "ko"),
    ("pob", "pt-BR"),
    ("ptb", "pt-BR"),
    ("sc", "zh-Hans"),
    ("scc", "sr"),
    ("scr", "hr"),
    ("spl", "es-419"),
    ("tc", "zh-Hant"),
    ("ua", "uk"),
    ("vn", "vi"),
    ("zhs", "zh-Hans"),
    ("zht", "zh-Hant"),
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
    ("brazilian", "pt-BR"),
    ("bulgarian", "bg"),
    ("castellano", "es-ES"),
    ("catalan", "ca"),
    ("croatian", "hr"),
    ("estonian", "et"),
    ("farsi", "fa"),
    ("flemish", "nl-BE"),
    ("hebrew", "he"),
    ("hindi", "hi"),
    ("icelandic", "is"),
    ("indonesian", "id"),
    ("latin", "la"),
    ("latino", "es-419"),
    ("latvian", "lv"),
    ("lithuanian", "lt"),
    ("malay", "ms"),
    ("persian", "fa"),
    ("romanian", "ro"),
    ("serbian", "sr"),
    ("slovak", "sk"),
    ("slovenian", "sl"),
    ("tamil", "ta"),
    ("thai", "th"),
    ("vietnamese", "vi"),
];

fn known(code: &str) -> Option<&'static (&'static [&'static str], &'static str)> {
    let first = code.split('-').next().unwrap_or_default();
    NAMES.iter().find(|(codes, _)| codes.iter().any(|c| c.eq_ignore_ascii_case(first)))
}

/// Returns what a language calls itself: `ger` is Deutsch, `pt-BR` is Português (Brasil). `None` for
/// codes that are not known here.
pub fn name(code: &str) -> Option<String> {
    if let Some((_, name)) = NO_LANGUAGE.iter().find(|(none, _)| none.eq_ignore_ascii_case(code)) {
        return Some((*name).to_owned());
    }
    let tag = tag(code)?;
    if let Some((_, name)) = VARIANTS.iter().find(|(variant, _)| *variant == tag) {
        return Some((*name).to_owned());
    }
    let (_, name) = known(&tag)?;
    match tag.split_once('-') {
        Some((_, rest)) => Some(format!("{name} ({rest})")),
        None => Some((*name).to_owned()),
    }
}

/// Returns the tag browsers expect (BCP 47): the two-letter code, then script and region where they
/// are said: `por-br` is `pt-BR`, `zh_hans` is `zh-Hans`, `chs` too. `None` for unknown languages.
pub fn tag(code: &str) -> Option<String> {
    let code = code.replace('_', "-");
    if let Some((_, tag)) = SHORTHANDS.iter().find(|(short, _)| short.eq_ignore_ascii_case(&code)) {
        return Some((*tag).to_owned());
    }
    let mut tag = two_letters(&code)?.to_owned();
    for part in code.split('-').skip(1) {
        let is_alphabetic = part.bytes().all(|b| b.is_ascii_alphabetic());
        let is_number = part.bytes().all(|b| b.is_ascii_digit());
        match part.len() {
            // A script: Hans, Latn.
            4 if is_alphabetic => {
                tag.push('-');
                tag.push_str(&part[..1].to_ascii_uppercase());
                tag.push_str(&part[1..].to_ascii_lowercase());
            }
            2 if is_alphabetic => {
                tag.push('-');
                tag.push_str(&part.to_ascii_uppercase());
            }
            3 if is_number => {
                tag.push('-');
                tag.push_str(part);
            }
            // Dialects and private parts say nothing to a person.
            _ => break,
        }
    }
    Some(tag)
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

/// Returns whether a tag is one that has a name of its own here: `pt-BR`, `zh-tw`.
pub fn is_variant(code: &str) -> bool {
    VARIANTS.iter().any(|(variant, _)| variant.eq_ignore_ascii_case(code))
}

/// Reads one word of a file name as a language: a code, a tag, an English name or what it calls
/// itself. The answer is a tag.
pub fn in_file_name(word: &str) -> Option<String> {
    let lower = word.to_lowercase();
    let spelled = SPELLED.iter().find(|(spelled, _)| *spelled == lower).map(|(_, tag)| (*tag).to_owned());
    let own = || NAMES.iter().find(|(_, own)| own.to_lowercase() == lower).map(|(codes, _)| codes[0].to_owned());
    spelled.or_else(own).or_else(|| tag(&lower))
}

/// Returns how well a track's language serves a wish: 2 for the very same tag (`pt-BR` for `pt-br`),
/// 1 for the same language (`pt-PT`, `pt`), `None` for another one.
pub fn fit(track: &str, wish: &str) -> Option<u8> {
    match (tag(track), tag(wish)) {
        (Some(a), Some(b)) if a == b => Some(2),
        _ => is_same(track, wish).then_some(1),
    }
}

/// Returns what a person reads of a track: its own title, else its language, else its number.
pub fn label(language: Option<&str>, title: Option<&str>, forced: bool, index: usize) -> String {
    let language = language.map(|code| name(code).unwrap_or_else(|| code.to_owned()));
    let base = match (language, title) {
        (Some(language), Some(title)) if !title.to_lowercase().contains(&language.to_lowercase()) => {
            format!("{language} ({title})")
        }
        (_, Some(title)) => title.to_owned(),
        (Some(language), None) => language,
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
            assert_eq!(two_letters(code), Some("de"), "{code}");
        }
        for (code, tagged, named) in [
            ("GER", "de", "Deutsch"),
            ("de-at", "de-AT", "Deutsch (Österreich)"),
            ("por-BR", "pt-BR", "Português (Brasil)"),
            ("pob", "pt-BR", "Português (Brasil)"),
            ("zh-hans", "zh-Hans", "中文 (简体)"),
            ("zh_TW", "zh-TW", "中文 (台灣)"),
            ("chs", "zh-Hans", "中文 (简体)"),
            ("sr-Latn-RS", "sr-Latn-RS", "Српски (Latn-RS)"),
            ("es-419", "es-419", "Español (Latinoamérica)"),
            ("en-x-private", "en", "English"),
            ("it-XX", "it-XX", "Italiano (XX)"),
        ] {
            assert_eq!((tag(code).as_deref(), name(code).as_deref()), (Some(tagged), Some(named)), "{code}");
        }
        for (code, named) in [("und", "Unknown language"), ("zxx", "No language"), ("mul", "Several languages")] {
            assert_eq!((tag(code), name(code).as_deref()), (None, Some(named)));
        }
        assert_eq!((fit("por-br", "pt-BR"), fit("pt", "pt-BR"), fit("es", "pt-BR")), (Some(2), Some(1), None));
        assert_eq!(name("xx"), None);
        assert_eq!(name(""), None);
        for (word, expected) in [
            ("German", Some("de")),
            ("Français", Some("fr")),
            ("日本語", Some("ja")),
            ("pt-br", Some("pt-BR")),
            ("Brazilian", Some("pt-BR")),
            ("director", None),
            ("und", None),
        ] {
            assert_eq!(in_file_name(word).as_deref(), expected, "{word}");
        }
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
