//! `migrate-database`: the house in another database.

use super::say;
use base::Dirs;
use serde_json::{Map, json};
use server::{Config, MigrateDatabaseError, migrate_database, place_of_database, shown_address};
use store::{Database, Moved};

/// Moves the house, and says what to set from now on.
pub(crate) async fn run(config: &Config, to: &str, from: Option<&str>, json: bool) -> anyhow::Result<()> {
    let place = |text: &str| place_of_database(text).ok_or(MigrateDatabaseError::Move(store::MoveError::UnknownUrl));
    let to = place(to)?;
    let from = from.map_or_else(|| Ok(config.database()), place)?;
    let moved = migrate_database(&config.data_dir, &from, &to).await?;
    let (from, place) = (shown(&from), shown(&to));
    let setting = match &to {
        Database::Url(_) => json!(place),
        Database::Sqlite(_) => serde_json::Value::Null,
    };
    let rows: u64 = moved.rows.iter().map(|(_, rows)| rows).sum();
    if json {
        let tables: Map<String, serde_json::Value> =
            moved.rows.iter().map(|(table, rows)| (table.clone(), json!(rows))).collect();
        let told = json!({ "from": from, "to": place, "rows": rows, "tables": tables, "LOGE_DATABASE_URL": setting });
        say(&told.to_string());
        return Ok(());
    }
    say(&format!("{rows} rows copied from {from} to {place} and compared ({})", counted(&moved)));
    for line in what_to_set(config, &to) {
        say(&line);
    }
    say("the old database is as it was; remove it when the house runs on the new one");
    Ok(())
}

fn what_to_set(config: &Config, to: &Database) -> Vec<String> {
    match to {
        Database::Url(url) => vec![format!(
            "set LOGE_DATABASE_URL={} for the server (or database_url in loge.toml), then start it",
            shown_address(url)
        )],
        Database::Sqlite(path) => {
            let own = Dirs::at(&config.data_dir).database();
            let is_there = std::path::absolute(path).ok() == std::path::absolute(&own).ok();
            let into = (!is_there).then(|| format!("move {} to {}", path.display(), own.display()));
            let unset =
                "remove LOGE_DATABASE_URL from the server's settings (and database_url from loge.toml), then start it";
            into.into_iter().chain([unset.to_owned()]).collect()
        }
    }
}

fn shown(database: &Database) -> String {
    match database {
        Database::Url(url) => shown_address(url),
        Database::Sqlite(path) => path.display().to_string(),
    }
}

fn counted(moved: &Moved) -> String {
    let of = |name: &str| moved.rows.iter().find(|(table, _)| table == name).map_or(0, |(_, rows)| *rows);
    format!("people: {}, libraries: {}, titles: {}", of("users"), of("libraries"), of("titles"))
}
