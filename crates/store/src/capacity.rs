//! What a calibration found, and the file that is worth reading for one.

use crate::{
    entities::file,
    error::{StoreError, reading},
    open::{Store, Turn, commit},
    settings::{set_value, value},
    titles::{FileRow, to_file},
};
use domain::capacity::Capacity;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder};
use serde::{Deserialize, Serialize};

const CAPACITY: &str = "capacity";

#[derive(Serialize, Deserialize)]
struct Kept {
    measured_at_ms: i64,
    cores: u32,
    decode_cost: f64,
    encode: Vec<(u32, f64)>,
    tone_map_cost: Option<f64>,
    remux_cost: f64,
    disk_bytes_per_s: Option<u64>,
    memory_bytes: u64,
}

impl Store {
    /// `None` before the first calibration, and for one of another version that says other things.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn capacity(&self) -> Result<Option<Capacity>, StoreError> {
        let text = value(self.read(), CAPACITY).await?;
        let kept = text.and_then(|text| serde_json::from_str::<Kept>(&text).ok());
        let capacity = kept.map(|k| Capacity {
            measured_at_ms: k.measured_at_ms,
            cores: k.cores,
            decode_cost: k.decode_cost,
            encode: k.encode,
            tone_map_cost: k.tone_map_cost,
            remux_cost: k.remux_cost,
            disk_bytes_per_s: k.disk_bytes_per_s,
            memory_bytes: k.memory_bytes,
        });
        Ok(capacity.and_then(Capacity::checked))
    }

    /// # Errors
    /// When the database cannot be written.
    pub async fn set_capacity(&self, capacity: &Capacity) -> Result<(), StoreError> {
        let kept = Kept {
            measured_at_ms: capacity.measured_at_ms,
            cores: capacity.cores,
            decode_cost: capacity.decode_cost,
            encode: capacity.encode.clone(),
            tone_map_cost: capacity.tone_map_cost,
            remux_cost: capacity.remux_cost,
            disk_bytes_per_s: capacity.disk_bytes_per_s,
            memory_bytes: capacity.memory_bytes,
        };
        // Numbers only: this cannot fail, and an empty object would read as no calibration.
        let text = serde_json::to_string(&kept).unwrap_or_else(|_| "{}".into());
        let transaction = self.write(Turn::Any, CAPACITY).await?;
        set_value(&transaction, CAPACITY, text).await?;
        commit(transaction, CAPACITY).await
    }

    /// The largest file that is there.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn largest_file(&self) -> Result<Option<FileRow>, StoreError> {
        let row = file::Entity::find()
            .filter(file::Column::MissingSince.is_null())
            .order_by_desc(file::Column::SizeBytes)
            .order_by_asc(file::Column::Id)
            .one(self.read())
            .await
            .map_err(reading("files"))?;
        row.map(to_file).transpose()
    }
}
