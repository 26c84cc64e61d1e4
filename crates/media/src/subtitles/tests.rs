//! Subtitles of every kind and in every state, and what they become.

use super::*;
use proptest::prelude::*;

const ROOM: usize = 2 << 20;

fn check(text: impl AsRef<[u8]>, expected: &str) {
    assert_eq!(to_webvtt(text.as_ref(), ROOM, None).as_deref(), Ok(expected));
}

#[test]
fn subrip_becomes_webvtt() {
    check(
        "1\r\n00:00:01,000 --> 00:00:02,500\r\nHello <i>there</i>\r\n- Who?\r\n\r\n2\r\n00:00:03,000 --> 00:00:04,000\r\n{\\an8}<font color=\"red\">Up</font>\r\n",
        "WEBVTT\n\n00:00:01.000 --> 00:00:02.500\nHello <i>there</i>\n- Who?\n\n00:00:03.000 --> 00:00:04.000 line:5%\nUp\n",
    );
    // Without numbers, with blank lines inside, out of order, and one that ends before it begins.
    check(
        "0:05.0 --> 0:06.0\nlater\n\n00:00:01,5 --> 00:00:02\nfirst\n\nstill first\n\n00:00:09,0 --> 00:00:08,0\nnever\n",
        "WEBVTT\n\n00:00:01.500 --> 00:00:02.000\nfirst\nstill first\n\n00:00:05.000 --> 00:00:06.000\nlater\n",
    );
}

#[test]
fn webvtt_is_read_and_written_anew() {
    check(
        "WEBVTT - title\nKind: captions\n\nSTYLE\n::cue { background: url(http://x) }\n\nNOTE a --> b\n\nid\n00:01.000 --> 00:02.000 align:start evil:url(x) line:10%\n<v Ana>Tom &amp; <c.red>Jerry</c> &nbsp;x\n\n",
        "WEBVTT\n\n00:00:01.000 --> 00:00:02.000 align:start line:10%\nTom &amp; Jerry &nbsp;x\n",
    );
}

#[test]
fn ass_keeps_its_words() {
    let head = "[Script Info]\n[V4+ Styles]\nFormat: Name\n[Events]\nFormat: Layer, Start, End, Style, Text\n";
    let events = "Dialogue: 0,0:00:01.00,0:00:02.50,Default,{\\an8\\i1}One, two{\\i0}\\Nthree <b> & four{note}\n\
         Dialogue: 1,0:00:01.00,0:00:02.50,Default,{\\an8\\i1}One, two{\\i0}\\Nthree <b> & four{note}\n\
         Comment: 0,0:00:01.00,0:00:02.50,Default,no\n\
         Dialogue: 0,0:00:03.00,0:00:04.00,Default,{\\p1}m 0 0 l 100 0{\\p0}\n\
         Dialogue: 0,0:00:05.00,0:00:06.00,Default,plain\\hline\n";
    check(
        format!("{head}{events}"),
        "WEBVTT\n\n00:00:01.000 --> 00:00:02.500 line:5%\n<i>One, two</i>\nthree &lt;b&gt; &amp; four\n\n00:00:05.000 --> 00:00:06.000\nplain&nbsp;line\n",
    );
}

