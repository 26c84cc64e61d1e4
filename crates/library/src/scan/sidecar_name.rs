//! Reads what the name of a subtitle file says beyond the name of its film. Pure.
//!
//! `en.sdh`, `2_English`, `pt-BR`, `zh-Hans.forced`, `[nl]`, `Director's commentary.en`.

use domain::{language, subtitles::Role};

/// What a name says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Said {
    /// A language tag (BCP 47).
    pub(crate) language: Option<String>,
    /// Words that are neither language nor flag, and roles that have no flag.
    pub(crate) title: Option<String>,
    pub(crate) forced: bool,
    pub(crate) default: bool,
    pub(crate) hearing_impaired: bool,
}

/// What a word means, in a name of several words.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Word {
    Language(String),
    Role(Role),
    Default,
    /// `2`, `mp4`, `1080p`: says nothing of the words in the file.
    Nothing,
    Other,
}

/// Reads the part of a name that is not its film's.
pub(crate) fn read(text: &str) -> Said {
    let words = words(text);
    let known: Vec<Word> = meanings(&words);
    // `hi` is Hindi where it stands alone, and the hard of hearing beside a language.
    let languages = known.iter().filter(|word| matches!(word, Word::Language(_))).count();
    let mut said = Said::default();
    let mut title: Vec<&str> = Vec::new();
    for (at, word) in known.into_iter().enumerate() {
        match word {
            Word::Language(tag) if tag == "hi" && languages > 1 => said.hearing_impaired = true,
            // The last one counts: names of films hold words that are languages too.
            Word::Language(tag) => said.language = Some(tag),
            Word::Role(Role::Forced) => said.forced = true,
            Word::Role(Role::HearingImpaired) => said.hearing_impaired = true,
            Word::Default => said.default = true,
            Word::Role(Role::ClosedCaptions) => title.push("CC"),
            Word::Role(_) | Word::Other => title.push(&words[at]),
            Word::Nothing => {}
        }
    }
    said.title = Some(title.join(" ")).filter(|title| !title.is_empty());
    said
}

/// Returns whether a name says nothing but a language and what the words are for: `2_English`, `en.forced`.
pub(crate) fn is_only_language(text: &str) -> bool {
    let meanings = meanings(&words(text));
    let has_language = meanings.iter().any(|word| matches!(word, Word::Language(_)));
    has_language && !meanings.contains(&Word::Other)
}

/// Returns whether these words may follow a film's name after a mere space: `Film [nl]`, but neither
/// `Film 2`, which is another film, nor `Film Noir`.
pub(crate) fn may_follow_a_space(text: &str) -> bool {
    let first = text.trim_start();
    !first.starts_with(|c: char| c.is_ascii_digit()) && meanings(&words(text)).iter().all(|word| *word != Word::Other)
}

/// Returns the words of a name. A hyphen joins a tag, and parts anything else.
fn words(text: &str) -> Vec<String> {
    let mut out = Vec::new();
    for part in text.split(|c: char| "._()[]{}+, &".contains(c)).filter(|part| !part.is_empty()) {
        match part.split_once('-') {
            Some(_) if is_tag(part) => out.push(part.to_owned()),
            Some(_) => out.extend(part.split('-').filter(|word| !word.is_empty()).map(str::to_owned)),
            None => out.push(part.to_owned()),
        }
    }
    out
}

/// `pt-BR`, `zh-Hans`, `es-419`: a known language, and parts that all mean something.
fn is_tag(part: &str) -> bool {
    let usual = |word: &str| match word.len() {
        2 | 4 => word.bytes().all(|b| b.is_ascii_alphabetic()),
        3 => word.bytes().all(|b| b.is_ascii_digit()),
        _ => false,
    };
    part.split('-').skip(1).all(usual) && language::tag(part).is_some()
}

