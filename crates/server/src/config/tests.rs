use super::{
    keys::{ALL, Fallback, Profile, Takes},
    *,
};
use std::{cell::RefCell, collections::BTreeSet};

fn load(dir: &Path, env: &[(&str, &str)], overrides: Overrides) -> Result<Config, ConfigError> {
    let env: Vec<(String, String)> = env.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect();
    let overrides = Overrides { data_dir: Some(dir.into()), ..overrides };
    Config::assemble(overrides, &|name| env.iter().find(|(k, _)| k == name).map(|(_, v)| v.clone()))
}

#[test]
fn flags_win_over_environment_over_file_over_defaults() {
    let dir = tempfile::tempdir().unwrap();
    let flag = Overrides { listen: Some("127.0.0.1:3".parse().unwrap()), ..Overrides::default() };
    assert_eq!(load(dir.path(), &[], Overrides::default()).unwrap().listen.port(), 8096);
    std::fs::write(dir.path().join("loge.toml"), "listen = \"127.0.0.1:1\"\nruntime = \"process\"\n").unwrap();
    let env = [("LOGE_LISTEN", "127.0.0.1:2")];
    assert_eq!(load(dir.path(), &[], Overrides::default()).unwrap().listen.port(), 1);
    assert_eq!(load(dir.path(), &env, Overrides::default()).unwrap().listen.port(), 2);
    assert_eq!(load(dir.path(), &env, flag).unwrap().listen.port(), 3);
    assert_eq!(load(dir.path(), &[], Overrides::default()).unwrap().runtime, RuntimeChoice::Process);
}

#[test]
fn what_cannot_be_meant_is_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let said = |r: Result<Config, ConfigError>| r.unwrap_err().to_string();
    assert!(said(load(dir.path(), &[("LOGE_LISTEN", "here")], Overrides::default())).contains("LOGE_LISTEN=here"));
    std::fs::write(dir.path().join("loge.toml"), "lisen = \"127.0.0.1:1\"\n").unwrap();
    assert!(said(load(dir.path(), &[], Overrides::default())).contains("lisen"));
    std::fs::write(dir.path().join("loge.toml"), "trusted_proxies = [\"10.0.0.2\", \"proxy\"]\n").unwrap();
    let refused = said(load(dir.path(), &[], Overrides::default()));
    assert!(refused.contains("trusted_proxies") && refused.contains("`proxy`"), "{refused}");
    let env = [("LOGE_TRUSTED_PROXIES", "10.0.0.2, 172.18.0.0/16"), ("LOGE_PUBLIC_URL", "https://films.example/")];
    let read = load(dir.path(), &env, Overrides::default()).unwrap();
    assert_eq!(read.trusted_proxies.names(), ["10.0.0.2", "172.18.0.0/16"]);
    assert_eq!(read.public_url.unwrap().to_string(), "https://films.example");
    let folder = [("LOGE_TRUSTED_PROXIES", "10.0.0.2"), ("LOGE_PUBLIC_URL", "https://films.example/loge")];
    assert!(said(load(dir.path(), &folder, Overrides::default())).contains("public_url"));
}

/// Returns what stands in the lines of an example that are no comments, or in all of its settings.
fn settings(text: &str, with_comments: bool) -> Vec<String> {
    let is_setting = |line: &str| line.split_once('=').is_some_and(|(name, _)| !name.trim_end().contains([' ', '#']));
    let lines = text.lines().filter_map(|line| match line.strip_prefix('#') {
        Some(rest) if rest.starts_with(' ') => None,
        Some(rest) => with_comments.then_some(rest),
        None => Some(line),
    });
    lines.filter(|line| is_setting(line)).map(str::to_owned).collect()
}

/// Reads settings as the server would: as `loge.toml` in a folder, or as its environment.
fn read(syntax: Syntax, lines: &[String]) -> Result<Config, ConfigError> {
    let dir = tempfile::tempdir().unwrap();
    let pairs: Vec<(&str, &str)> = match syntax {
        Syntax::Env => lines.iter().map(|line| line.split_once('=').unwrap()).collect(),
        Syntax::Toml => {
            std::fs::write(dir.path().join("loge.toml"), lines.join("\n")).unwrap();
            Vec::new()
        }
    };
    load(dir.path(), &pairs, Overrides::default()).map(|config| Config { data_dir: "/the/house".into(), ..config })
}