#[test]
fn ass_stands_where_it_was_put() {
    let styles = |section: &str, place: u8| {
        format!(
            "[Script Info]\nPlayResX: 1280\nPlayResY: 720\n[{section}]\nFormat: Name, Fontname, Alignment\nStyle: Default,Arial,2\nStyle: Sign,Arial,{place}\n[Events]\nFormat: Layer, Start, End, Style, Text\n"
        )
    };
    let placed = |head: &str, style: &str, text: &str| {
        let made =
            to_webvtt(format!("{head}Dialogue: 0,0:00:01.00,0:00:02.00,{style},{text}\n").as_bytes(), ROOM, None);
        let made = made.unwrap();
        let line = made.lines().nth(2).unwrap().to_owned();
        line.strip_prefix("00:00:01.000 --> 00:00:02.000").unwrap().trim().to_owned()
    };
    let head = styles("V4+ Styles", 8);
    for (style, text, expected) in [
        ("Default", "words", ""),
        ("Sign", "words", "line:5%"),
        ("*Sign", "words", "line:5%"),
        ("nobody", "words", ""),
        ("Sign", "{\\an1}words", "position:5% align:left"),
        ("Default", "{\\an7\\an2}words", "line:5% position:5% align:left"),
        ("Default", "{\\a11}words", "line:47% position:95% align:right"),
        ("Default", "{\\pos(320,360)}one\\Ntwo", "line:38% position:25%"),
        ("Sign", "{\\move(640,72,0,0)}words", "line:10% position:50%"),
        ("Default", "{\\pos(nan,1e99)}words", ""),
        ("Default", "{\\an8;line:0}words{\\pos(1,2,--> x)}", "line:0% position:0%"),
    ] {
        assert_eq!(placed(&head, style, text), expected, "{style} {text}");
    }
    assert_eq!(placed(&styles("V4 Styles", 6), "Sign", "words"), "line:5%");
}

#[test]
fn what_could_mean_something_to_a_browser_is_escaped() {
    check(
        "00:01,0 --> 00:02,0\n<script>alert(1)</script><img src=x onerror=y> a --> b <00:01.500> <I onclick=x>c</I>\n",
        "WEBVTT\n\n00:00:01.000 --> 00:00:02.000\n&lt;script&gt;alert(1)&lt;/script&gt;&lt;img src=x onerror=y&gt; a --&gt; b  <i>c</i>\n",
    );
}

#[test]
fn encodings_are_found_out() {
    let cue = |word: &str| format!("1\n00:00:01,000 --> 00:00:02,000\n{word}\n");
    let expected = |word: &str| format!("WEBVTT\n\n00:00:01.000 --> 00:00:02.000\n{word}\n");
    let german = "Schöne Grüße, daß die Tür größer wäre";
    let latin: Vec<u8> = cue(german).chars().map(|c| u8::try_from(u32::from(c)).unwrap()).collect();
    check(&latin, &expected(german));
    check([b"\xef\xbb\xbf", cue(german).as_bytes()].concat(), &expected(german));
    let wide = |big: bool| -> Vec<u8> {
        cue("Привет").encode_utf16().flat_map(|u| if big { u.to_be_bytes() } else { u.to_le_bytes() }).collect()
    };
    check([vec![0xff, 0xfe], wide(false)].concat(), &expected("Привет"));
    check([vec![0xfe, 0xff], wide(true)].concat(), &expected("Привет"));
    check(wide(false), &expected("Привет"));
    // Windows-1251, as Russian subtitles of old are.
    let russian = "Здравствуйте, как ваши дела сегодня";
    let cyrillic: Vec<u8> = cue(russian)
        .chars()
        .map(|c| match u32::from(c) {
            n @ 0x410..=0x44f => u8::try_from(n - 0x410 + 0xc0).unwrap(),
            n => u8::try_from(n).unwrap(),
        })
        .collect();
    check(&cyrillic, &expected(russian));
}

/// So many cues, one after the other.
fn counted(cues: usize) -> String {
    (0..cues)
        .map(|n| {
            format!(
                "{}:{:02}:{:02},0 --> {}:{:02}:{:02},9\nx\n\n",
                n / 3600,
                n / 60 % 60,
                n % 60,
                n / 3600,
                n / 60 % 60,
                n % 60
            )
        })
        .collect()
}

/// Returns the times and words that a text becomes, a cue a line.
fn told(text: impl AsRef<[u8]>) -> String {
    let made = to_webvtt(text.as_ref(), ROOM, Some(25.0)).unwrap();
    let cues: Vec<String> = made.split("\n\n").skip(1).map(|cue| cue.trim().replace('\n', "|")).collect();
    cues.join("\n").replace("00:00:", "").replace(" --> ", "-")
}

