//! Every setting that the server reads before it starts: its names, its default and what it is for.
//! Whatever explains a setting is made of this table, and `config.rs` can read nothing that it lacks.

/// One setting.
#[derive(Debug, Clone, Copy)]
pub struct Key {
    /// Its name, and its key in `loge.toml`.
    pub name: &'static str,
    /// False for the data folder, since `loge.toml` lies in it.
    pub in_file: bool,
    pub env: &'static str,
    /// The flag of `serve` that wins over both.
    pub flag: Option<&'static str>,
    pub takes: Takes,
    pub default: Fallback,
    /// What it is for, in one sentence.
    pub sentence: &'static str,
    /// A value that somebody might set.
    pub example: &'static str,
    /// What [`Profile::Development`] sets it to.
    pub development: Option<&'static str>,
    /// What [`Profile::Production`] sets it to.
    pub production: Option<&'static str>,
}

/// What kind of value a setting takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Takes {
    Address,
    Choice(&'static [&'static str]),
    Path,
    Text,
    Url,
    /// In an environment variable the parts are separated by commas.
    List,
    /// Whole seconds, at most so many.
    Seconds(u64),
}

impl Takes {
    /// Returns the kind in words.
    pub fn words(self) -> String {
        match self {
            Self::Address => "address and port".into(),
            Self::Choice(choices) => choices.join(", "),
            Self::Path => "path".into(),
            Self::Text => "text".into(),
            Self::Url => "URL".into(),
            Self::List => "list; in the environment separated by commas".into(),
            Self::Seconds(most) => format!("seconds, at most {most}"),
        }
    }
}

/// What holds where nothing is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fallback {
    /// This value.
    Text(&'static str),
    /// The program of this name beside the one that runs.
    Beside(&'static str),
    /// No value; what happens then, in words.
    Unset(&'static str),
}

/// A set of values that suits one use of the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Profile {
    /// Work on the source: everything can be thrown away, and only this machine sees it.
    Development,
    /// A service that starts with the machine.
    Production,
}

impl Profile {
    pub const ALL: [Self; 2] = [Self::Development, Self::Production];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Development => "development",
            Self::Production => "production",
        }
    }
}

impl Key {
    /// Returns what a profile sets.
    pub const fn set_by(&self, profile: Profile) -> Option<&'static str> {
        match profile {
            Profile::Development => self.development,
            Profile::Production => self.production,
        }
    }

    /// Returns the default in words.
    pub fn default_words(&self) -> String {
        match self.default {
            Fallback::Text(value) => value.into(),
            Fallback::Beside(program) => format!("{program} beside the server's own program"),
            Fallback::Unset(words) => words.into(),
        }
    }

    /// Returns what the command line says of its flag.
    pub fn help(&self) -> String {
        let choices = match self.takes {
            Takes::Choice(choices) => format!(" [{}]", choices.join(", ")),
            _ => String::new(),
        };
        format!("{}{choices} [default: {}]", self.sentence.trim_end_matches('.'), self.default_words())
    }
}

/// Names the keys, and lists them: none can be named without being in the list.
macro_rules! keys {
    ($($name:ident = $key:expr;)*) => {
        $(pub const $name: Key = $key;)*
        /// All of them, in the order in which they are shown.
        pub const ALL: &[Key] = &[$($name),*];
    };
}

/// A stop that takes longer is no stop.
pub(super) const LONGEST_DRAIN_S: u64 = 600;

/// What most keys are: in the file, without a flag, in no profile.
const USUAL: Key = Key {
    name: "",
    in_file: true,
    env: "",
    flag: None,
    takes: Takes::Text,
    default: Fallback::Unset(""),
    sentence: "",
    example: "",
    development: None,
    production: None,
};