fn said(config: &Config) -> String {
    format!("{config:?}")
}

#[test]
fn every_setting_is_read_and_no_variable_besides() {
    let asked = RefCell::new(BTreeSet::new());
    let dir = tempfile::tempdir().unwrap();
    let env = |name: &str| {
        asked.borrow_mut().insert(name.to_owned());
        (name == "XDG_DATA_HOME").then(|| dir.path().display().to_string())
    };
    Config::assemble(Overrides::default(), &env).unwrap();
    let known: BTreeSet<String> = ALL.iter().map(|key| key.env).chain(["XDG_DATA_HOME"]).map(str::to_owned).collect();
    assert_eq!(*asked.borrow(), known);
}

#[test]
fn an_example_changes_nothing_until_something_is_set() {
    let default = said(&read(Syntax::Toml, &[]).unwrap());
    for syntax in [Syntax::Env, Syntax::Toml] {
        let text = example(syntax, None);
        assert_eq!(settings(&text, false), [""; 0]);
        let keys = ALL.iter().filter(|key| syntax == Syntax::Env || key.in_file);
        let lines = settings(&text, true);
        assert_eq!(lines.len(), keys.clone().count(), "one line each: {text}");
        for (key, line) in keys.zip(lines).filter(|(key, _)| key.in_file) {
            let found = said(&read(syntax, std::slice::from_ref(&line)).unwrap_or_else(|e| panic!("{line}: {e}")));
            let is_default = matches!(key.default, Fallback::Text(_));
            assert_eq!(found == default, is_default, "{line} makes {found}");
        }
    }
}

#[test]
fn every_value_that_is_shown_is_read_the_same_from_both_places() {
    let default = said(&read(Syntax::Toml, &[]).unwrap());
    for key in ALL.iter().filter(|key| key.in_file) {
        for value in [Some(key.example), key.development, key.production].into_iter().flatten() {
            let both = [Syntax::Env, Syntax::Toml].map(|syntax| {
                let line = examples::line(syntax, key, value);
                said(&read(syntax, std::slice::from_ref(&line)).unwrap_or_else(|e| panic!("{line}: {e}")))
            });
            assert_eq!(both[0], both[1], "{}", key.name);
            let is_default = matches!(key.default, Fallback::Text(text) if text == value);
            assert_eq!(both[0] == default, is_default, "{} = {value}", key.name);
        }
    }
}

#[test]
fn a_profile_sets_what_the_table_says() {
    for profile in Profile::ALL {
        for syntax in [Syntax::Env, Syntax::Toml] {
            let set = settings(&example(syntax, Some(profile)), false);
            let keys = ALL.iter().filter(|key| syntax == Syntax::Env || key.in_file);
            let meant: Vec<String> =
                keys.filter_map(|key| Some(examples::line(syntax, key, key.set_by(profile)?))).collect();
            assert!(!set.is_empty());
            assert_eq!(set, meant);
            read(syntax, &set).unwrap();
        }
    }
    let development = read(Syntax::Env, &settings(&example(Syntax::Env, Some(Profile::Development)), false)).unwrap();
    assert_eq!((development.listen.ip().is_loopback(), development.drain), (true, Duration::from_secs(1)));
}

#[test]
fn what_cannot_be_meant_is_refused_whoever_says_it() {
    let refused = |syntax, line: &str| read(syntax, &[line.to_owned()]).unwrap_err().to_string();
    assert!(refused(Syntax::Env, "LOGE_DRAIN_SECONDS=soon").contains("LOGE_DRAIN_SECONDS=soon"));
    assert!(refused(Syntax::Toml, "drain_seconds = \"soon\"").contains("drain_seconds"));
    assert!(refused(Syntax::Toml, "names = 7").contains("names"));
    let nested = refused(Syntax::Toml, "[server]\nlisten = \"127.0.0.1:1\"");
    assert!(nested.contains("`server`") && nested.contains("trusted_proxies"), "{nested}");
    assert!(refused(Syntax::Toml, "data_dir = \"/srv\"").contains("`data_dir`"), "the file lies in that folder");
}