#[test]
fn a_damaged_letter_costs_itself_alone() {
    let good =
        "1\n00:00:01,000 --> 00:00:02,000\nGrüße aus Köln, schöne Tür\n\n2\n00:00:03,000 --> 00:00:04,000\nNr. 3\n";
    let said = "01.000-02.000|Grüße aus Köln, schöne Tür\n03.000-04.000|";
    let bytes = good.as_bytes();
    let put = |at: &str, with: &[u8]| {
        let at = good.find(at).unwrap();
        [&bytes[..at], with, &bytes[at..]].concat()
    };
    for (what, file, last) in [
        ("as it is", bytes.to_vec(), "Nr. 3"),
        ("a stray byte", put(" 3", b"\x92"), "Nr.\u{fffd} 3"),
        ("cut within a letter", [bytes.trim_ascii_end(), b"\xc3"].concat(), "Nr. 3\u{fffd}"),
        ("zeros behind the end", [bytes, &[0; 512]].concat(), "Nr. 3"),
        ("a zero inside", put(" 3", b"\0"), "Nr. 3"),
        ("a lost sector", put(" 3", &[0; 4096]), "Nr. 3"),
        ("line ends of an old Mac", good.replace('\n', "\r").into_bytes(), "Nr. 3"),
        ("line ends of Windows", good.replace('\n', "\r\n").into_bytes(), "Nr. 3"),
        ("line ends doubled", good.replace('\n', "\r\r\n").into_bytes(), "Nr. 3"),
        ("two marks", [&b"\xef\xbb\xbf\xef\xbb\xbf"[..], bytes].concat(), "Nr. 3"),
        ("no end of the last line", good.trim_end().into(), "Nr. 3"),
        ("surrogates", put(" 3", b" \xed\xa0\xbd\xed\xb8\x80"), "Nr. \u{1f600} 3"),
    ] {
        assert_eq!(told(file), format!("{said}{last}"), "{what}");
    }
    // What says UTF-8 and is not.
    check(
        b"\xef\xbb\xbf1\r\n00:00:01,000 --> 00:00:04,000\r\nIt\x92s \x93fine\x94 \x97 caf\xe9\r\n",
        "WEBVTT\n\n00:00:01.000 --> 00:00:04.000\nIt\u{2019}s \u{201c}fine\u{201d} \u{2014} caf\u{e9}\n",
    );
    // A letter of Chinese whose lower half is zero.
    let chinese: Vec<u8> = good.replace("Nr", "一一一").encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert_eq!(told(chinese), format!("{said}一一一. 3"));
}

#[test]
fn no_line_of_times_reaches_the_screen() {
    for (text, expected) in [
        (
            "1\n-00:00:01,500 --> 00:00:02,000\nfrom the start\n\n2\n00:00:03,000 --> 00:00:04,000\nthree\n\n3\n-00:00:02,500 --> -00:00:01,000\nbefore the film\n",
            "00.000-02.000|from the start\n03.000-04.000|three",
        ),
        (
            "1\n00:00:01,000 --> 00:00:02,000\none\n\n2\n00:00:xx,000 --> 00:00:04,000\nlost\n\n3\n00:00:05,000 --> 00:00:06,000\nthree\n",
            "01.000-02.000|one\n05.000-06.000|three",
        ),
        (
            "1\n0:0:1,5-->0:0:2.5\nno spaces\n\n2\n00:00:03:500 --> 00:00:04:500\ncolon\n\n3\n00:00:05,000 -> 00:00:06,000\nshort\n\n4\n00:00:07,000 --> 00:00:08,000  X1:100 X2:200 Y1:1 Y2:9\nplaced\n",
            "01.500-02.500|no spaces\n03.500-04.500|colon\n05.000-06.000|short\n07.000-08.000|placed",
        ),
        ("1\n00:00:01,000 --> 00:00:02,000 on the same line\n", "01.000-02.000|on the same line"),
        (
            "1\n00:00:01,000 --> 00:00:02,000\n1917\n\n2\n00:00:03,000 --> 00:00:04,000\nIn the year\n1984\n\n3\n00:00:05,000 --> 00:00:06,000\n\n4\n00:00:07,000 --> 00:00:08,000\nlast\n",
            "01.000-02.000|1917\n03.000-04.000|In the year|1984\n07.000-08.000|last",
        ),
        (
            "1\n00:00:04,000 --> 00:00:02,000\nbackwards\n\n2\n00:00:05,000 --> 00:00:05,000\nzero long\n\n3\n00:00:06,000 --> 00:00:08,000\nfine\n",
            "06.000-08.000|fine",
        ),
        (
            "WEBVTT\nX-TIMESTAMP-MAP=MPEGTS:900000,LOCAL:00:00:00.000\n\n00:01.000 --> 00:03.000\n<c.white>Sub</c> &amp; &#39;title&quot;\n",
            "01.000-03.000|Sub &amp; 'title\"",
        ),
        (
            "[INFORMATION]\n[TITLE]x\n[END INFORMATION]\n[SUBTITLE]\n00:00:01.00,00:00:02.00\nfirst<br>line\n\n00:00:03.00,00:00:04.50\nsecond\n",
            "01.000-02.000|first line\n03.000-04.500|second",
        ),
    ] {
        assert_eq!(told(text), expected, "{text}");
    }
}

