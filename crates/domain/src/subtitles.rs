//! Which subtitle is shown unless a viewer chooses otherwise, and what each is called in a list.

use crate::language;
use std::collections::HashMap;

/// What is known of a subtitle that could be shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Offered<'a> {
    pub language: Option<&'a str>,
    /// As the film or the file name has it.
    pub title: Option<&'a str>,
    /// Only what is not understood otherwise: signs, a sentence in another tongue.
    pub forced: bool,
    /// Marked so in the film.
    pub default: bool,
    /// Tells noises too, for people who do not hear them.
    pub hearing_impaired: bool,
}

/// What a subtitle is for, where it is not simply the words of the film.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    Commentary,
    HearingImpaired,
    ClosedCaptions,
    Forced,
    Signs,
    Songs,
}

impl Role {
    const WORDS: [(&'static str, Self); 16] = [
        ("commentary", Self::Commentary),
        ("comments", Self::Commentary),
        ("kommentar", Self::Commentary),
        ("commentaire", Self::Commentary),
        ("comentario", Self::Commentary),
        ("sdh", Self::HearingImpaired),
        ("hoh", Self::HearingImpaired),
        ("hearing", Self::HearingImpaired),
        ("deaf", Self::HearingImpaired),
        ("cc", Self::ClosedCaptions),
        ("captions", Self::ClosedCaptions),
        ("forced", Self::Forced),
        ("foreign", Self::Forced),
        ("signs", Self::Signs),
        ("songs", Self::Songs),
        ("lyrics", Self::Songs),
    ];

    /// Returns what one word of a title or a file name says.
    pub fn of_word(word: &str) -> Option<Self> {
        Self::WORDS.iter().find(|(known, _)| word.eq_ignore_ascii_case(known)).map(|(_, role)| *role)
    }

    const fn as_str(self) -> &'static str {
        match self {
            Self::Commentary => "commentary",
            Self::HearingImpaired => "SDH",
            Self::ClosedCaptions => "CC",
            Self::Forced => "forced",
            Self::Signs => "signs",
            Self::Songs => "songs",
        }
    }
}

impl Offered<'_> {
    fn says(&self, role: Role) -> bool {
        let words = self.title.unwrap_or_default().split(|c: char| !c.is_alphanumeric());
        words.filter_map(Role::of_word).any(|said| said == role)
    }

    /// Not the plain words of the film: shown only to those who choose it.
    fn is_aside(&self) -> bool {
        self.hearing_impaired
            || [Role::HearingImpaired, Role::ClosedCaptions, Role::Commentary].into_iter().any(|role| self.says(role))
    }

    /// Returns its language with script or region, and what it is for.
    fn name(&self) -> String {
        let spoken = self.language.map(|code| language::name(code).unwrap_or_else(|| code.to_owned()));
        let (mut name, mut said) = match (spoken, self.title.map(str::trim).filter(|title| !title.is_empty())) {
            (None, None) => (language::name("und").unwrap_or_default(), Vec::new()),
            (None, Some(title)) => (title.to_owned(), Vec::new()),
            (Some(language), None) => (language, Vec::new()),
            (Some(language), Some(title)) if title.to_lowercase().contains(&language.to_lowercase()) => {
                (title.to_owned(), Vec::new())
            }
            (Some(language), Some(title)) => (language, vec![title.to_owned()]),
        };
        for (is, role) in [(self.hearing_impaired, Role::HearingImpaired), (self.forced, Role::Forced)] {
            // Closed captions are for the same people.
            let is_told = self.says(role) || role == Role::HearingImpaired && self.says(Role::ClosedCaptions);
            if is && !is_told {
                said.push(role.as_str().to_owned());
            }
        }
        if !said.is_empty() {
            name = format!("{name} ({})", said.join(", "));
        }
        name
    }
}