#[test]
fn the_table_is_fit_to_be_shown() {
    let names: BTreeSet<&str> = ALL.iter().flat_map(|key| [key.name, key.env]).collect();
    assert_eq!(names.len(), ALL.len() * 2, "no name twice");
    for key in ALL {
        let values = [Some(key.example), key.development, key.production];
        for value in values.into_iter().flatten() {
            // Neither a shell nor systemd nor Node reads such a value otherwise.
            assert!(!value.is_empty() && !value.contains([' ', '"', '\'', '#', '$', '\\', '|']), "{value}");
            if let Takes::Choice(choices) = key.takes {
                assert!(choices.contains(&value), "{value}");
            }
        }
        assert!(key.sentence.ends_with('.') && key.sentence.starts_with(char::is_uppercase), "{}", key.sentence);
        assert!(!key.sentence.contains('\n') && !key.default_words().is_empty());
    }
    if let Takes::Choice(choices) = keys::RUNTIME.takes {
        assert!(choices.iter().all(|choice| RuntimeChoice::from_str(choice).is_ok()));
    }
}

#[test]
fn what_is_kept_in_the_repository_is_up_to_date() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    for (path, text) in examples::kept() {
        let kept = std::fs::read_to_string(root.join(path)).unwrap_or_default();
        assert!(kept == text, "{path} is out of date; `npm run config` makes it from the table of settings");
    }
}

#[test]
fn folders_of_the_machine_are_pairs() {
    let dir = tempfile::tempdir().unwrap();
    let read = |text: &str| load(dir.path(), &[("LOGE_HOST_PATHS", text)], Overrides::default());
    let pair = |here: &str, host: &str| HostPath { here: here.into(), host: host.into() };
    let both = read("/films=/srv/films, /data=/var/lib/a=b").unwrap().host_paths;
    assert_eq!(both, [pair("/films", "/srv/films"), pair("/data", "/var/lib/a=b")]);
    assert!(load(dir.path(), &[], Overrides::default()).unwrap().host_paths.is_empty());
    for wrong in ["/films", "films=/srv/films", "/films=", "/films=/srv/../etc"] {
        assert!(read(wrong).unwrap_err().to_string().contains("host_paths"), "{wrong}");
    }
    std::fs::write(dir.path().join("loge.toml"), "host_paths = [\"/a=/b\"]\n").unwrap();
    assert_eq!(load(dir.path(), &[], Overrides::default()).unwrap().host_paths, [pair("/a", "/b")]);
}

#[test]
fn a_password_in_a_file_of_its_own_becomes_part_of_the_address() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("password");
    std::fs::write(&file, "p@ss/w:rd %\nnot this\n").unwrap();
    let read = |url: &str, file: &Path| {
        let env = [("LOGE_DATABASE_URL", url), ("LOGE_DATABASE_PASSWORD_FILE", file.to_str().unwrap())];
        let config = load(dir.path(), &env[usize::from(url.is_empty())..], Overrides::default())?;
        with_password(config.database_password_file, config.database_url).map(Option::unwrap)
    };
    assert_eq!(
        read("postgres://loge@db:5432/loge", &file).unwrap(),
        "postgres://loge:p%40ss%2Fw%3Ard%20%25@db:5432/loge"
    );
    for url in ["postgres://db/loge", "postgres://loge:known@db/loge", "postgres:loge@db", ""] {
        assert!(read(url, &file).unwrap_err().to_string().contains("database_password_file"), "{url}");
    }
    assert!(read("postgres://loge@db/loge", &dir.path().join("none")).is_err());
    std::fs::write(&file, "\n").unwrap();
    assert!(read("postgres://loge@db/loge", &file).is_err());
}
