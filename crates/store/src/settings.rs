//! What the owner decided about the house, and about single loges.

use crate::{
    entities::{loge_limit, setting},
    error::{StoreError, is_dangling, reading, unreadable, writing},
    open::{Store, Turn, commit},
    users::Change,
    writer::Transaction,
};
use domain::{InstallId, LogeLimits, UserId, cache::Quota};
use sea_orm::{ActiveValue::Set, ConnectionTrait, EntityTrait, sea_query::OnConflict};
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    pub server_name: String,
    pub max_viewers: u32,
    /// A loge that nobody uses is stopped after this.
    pub idle_stop_minutes: u32,
    pub scan_on_start: bool,
    /// Films one person may watch at once.
    pub max_streams_per_person: u32,
    /// Bytes per second for each person; `None`: no limit.
    pub per_user_rate_bps: Option<u64>,
    /// Bytes per second for all together; `None`: what the link suggests.
    pub total_rate_bps: Option<u64>,
    /// Whether loges may run where the machine cannot give all walls. Only the owner says so.
    pub allow_reduced_isolation: bool,
    /// Bytes of encoded segments that may be kept for one person, and for everyone together.
    pub cache_each_bytes: u64,
    pub cache_total_bytes: u64,
    /// Live encodes by the graphics chip, which every loge is given for that.
    pub hardware_encoding: bool,
    /// Another worker image than the one the server came with.
    pub worker_image: Option<PinnedImage>,
}

impl Settings {
    pub const fn cache_quota(&self) -> Quota {
        Quota { each: self.cache_each_bytes, total: self.cache_total_bytes }
    }
}

/// The owner's choice of an image, and the one it replaces: a server that comes with another one
/// speaks another version, for which nothing was chosen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PinnedImage {
    pub id: String,
    pub instead_of: String,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            server_name: "Loge".into(),
            max_viewers: 6,
            max_streams_per_person: 3,
            idle_stop_minutes: 15,
            scan_on_start: true,
            per_user_rate_bps: None,
            total_rate_bps: None,
            allow_reduced_isolation: false,
            cache_each_bytes: Quota::default().each,
            cache_total_bytes: Quota::default().total,
            hardware_encoding: false,
            worker_image: None,
        }
    }
}

const SETTINGS: &str = "settings";
const HOUSE: &str = "house";
const WAY_IN: &str = "way_in";
/// Where the names alone were kept before there were proxies.
const NAMES: &str = "allowed_names";

/// How people reach the house from outside its own network, as the owner set it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct WayIn {
    pub allowed_names: Vec<String>,
    /// Addresses and networks of proxies whose word counts.
    pub trusted_proxies: Vec<String>,
    /// What stands in links to this house: `https://films.example.org`.
    pub public_url: Option<String>,
}
const INSTALL: &str = "install_id";