fn meanings(words: &[String]) -> Vec<Word> {
    let mut out: Vec<Word> = words.iter().map(|word| meaning(word)).collect();
    for at in 1..words.len() {
        // `pt.br`, `zh.hant`, `Simplified Chinese`: two words are one tag.
        let Word::Language(before) = &out[at - 1] else {
            if let (Word::Language(tag), Some(script)) = (&out[at], script_of(&words[at - 1])) {
                (out[at], out[at - 1]) = (Word::Language(format!("{tag}-{script}")), Word::Nothing);
            }
            continue;
        };
        let joined = format!("{before}-{}", words[at]);
        let is_variant = !before.contains('-') && language::is_variant(&joined);
        if is_variant && let Some(tag) = language::tag(&joined) {
            (out[at], out[at - 1]) = (Word::Language(tag), Word::Nothing);
        } else if let (Some(script), false) = (script_of(&words[at]), before.contains('-')) {
            (out[at], out[at - 1]) = (Word::Language(format!("{before}-{script}")), Word::Nothing);
        }
    }
    out
}

fn script_of(word: &str) -> Option<&'static str> {
    match word.to_ascii_lowercase().as_str() {
        "simplified" => Some("Hans"),
        "traditional" => Some("Hant"),
        _ => None,
    }
}

fn meaning(word: &str) -> Word {
    let lower = word.to_ascii_lowercase();
    let is_number = word.bytes().all(|b| b.is_ascii_digit());
    let is_size = lower.strip_suffix(['p', 'i']).is_some_and(|n| n.len() >= 3 && n.bytes().all(|b| b.is_ascii_digit()));
    let is_container = ["mp4", "mkv", "avi", "mov", "m4v", "webm", "sub", "subs", "subtitle", "subtitles"];
    if is_number || is_size || is_container.contains(&lower.as_str()) {
        Word::Nothing
    } else if lower == "default" {
        Word::Default
    } else if let Some(role) = Role::of_word(&lower) {
        Word::Role(role)
    } else if let Some(tag) = language::in_file_name(word) {
        Word::Language(tag)
    } else {
        Word::Other
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_say_language_script_region_and_role() {
        let none = Said::default;
        let tag = |tag: &str| Said { language: Some(tag.into()), ..none() };
        for (name, expected) in [
            ("", none()),
            (".en", tag("en")),
            (".eng.forced", Said { forced: true, ..tag("en") }),
            (".en.sdh", Said { hearing_impaired: true, ..tag("en") }),
            (".en.cc", Said { title: Some("CC".into()), ..tag("en") }),
            (".en.hi", Said { hearing_impaired: true, ..tag("en") }),
            (".hi", tag("hi")),
            (".pt-BR", tag("pt-BR")),
            (".pt.br", tag("pt-BR")),
            (".zh-Hans", tag("zh-Hans")),
            (".chs", tag("zh-Hans")),
            (".zh-TW", tag("zh-TW")),
            (".es-419", tag("es-419")),
            (".Simplified Chinese", tag("zh-Hans")),
            (".Chinese.Traditional", tag("zh-Hant")),
            (".Brazilian", tag("pt-BR")),
            (".default.en", Said { default: true, ..tag("en") }),
            (".en.default", Said { default: true, ..tag("en") }),
            (".en.2", tag("en")),
            (".English", tag("en")),
            ("2_German", tag("de")),
            (".Director's commentary.en", Said { title: Some("Director's commentary".into()), ..tag("en") }),
            (".en.signs", Said { title: Some("signs".into()), ..tag("en") }),
            (".de-AT.forced", Said { forced: true, ..tag("de-AT") }),
            (".mp4", none()),
            ("_fr", tag("fr")),
            (" [nl]", tag("nl")),
            ("-german", tag("de")),
            (".日本語", tag("ja")),
        ] {
            assert_eq!(read(name), expected, "{name}");
        }
    }

    #[test]
    fn what_may_stand_without_the_films_name() {
        for (name, expected) in [
            ("English", true),
            ("2_German", true),
            ("en.forced", true),
            ("Film", false),
            ("3", false),
            ("forced", false),
        ] {
            assert_eq!(is_only_language(name), expected, "{name}");
        }
        for (name, expected) in [(" [nl]", true), (" (en) forced", true), (" 2.en", false), (" Noir.en", false)] {
            assert_eq!(may_follow_a_space(name), expected, "{name}");
        }
    }
}