#[test]
fn files_that_count_in_frames_and_tenths() {
    for (text, expected) in [
        (
            "{25}{50}Frames, not times\n{75}{100}{y:i}second|line\n",
            "01.000-02.000|Frames, not times\n03.000-04.000|<i>second</i>|line",
        ),
        (
            "{1}{1}50.0\n{50}{100}own rate\n{200}{}no end\n{250}{300}{Y:i}all|slanted\n",
            "01.000-02.000|own rate\n04.000-05.000|no end\n05.000-06.000|<i>all</i>|<i>slanted</i>",
        ),
        ("[10][25] tenths|/slanted\n[30][45]more\n", "01.000-02.500|tenths|<i>slanted</i>\n03.000-04.500|more"),
        (
            "00:00:01:one|two\n00:00:03:three\n00:00:30=four\n",
            "01.000-03.000|one|two\n03.000-07.000|three\n30.000-34.000|four",
        ),
    ] {
        assert_eq!(told(text), expected, "{text}");
    }
    assert_eq!(to_webvtt(b"{24}{48}x\n", ROOM, None).unwrap(), "WEBVTT\n\n00:00:01.001 --> 00:00:02.002\nx\n");
}

#[test]
fn spoken_lines_are_kept_and_painting_is_dropped() {
    let head = "[Script Info]\n[Events]\nFormat: Layer, Start, End, Style, Text\n";
    let spoken: String = (1..=9).map(|n| format!("Dialogue: 0,0:00:0{n}.00,0:00:0{n}.90,Default,line {n}\n")).collect();
    let expected: Vec<String> = (1..=9).map(|n| format!("0{n}.000-0{n}.900|line {n}")).collect();
    let painted = |text: &dyn Fn(usize) -> String| -> String {
        (0..33_000)
            .map(|n| format!("Dialogue: 1,0:00:0{}.{:02},0:00:09.{:02},OP,{}\n", n % 9, n % 100, n % 90 + 1, text(n)))
            .collect()
    };
    for (what, painting) in [
        ("letters that are placed", painted(&|n| format!("{{\\pos({n},20)}}*"))),
        ("letters that are not", painted(&|n| format!("l{n}"))),
        ("outlines", painted(&|n| format!("{{\\pos({n},2)\\p1}}m 0 0 l {n} 0 {n} 100"))),
        ("outlines that nothing announces", painted(&|n| format!("m 0 0 l {n} 0 {n} 100"))),
        ("a scale with a fraction", painted(&|n| format!("{{\\p1.5}}m 0 0 l {n} 0 b x y"))),
    ] {
        assert_eq!(told(format!("{head}{painting}{spoken}")), expected.join("\n"), "{what}");
    }
    // A sign that moves with the picture is one cue.
    let sign: String = (0..50)
        .map(|n| format!("Dialogue: 0,0:00:01.{n:02},0:00:01.{:02},Sign,{{\\pos({n},20)}}No entry\n", n + 1))
        .collect();
    assert!(told(format!("{head}{sign}")).starts_with("01.000-01.500 line:"));
    // Instructions of ASS that another program left in SubRip.
    let text = "1\n00:00:01,000 --> 00:00:02,000\n{\\p1}m 0 0 l 100 0\nl 5 5{\\p0}words\n\n2\n00:00:02,000 --> 00:00:03,000\nm 0 0 l 100 0 100 100 0 100\n";
    assert_eq!(told(text), "01.000-02.000|words");
}

