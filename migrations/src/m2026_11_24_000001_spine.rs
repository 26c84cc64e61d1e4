//! People, libraries, titles, and what the house remembers of them.
//!
//! Ids are 32 hexadecimal digits, times are milliseconds since 1970 in UTC, unsigned 64-bit
//! numbers keep their bits in a signed column.

use sea_orm_migration::{
    prelude::*,
    sea_orm::{ConnectionTrait, DbBackend},
};

#[derive(DeriveMigrationName)]
pub struct Migration;

/// Sorted text is compared by its bytes in both databases, so that pages come in the same order
/// whatever the language of the machine is.
const UP: &str = r"
CREATE TABLE users (
    id TEXT PRIMARY KEY {BYTES},
    username TEXT NOT NULL,
    username_key TEXT NOT NULL UNIQUE,
    password_hash TEXT NOT NULL,
    role TEXT NOT NULL,
    disabled BOOLEAN NOT NULL,
    created_at BIGINT NOT NULL,
    last_seen_at BIGINT
);
CREATE TABLE sessions (
    id TEXT PRIMARY KEY,
    user_id TEXT NOT NULL REFERENCES users(id) ON DELETE CASCADE,
    device TEXT,
    address TEXT,
    created_at BIGINT NOT NULL,
    last_seen_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    ended_at BIGINT
);
CREATE INDEX sessions_user ON sessions(user_id);
CREATE TABLE refresh_tokens (
    hash {BLOB} PRIMARY KEY,
    session_id TEXT NOT NULL REFERENCES sessions(id) ON DELETE CASCADE,
    created_at BIGINT NOT NULL,
    replaced_at BIGINT,
    replaced_by {BLOB},
    replaced_from TEXT
);
CREATE INDEX refresh_tokens_session ON refresh_tokens(session_id);
CREATE TABLE libraries (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    kind TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    last_scan_at BIGINT
);
CREATE TABLE folders (
    id TEXT PRIMARY KEY,
    library_id TEXT NOT NULL REFERENCES libraries(id) ON DELETE CASCADE,
    path {BLOB} NOT NULL UNIQUE,
    place BIGINT NOT NULL,
    state TEXT NOT NULL,
    device BIGINT
);
CREATE INDEX folders_library ON folders(library_id);
CREATE TABLE grants (
    user_id TEXT NOT NULL REFERENCES users(id) ON DELETE CASCADE,
    library_id TEXT NOT NULL REFERENCES libraries(id) ON DELETE CASCADE,
    PRIMARY KEY (user_id, library_id)
);
CREATE INDEX grants_library ON grants(library_id);
CREATE TABLE invites (
    id TEXT PRIMARY KEY,
    token_hash {BLOB} NOT NULL UNIQUE,
    libraries TEXT NOT NULL,
    created_by TEXT NOT NULL REFERENCES users(id) ON DELETE CASCADE,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    used_by TEXT,
    used_at BIGINT
);
CREATE TABLE titles (
    id TEXT PRIMARY KEY {BYTES},
    library_id TEXT NOT NULL REFERENCES libraries(id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    sort_key TEXT NOT NULL {BYTES},
    search_key TEXT NOT NULL,
    year BIGINT,
    added_at BIGINT NOT NULL,
    poster TEXT,
    poster_failed BOOLEAN NOT NULL,
    missing BOOLEAN NOT NULL,
    best_file_id TEXT,
    container TEXT NOT NULL,
    duration_ms BIGINT NOT NULL,
    width BIGINT NOT NULL,
    height BIGINT NOT NULL,
    video_codec TEXT,
    audio_codec TEXT,
    size_bytes BIGINT NOT NULL,
    playability TEXT NOT NULL
);
CREATE INDEX titles_library_sort ON titles(library_id, sort_key, id);
CREATE INDEX titles_added ON titles(added_at);
CREATE TABLE files (
    id TEXT PRIMARY KEY,
    title_id TEXT NOT NULL REFERENCES titles(id) ON DELETE CASCADE,
    library_id TEXT NOT NULL REFERENCES libraries(id) ON DELETE CASCADE,
    folder_id TEXT NOT NULL REFERENCES folders(id) ON DELETE CASCADE,
    path {BLOB} NOT NULL,
    size_bytes BIGINT NOT NULL,
    mtime_ns BIGINT NOT NULL,
    inode BIGINT NOT NULL,
    facts TEXT,
    defect TEXT,
    missing_since BIGINT,
    probed_at BIGINT,
    UNIQUE (folder_id, path)
);
CREATE INDEX files_title ON files(title_id);
CREATE INDEX files_library ON files(library_id);
CREATE TABLE progress (
    user_id TEXT NOT NULL REFERENCES users(id) ON DELETE CASCADE,
    title_id TEXT NOT NULL REFERENCES titles(id) ON DELETE CASCADE,
    position_ms BIGINT NOT NULL,
    duration_ms BIGINT NOT NULL,
    finished BOOLEAN NOT NULL,
    event TEXT NOT NULL,
    session_id TEXT NOT NULL,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (user_id, title_id)
);
CREATE INDEX progress_title ON progress(title_id);
CREATE INDEX progress_recent ON progress(user_id, updated_at);
CREATE TABLE jobs (
    id TEXT PRIMARY KEY,
    kind TEXT NOT NULL,
    library_id TEXT,
    state TEXT NOT NULL,
    done BIGINT NOT NULL,
    total BIGINT NOT NULL,
    current_item TEXT,
    error TEXT,
    created_at BIGINT NOT NULL,
    started_at BIGINT,
    finished_at BIGINT
);
CREATE INDEX jobs_created ON jobs(created_at);
CREATE TABLE settings (
    name TEXT PRIMARY KEY,
    content TEXT NOT NULL
);
CREATE TABLE preferences (
    user_id TEXT PRIMARY KEY REFERENCES users(id) ON DELETE CASCADE,
    theme TEXT NOT NULL,
    language TEXT,
    autoplay_next BOOLEAN NOT NULL
);
CREATE TABLE loge_limits (
    user_id TEXT PRIMARY KEY REFERENCES users(id) ON DELETE CASCADE,
    memory_bytes BIGINT NOT NULL,
    cpu_millis BIGINT NOT NULL,
    pids BIGINT NOT NULL
);
CREATE TABLE audit (
    seq BIGINT PRIMARY KEY,
    at BIGINT NOT NULL,
    actor TEXT NOT NULL,
    action TEXT NOT NULL,
    target TEXT,
    result TEXT NOT NULL,
    address TEXT,
    hash {BLOB} NOT NULL
);
";

const DOWN: &str = r"
DROP TABLE audit;
DROP TABLE loge_limits;
DROP TABLE preferences;
DROP TABLE settings;
DROP TABLE jobs;
DROP TABLE progress;
DROP TABLE files;
DROP TABLE titles;
DROP TABLE invites;
DROP TABLE grants;
DROP TABLE folders;
DROP TABLE libraries;
DROP TABLE refresh_tokens;
DROP TABLE sessions;
DROP TABLE users;
";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let (blob, bytes) = match manager.get_database_backend() {
            DbBackend::Postgres => ("BYTEA", "COLLATE \"C\""),
            _ => ("BLOB", ""),
        };
        let sql = UP.replace("{BLOB}", blob).replace("{BYTES}", bytes);
        manager.get_connection().execute_unprepared(&sql).await?;
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.get_connection().execute_unprepared(DOWN).await?;
        Ok(())
    }

    /// All or nothing on SQLite too, where the default is statement by statement.
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}