impl Store {
    /// What the owner set, and the defaults for the rest.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn settings(&self) -> Result<Settings, StoreError> {
        load(self.read()).await
    }

    /// Changes what `change` changes, in one transaction with reading the rest, so that two changes
    /// at once both count. Returns the settings before and after.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn change_settings(
        &self,
        change: impl FnOnce(&mut Settings) + Send,
    ) -> Result<(Settings, Settings), StoreError> {
        let transaction = self.write(Turn::Settings, SETTINGS).await?;
        let before = load(&transaction).await?;
        let mut after = before.clone();
        change(&mut after);
        save(&transaction, &after).await?;
        commit(transaction, SETTINGS).await?;
        Ok((before, after))
    }

    /// Returns how people reach the house from outside.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn way_in(&self) -> Result<WayIn, StoreError> {
        if let Some(text) = value(self.read(), WAY_IN).await? {
            return serde_json::from_str(&text).map_err(|_| unreadable(SETTINGS, &text));
        }
        let names = value(self.read(), NAMES).await?;
        let names = names.map(|text| serde_json::from_str(&text).map_err(|_| unreadable(SETTINGS, &text)));
        Ok(WayIn { allowed_names: names.transpose()?.unwrap_or_default(), ..WayIn::default() })
    }

    /// Exactly this, from now on.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn set_way_in(&self, way: &WayIn) -> Result<(), StoreError> {
        let transaction = self.write(Turn::Any, SETTINGS).await?;
        // Texts: this cannot fail, and an empty record allows nothing more.
        let text = serde_json::to_string(way).unwrap_or_else(|_| "{}".into());
        set_value(&transaction, WAY_IN, text).await?;
        commit(transaction, SETTINGS).await
    }

    /// Made once; labels on containers carry it.
    ///
    /// # Errors
    /// When the database cannot be read or written.
    pub async fn install_id(&self) -> Result<InstallId, StoreError> {
        let parse = |text: &str| InstallId::parse(text).map_err(|_| unreadable(SETTINGS, text));
        if let Some(text) = value(self.read(), INSTALL).await? {
            return parse(&text);
        }
        let fresh = InstallId::from_random(self.clock().random_id());
        let transaction = self.write(Turn::Any, SETTINGS).await?;
        let row = setting::ActiveModel { name: Set(INSTALL.into()), content: Set(fresh.as_str().into()) };
        // Two servers on one new database may both come here; the first one's id stays.
        let first_wins = OnConflict::column(setting::Column::Name).do_nothing().to_owned();
        setting::Entity::insert(row)
            .on_conflict(first_wins)
            .exec_without_returning(&transaction)
            .await
            .map_err(writing(SETTINGS))?;
        let kept = value(&transaction, INSTALL).await?;
        commit(transaction, SETTINGS).await?;
        kept.map_or(Ok(fresh), |text| parse(&text))
    }

    /// Makes this copy of a house another one: the containers of the house it was copied from are not
    /// its own.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn forget_install_id(&self) -> Result<(), StoreError> {
        let transaction = self.write(Turn::Any, SETTINGS).await?;
        setting::Entity::delete_by_id(INSTALL).exec(&transaction).await.map_err(writing(SETTINGS))?;
        commit(transaction, SETTINGS).await
    }

    /// Limits of one person's loge; the promise of the house unless the owner set others.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn loge_limits(&self, user: &UserId) -> Result<LogeLimits, StoreError> {
        let row = loge_limit::Entity::find_by_id(user.as_str()).one(self.read()).await.map_err(reading("limits"))?;
        Ok(row.map_or(LogeLimits::DEFAULT, |r| LogeLimits {
            memory_bytes: r.memory_bytes.cast_unsigned(),
            cpu_millis: u32::try_from(r.cpu_millis).unwrap_or(LogeLimits::DEFAULT.cpu_millis),
            pids: u32::try_from(r.pids).unwrap_or(LogeLimits::DEFAULT.pids),
        }))
    }

    /// # Errors
    /// When the database cannot be written.
    pub async fn set_loge_limits(&self, user: &UserId, limits: LogeLimits) -> Result<Change, StoreError> {
        use loge_limit::{ActiveModel, Column, Entity};
        let transaction = self.write(Turn::Any, "limits").await?;
        let row = ActiveModel {
            user_id: Set(user.as_str().into()),
            memory_bytes: Set(limits.memory_bytes.cast_signed()),
            cpu_millis: Set(i64::from(limits.cpu_millis)),
            pids: Set(i64::from(limits.pids)),
        };
        let newer = OnConflict::column(Column::UserId)
            .update_columns([Column::MemoryBytes, Column::CpuMillis, Column::Pids])
            .to_owned();
        match Entity::insert(row).on_conflict(newer).exec_without_returning(&transaction).await {
            Ok(_) => {}
            Err(e) if is_dangling(&e) => return Ok(Change::Missing),
            Err(e) => return Err(writing("limits")(e)),
        }
        commit(transaction, "limits").await?;
        Ok(Change::Done)
    }
}

pub(crate) async fn set_server_name(transaction: &Transaction, name: &str) -> Result<(), StoreError> {
    let settings = Settings { server_name: name.into(), ..load(transaction).await? };
    save(transaction, &settings).await
}

/// One named value as text.
pub(crate) async fn value(db: &impl ConnectionTrait, name: &str) -> Result<Option<String>, StoreError> {
    let row = setting::Entity::find_by_id(name).one(db).await.map_err(reading(SETTINGS))?;
    Ok(row.map(|r| r.content))
}

pub(crate) async fn set_value(transaction: &Transaction, name: &str, text: String) -> Result<(), StoreError> {
    let row = setting::ActiveModel { name: Set(name.into()), content: Set(text) };
    let newer = OnConflict::column(setting::Column::Name).update_column(setting::Column::Content).to_owned();
    setting::Entity::insert(row)
        .on_conflict(newer)
        .exec_without_returning(transaction)
        .await
        .map_err(writing(SETTINGS))?;
    Ok(())
}

async fn load(db: &impl ConnectionTrait) -> Result<Settings, StoreError> {
    match value(db, HOUSE).await? {
        None => Ok(Settings::default()),
        Some(text) => serde_json::from_str(&text).map_err(|_| unreadable(SETTINGS, &text)),
    }
}

async fn save(transaction: &Transaction, settings: &Settings) -> Result<(), StoreError> {
    // Numbers, booleans and text: this cannot fail, and an empty object would mean the defaults.
    let text = serde_json::to_string(settings).unwrap_or_else(|_| "{}".into());
    set_value(transaction, HOUSE, text).await
}
