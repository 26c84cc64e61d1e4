//! The settings on paper: examples to copy, and the page of the reference. Each is made of the table
//! of keys alone.

use super::keys::{self, Fallback, Key, Profile, Takes};
use std::fmt::Write as _;

/// A syntax that settings are written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Syntax {
    /// Lines of `NAME=value`, as `.env` and systemd's `EnvironmentFile` have them.
    Env,
    /// `loge.toml`.
    Toml,
}

/// What stands on top of a file that is kept in the repository.
const MADE_BY: &str = "Made by `npm run config` from crates/server/src/config/keys.rs.";

/// Returns what the repository keeps of this: paths and texts.
pub fn kept() -> [(&'static str, String); 3] {
    [
        (".env.example", example(Syntax::Env, Some(Profile::Development))),
        ("deploy/debian/loge.default", example(Syntax::Env, Some(Profile::Production))),
        ("docs/reference/configuration.md", reference()),
    ]
}

/// Returns an example with every setting: what the profile sets is set, all else is a comment that
/// says the default, or a possible value where there is none.
pub fn example(syntax: Syntax, profile: Option<Profile>) -> String {
    let mut text = format!("# {}\n", head(syntax, profile).join("\n# "));
    for key in keys::ALL.iter().filter(|key| syntax == Syntax::Env || key.in_file) {
        let set = profile.and_then(|profile| key.set_by(profile));
        let (mark, value) = match (set, key.default) {
            (Some(value), _) => ("", value),
            (None, Fallback::Text(value)) => ("#", value),
            (None, _) => ("#", key.example),
        };
        let _ = write!(text, "\n# {}\n# Takes: {}. ", key.sentence, key.takes.words());
        let _ = writeln!(text, "Without it: {}.", key.default_words());
        let _ = writeln!(text, "{mark}{}", line(syntax, key, value));
    }
    text
}

fn head(syntax: Syntax, profile: Option<Profile>) -> Vec<&'static str> {
    let mut head = vec![match profile {
        None => "Settings of Loge: every one there is.",
        Some(Profile::Development) => "Settings of Loge for work on the source: every one there is.",
        Some(Profile::Production) => "Settings of Loge as a service: every one there is.",
    }];
    head.push(MADE_BY);
    head.push(match syntax {
        Syntax::Env => "Flags win over the environment, the environment over loge.toml in the data folder.",
        Syntax::Toml => "It lies in the data folder as loge.toml. Flags and the environment win over it.",
    });
    match (syntax, profile) {
        (Syntax::Env, Some(Profile::Development)) => {
            head.push("As .env in the source tree it is read by `npm start` and `npm run migration:run` alone;");
            head.push("the programs themselves read no such file.");
        }
        (Syntax::Env, Some(Profile::Production)) => {
            head.push("After a change: sudo systemctl restart loge");
            head.push("The service writes into the two folders below alone. Another one has to be allowed:");
            head.push("sudo systemctl edit loge      with    [Service]");
            head.push("                                      ReadWritePaths=/mnt/cache");
        }
        _ => {}
    }
    head
}

/// Returns the line that sets a key.
pub(super) fn line(syntax: Syntax, key: &Key, value: &str) -> String {
    match syntax {
        Syntax::Env => format!("{}={value}", key.env),
        Syntax::Toml => format!("{} = {}", key.name, in_toml(key, value)),
    }
}

fn in_toml(key: &Key, value: &str) -> String {
    let quoted = |text: &str| format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""));
    match key.takes {
        Takes::Seconds(_) => value.into(),
        Takes::List => format!("[{}]", value.split(',').map(quoted).collect::<Vec<_>>().join(", ")),
        _ => quoted(value),
    }
}

const PAGE: &str = "\
# Settings

What the server has to know before it starts. What the owner changes while it runs is on the settings page of the dashboard and is kept in the database.

Flags win over the environment, the environment over `loge.toml` in the data folder, and that over the defaults. A key that `loge.toml` does not know, or a value that cannot be meant, is an error that names it. The programs read no `.env` file; `npm start` and `npm run migration:run` read the one of the source tree and pass it on.

`loge-server config --example env` and `loge-server config --example toml` print all of this as a file to begin with. `--profile development` sets what suits work on the source (`.env.example` is that one), `--profile production` what suits a service (the package's `/etc/default/loge`). What a profile leaves out is at its default.
";

/// Returns the page of the reference, in Markdown.
pub fn reference() -> String {
    let mut page = format!("<!-- {MADE_BY} -->\n\n{PAGE}\n");
    page.push_str("| key | variable | flag | without it | development | production |\n|---|---|---|---|---|---|\n");
    let code = |text: Option<&str>| text.map_or_else(String::new, |text| format!("`{text}`"));
    for key in keys::ALL {
        let default = match key.default {
            Fallback::Text(value) => format!("`{value}`"),
            _ => key.default_words(),
        };
        let (development, production) = (code(key.development), code(key.production));
        let (name, env, flag) = (key.name, key.env, code(key.flag));
        let _ = writeln!(page, "| [`{name}`](#{name}) | `{env}` | {flag} | {default} | {development} | {production} |");
    }
    for key in keys::ALL {
        let _ = write!(page, "\n## {}\n\n{} Takes: {}.\n", key.name, key.sentence, key.takes.words());
        if key.in_file {
            let _ = write!(page, "\n```toml\n{}\n```\n", line(Syntax::Toml, key, key.example));
        } else {
            let _ = write!(page, "\n```sh\n{}\n```\n", line(Syntax::Env, key, key.example));
        }
    }
    page
}