#[test]
fn braces_without_an_end_take_no_square_of_time() {
    // Eight million braces: looked for from each of them, the end would not be found this year.
    let braces = "{\\".repeat(MAX_FILE_BYTES / 2 - 100);
    let plain = format!("00:01,0 --> 00:02,0\n{braces}\n");
    let ass = format!("[Events]\nFormat: Start, End, Text\nDialogue: 0:00:01.00,0:00:02.00,{braces}\n");
    for text in [plain, ass] {
        assert!(to_webvtt(text.as_bytes(), ROOM, None).is_ok());
    }
}

#[test]
fn what_is_no_subtitle_is_refused() {
    for (bytes, why) in [
        (vec![], NoSubtitle::Empty),
        (b"a shopping list".to_vec(), NoSubtitle::Empty),
        (b"\x7fELF\x02\x01\x01\0\0\0\0".repeat(50), NoSubtitle::NotText),
        (vec![b'x'; MAX_FILE_BYTES + 1], NoSubtitle::TooLarge),
        (counted(MAX_CUES + 1).into_bytes(), NoSubtitle::TooLarge),
    ] {
        assert_eq!(to_webvtt(&bytes, ROOM, None), Err(why));
    }
    let long = format!("00:01,0 --> 00:02,0\n{}\n", "ä".repeat(100_000));
    let text = to_webvtt(long.as_bytes(), ROOM, None).unwrap();
    assert_eq!(text.matches('ä').count(), MAX_CUE_CHARS);
    assert_eq!(to_webvtt(long.as_bytes(), 1000, None), Err(NoSubtitle::TooLarge));
}

proptest! {
    #[test]
    fn no_text_breaks_out_of_its_cue(words in "[\\PC\n<>&{}\\\\\\-]{0,200}", ass in any::<bool>()) {
        let text = if ass {
            format!("[Events]\nFormat: Start, End, Text\nDialogue: 0:00:01.00,0:00:02.00,{words}\n")
        } else {
            format!("00:01,0 --> 00:02,0\n{words}\n")
        };
        if let Ok(made) = to_webvtt(text.as_bytes(), ROOM, None) {
            let allowed = ["<i>", "</i>", "<b>", "</b>", "<u>", "</u>"];
            let bare = allowed.iter().fold(made.clone(), |text, tag| text.replace(tag, ""));
            prop_assert!(!bare.contains('<'), "{made}");
            let timings = made.lines().filter(|line| line.contains("-->")).count();
            prop_assert_eq!(made.matches('>').count() - allowed.iter().map(|t| made.matches(t).count()).sum::<usize>(), timings);
            if !words.contains('{') {
                prop_assert_eq!(to_webvtt(made.as_bytes(), ROOM, None), Ok(made));
            }
        }
    }

    #[test]
    fn a_damaged_line_of_times_is_no_words(at in 0_usize..29, by in "[^\n\r]") {
        let line = "00:00:03,000 --> 00:00:04,000";
        let damaged: String = line.chars().enumerate().map(|(n, c)| if n == at { by.clone() } else { c.to_string() }).collect();
        let text = format!("1\n00:00:01,000 --> 00:00:02,000\nsaid\n\n2\n{damaged}\nlater\n");
        let made = to_webvtt(text.as_bytes(), ROOM, None).unwrap();
        let words: Vec<&str> = made.lines().filter(|line| !line.contains(" --> ")).collect();
        prop_assert!(words.iter().all(|line| !line.contains("00")), "{damaged:?} became {made}");
    }

    #[test]
    fn no_bytes_are_too_strange(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let _ = to_webvtt(&bytes, ROOM, None);
    }
}