keys! {
    DATA_DIR = Key {
        name: "data_dir",
        in_file: false,
        env: "LOGE_DATA_DIR",
        flag: Some("--data-dir"),
        takes: Takes::Path,
        default: Fallback::Unset("~/.local/share/loge, or loge in $XDG_DATA_HOME"),
        sentence: "Folder that holds everything that must survive: database, keys, pictures, prepared films, and loge.toml itself.",
        example: "/srv/loge",
        development: Some("/tmp/loge"),
        production: Some("/var/lib/loge"),
    };
    LISTEN = Key {
        name: "listen",
        env: "LOGE_LISTEN",
        flag: Some("--listen"),
        takes: Takes::Address,
        default: Fallback::Text("0.0.0.0:8096"),
        sentence: "Address to listen on; port 0 takes a free one, and 127.0.0.1 lets in only this machine and a proxy on it.",
        example: "127.0.0.1:8096",
        development: Some("127.0.0.1:8096"),
        ..USUAL
    };
    RUNTIME = Key {
        name: "runtime",
        env: "LOGE_RUNTIME",
        flag: Some("--runtime"),
        takes: Takes::Choice(&["auto", "docker", "process"]),
        default: Fallback::Text("auto"),
        sentence: "What isolates viewers: auto takes Docker where an engine answers, else the process sandbox.",
        example: "docker",
        ..USUAL
    };
    DATABASE_URL = Key {
        name: "database_url",
        env: "LOGE_DATABASE_URL",
        takes: Takes::Url,
        default: Fallback::Unset("the SQLite file loge.db in the data folder"),
        sentence: "A PostgreSQL database in the place of the file in the data folder.",
        example: "postgres://loge@/loge?host=/run/postgresql",
        ..USUAL
    };
    DATABASE_PASSWORD_FILE = Key {
        name: "database_password_file",
        env: "LOGE_DATABASE_PASSWORD_FILE",
        takes: Takes::Path,
        default: Fallback::Unset("the address of the database has it, or none is needed"),
        sentence: "A file whose first line is the password of the PostgreSQL database, since more people can read an environment than a file.",
        example: "/run/secrets/database-password",
        ..USUAL
    };
    NAMES = Key {
        name: "names",
        env: "LOGE_NAMES",
        takes: Takes::List,
        default: Fallback::Unset("none"),
        sentence: "Public names under which browsers may call the house, besides those of the machine and the home network, which always work.",
        example: "films.example.org,films.example.net",
        ..USUAL
    };
    TRUSTED_PROXIES = Key {
        name: "trusted_proxies",
        env: "LOGE_TRUSTED_PROXIES",
        takes: Takes::List,
        default: Fallback::Unset("none"),
        sentence: "Addresses and networks of the reverse proxies that are believed when they say who asks, and how.",
        example: "127.0.0.1,172.18.0.0/16",
        ..USUAL
    };
    PUBLIC_URL = Key {
        name: "public_url",
        env: "LOGE_PUBLIC_URL",
        takes: Takes::Url,
        default: Fallback::Unset("an address of the home network"),
        sentence: "The address that stands in invitations; its name is allowed with it.",
        example: "https://films.example.org",
        ..USUAL
    };
    SEGMENTS_DIR = Key {
        name: "segments_dir",
        env: "LOGE_SEGMENTS_DIR",
        takes: Takes::Path,
        default: Fallback::Unset("segments in the data folder"),
        sentence: "Folder, used for nothing else, that keeps what was encoded while people watched; it can lie on a disk of its own.",
        example: "/mnt/cache/loge",
        production: Some("/var/cache/loge/segments"),
        ..USUAL
    };
    BACKUP_PASSPHRASE_FILE = Key {
        name: "backup_passphrase_file",
        env: "LOGE_BACKUP_PASSPHRASE_FILE",
        takes: Takes::Path,
        default: Fallback::Unset("the key of the house lies in backups as it is"),
        sentence: "A file whose first line is a passphrase that seals the key of the house in each backup.",
        example: "/etc/loge/backup-passphrase",
        ..USUAL
    };
    LOG = Key {
        name: "log",
        env: "LOGE_LOG",
        default: Fallback::Text("info"),
        sentence: "How much is written to standard error: error, warn, info, debug or trace, also by room (info,loges=debug); what goes into the log files is set on the settings page.",
        example: "info,loges=debug",
        development: Some("info,server=debug,gateway=debug,loges=debug"),
        ..USUAL
    };
    METRICS_TOKEN = Key {
        name: "metrics_token",
        env: "LOGE_METRICS_TOKEN",
        default: Fallback::Unset("only signed-in owners read them"),
        sentence: "Lets a scraper that sends it (Authorization: Bearer …) read /metrics.",
        example: "a-long-random-text",
        ..USUAL
    };
    DRAIN_SECONDS = Key {
        name: "drain_seconds",
        env: "LOGE_DRAIN_SECONDS",
        takes: Takes::Seconds(LONGEST_DRAIN_S),
        default: Fallback::Text("10"),
        sentence: "How long a stop waits for running streams.",
        example: "30",
        development: Some("1"),
        ..USUAL
    };
    DOCKER_HOST = Key {
        name: "docker_host",
        env: "DOCKER_HOST",
        takes: Takes::Url,
        default: Fallback::Unset("the socket /var/run/docker.sock"),
        sentence: "Where the container engine answers.",
        example: "unix:///run/user/1000/docker.sock",
        ..USUAL
    };
    HOST_PATHS = Key {
        name: "host_paths",
        env: "LOGE_HOST_PATHS",
        takes: Takes::List,
        default: Fallback::Unset("asked of the engine, where the server runs in a container"),
        sentence: "Folders of the server's container and where they lie on the machine, for a server in a container whose engine cannot say it.",
        example: "/films=/srv/films,/data=/var/lib/loge",
        ..USUAL
    };
    WORKER_IMAGE = Key {
        name: "worker_image",
        env: "LOGE_WORKER_IMAGE",
        default: Fallback::Text("loge-worker:latest"),
        sentence: "The image that containers are made from until the owner chooses another one.",
        example: "loge-worker:mine",
        ..USUAL
    };
    WORKER_BINARY = Key {
        name: "worker_binary",
        env: "LOGE_WORKER",
        takes: Takes::Path,
        default: Fallback::Beside("loge-worker"),
        sentence: "The program inside a process sandbox, which reads the films.",
        example: "/usr/lib/loge/loge-worker",
        ..USUAL
    };
    LAUNCHER_BINARY = Key {
        name: "launcher_binary",
        env: "LOGE_LAUNCHER",
        takes: Takes::Path,
        default: Fallback::Beside("loge-launch"),
        sentence: "The program that builds a process sandbox.",
        example: "/usr/lib/loge/loge-launch",
        ..USUAL
    };
    FRAMES_BINARY = Key {
        name: "frames_binary",
        env: "LOGE_FRAMES",
        takes: Takes::Path,
        default: Fallback::Beside("loge-frames"),
        sentence: "The program that takes pictures out of films; without it ffmpeg does the same more slowly.",
        example: "/usr/lib/loge/loge-frames",
        ..USUAL
    };
    RENDER_NODES = Key {
        name: "render_nodes",
        env: "LOGE_RENDER_NODES",
        takes: Takes::Path,
        default: Fallback::Text(loges::chip::RENDER_NODES),
        sentence: "Folder of the devices of graphics chips.",
        example: "/dev/dri",
        ..USUAL
    };
}