/// Returns what each subtitle is called. No two are called the same: the second one is numbered.
pub fn labels(offered: &[Offered<'_>]) -> Vec<String> {
    let mut used: HashMap<String, usize> = HashMap::new();
    let mut numbered = |name: String| {
        let times = used.entry(name.to_lowercase()).or_default();
        *times += 1;
        if *times == 1 { name } else { format!("{name} {times}") }
    };
    offered.iter().map(|one| numbered(one.name())).collect()
}

/// Returns the place in the list of what is shown by itself; `None` is nothing. A viewer who said which
/// language they read gets the film's words in it when the sound speaks another one, and only the
/// forced ones when it speaks that. All others get what the film marks. The very tag is preferred
/// (`pt-BR` before `pt`), and plain words before those for the hard of hearing.
pub fn shown(offered: &[Offered<'_>], reads: Option<&str>, speaks: Option<&str>) -> Option<usize> {
    let fit = |one: &Offered<'_>, language: &str| one.language.and_then(|l| language::fit(l, language));
    let first = |fits: &dyn Fn(&Offered<'_>) -> Option<u8>| {
        let found = (0..offered.len()).filter_map(|at| fits(&offered[at]).map(|fit| (at, fit)));
        found.min_by_key(|(at, fit)| (offered[*at].is_aside(), u8::MAX - *fit, *at)).map(|(at, _)| at)
    };
    if let Some(reads) = reads {
        let understood = speaks.is_some_and(|speaks| language::is_same(speaks, reads));
        let found = first(&|one| fit(one, reads).filter(|_| one.forced == understood));
        if found.is_some() || understood {
            return found;
        }
    }
    let forced = |one: &Offered<'_>| {
        let speaks = speaks.map_or(Some(0), |speaks| if one.language.is_none() { Some(0) } else { fit(one, speaks) });
        speaks.filter(|_| one.forced)
    };
    first(&forced).or_else(|| offered.iter().position(|one| one.default))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_by_itself() {
        let one = |language, forced, default| Offered { language, forced, default, ..Offered::default() };
        let list = [
            one(Some("eng"), false, false),
            one(Some("ger"), false, false),
            one(Some("ger"), true, false),
            one(Some("fre"), false, true),
        ];
        for (reads, speaks, expected) in [
            (Some("de"), Some("eng"), Some(1)),
            (Some("de-AT"), Some("deu"), Some(2)),
            (Some("en"), Some("eng"), None),
            (Some("en"), None, Some(0)),
            (Some("it"), Some("eng"), Some(3)),
            (None, Some("ger"), Some(2)),
            (None, Some("eng"), Some(3)),
            (None, None, Some(2)),
        ] {
            assert_eq!(shown(&list, reads, speaks), expected, "{reads:?} {speaks:?}");
        }
        assert_eq!(shown(&list[..2], None, None), None);
        assert_eq!(shown(&[], Some("de"), None), None);
        // The very tag before the language, and plain words before those with noises.
        let list = [
            Offered { hearing_impaired: true, ..one(Some("pt-BR"), false, false) },
            one(Some("pt"), false, false),
            one(Some("pt-BR"), false, false),
            Offered { title: Some("Director's commentary"), ..one(Some("en"), false, false) },
            Offered { title: Some("SDH"), ..one(Some("de"), false, false) },
        ];
        for (reads, expected) in
            [("pt-br", Some(2)), ("pt", Some(1)), ("pt-PT", Some(1)), ("en", Some(3)), ("de", Some(4))]
        {
            assert_eq!(shown(&list, Some(reads), Some("ja")), expected, "{reads}");
        }
    }

    #[test]
    fn each_is_called_by_its_language_and_its_role() {
        let of = |language, title| Offered { language, title, ..Offered::default() };
        let list = [
            of(Some("eng"), None),
            of(Some("en"), None),
            Offered { hearing_impaired: true, ..of(Some("eng"), None) },
            Offered { hearing_impaired: true, ..of(Some("eng"), Some("SDH")) },
            of(Some("eng"), Some("CC")),
            Offered { hearing_impaired: true, ..of(Some("eng"), Some("CC")) },
            Offered { forced: true, ..of(Some("eng"), None) },
            Offered { forced: true, ..of(Some("eng"), Some("Signs")) },
            of(Some("eng"), Some("Director's commentary")),
            of(Some("ger"), Some("Deutsch SDH")),
            of(Some("pt-BR"), None),
            of(Some("por"), None),
            of(Some("zh-Hans"), None),
            of(Some("zh-TW"), None),
            of(None, Some("Songs")),
            of(None, None),
            of(Some("und"), None),
            of(Some("xyz"), None),
        ];
        assert_eq!(
            labels(&list),
            [
                "English",
                "English 2",
                "English (SDH)",
                "English (SDH) 2",
                "English (CC)",
                "English (CC) 2",
                "English (forced)",
                "English (Signs, forced)",
                "English (Director's commentary)",
                "Deutsch SDH",
                "Português (Brasil)",
                "Português",
                "中文 (简体)",
                "中文 (台灣)",
                "Songs",
                "Unknown language",
                "Unknown language 2",
                "xyz",
            ]
        );
    }
}
