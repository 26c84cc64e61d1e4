//! Text as it is searched: without case, without accents, and never as a pattern.

use sea_orm::sea_query::LikeExpr;

/// More words than that find nothing a person would look for.
const MAX_WORDS: usize = 8;
const MAX_CHARS: usize = 120;

/// The form in which names are kept for searching and in which a search is asked.
pub(crate) fn fold(text: &str) -> String {
    let mut folded = String::with_capacity(text.len());
    for c in text.chars().flat_map(char::to_lowercase) {
        match c {
            'à' | 'á' | 'â' | 'ã' | 'ä' | 'å' | 'ā' | 'ă' | 'ą' => folded.push('a'),
            'ç' | 'ć' | 'č' | 'ĉ' | 'ċ' => folded.push('c'),
            'ď' | 'đ' | 'ð' => folded.push('d'),
            'è' | 'é' | 'ê' | 'ë' | 'ē' | 'ĕ' | 'ė' | 'ę' | 'ě' => folded.push('e'),
            'ĝ' | 'ğ' | 'ġ' | 'ģ' => folded.push('g'),
            'ì' | 'í' | 'î' | 'ï' | 'ĩ' | 'ī' | 'į' | 'ı' => folded.push('i'),
            'ł' | 'ľ' | 'ĺ' | 'ļ' => folded.push('l'),
            'ñ' | 'ń' | 'ň' | 'ņ' => folded.push('n'),
            'ò' | 'ó' | 'ô' | 'õ' | 'ö' | 'ø' | 'ō' | 'ő' => folded.push('o'),
            'ŕ' | 'ř' => folded.push('r'),
            'ś' | 'š' | 'ş' | 'ș' => folded.push('s'),
            'ť' | 'ţ' | 'ț' => folded.push('t'),
            'ù' | 'ú' | 'û' | 'ü' | 'ũ' | 'ū' | 'ů' | 'ű' | 'ų' => folded.push('u'),
            'ý' | 'ÿ' => folded.push('y'),
            'ź' | 'ż' | 'ž' => folded.push('z'),
            'ß' => folded.push_str("ss"),
            'æ' => folded.push_str("ae"),
            'œ' => folded.push_str("oe"),
            // Combining accents, which a decomposed file name carries.
            '\u{300}'..='\u{36f}' | '\0' => {}
            '’' | '‘' => folded.push('\''),
            other => folded.push(other),
        }
    }
    folded
}

/// One pattern per word; a title matches when it holds all of them, anywhere. `%`, `_` and `\`
/// are searched as what they are. A search with a NUL finds nothing: `None`.
pub(crate) fn patterns(search: &str) -> Option<Vec<LikeExpr>> {
    if search.contains('\0') {
        return None;
    }
    let bounded: String = search.chars().take(MAX_CHARS).collect();
    let words = fold(&bounded);
    Some(
        words
            .split_whitespace()
            .take(MAX_WORDS)
            .map(|word| {
                let mut pattern = String::from("%");
                for c in word.chars() {
                    if matches!(c, '%' | '_' | '\\') {
                        pattern.push('\\');
                    }
                    pattern.push(c);
                }
                pattern.push('%');
                LikeExpr::new(pattern).escape('\\')
            })
            .collect(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accents_and_case_do_not_hide_a_film() {
        assert_eq!(fold("Amélie à l'ÉCOLE"), "amelie a l'ecole");
        assert_eq!(fold("Ame\u{301}lie"), "amelie");
        assert_eq!(fold("Große Straße"), "grosse strasse");
        assert_eq!(fold("千と千尋"), "千と千尋");
    }

    #[test]
    fn a_search_is_bounded() {
        assert_eq!(patterns(&"a ".repeat(500)).unwrap().len(), MAX_WORDS);
        assert!(patterns("a\0b").is_none());
        assert!(patterns("   ").unwrap().is_empty());
    }
}
