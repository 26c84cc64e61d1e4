//! What a calibration found, and the file that is worth reading for one.

use crate::{
    entities::file,
    error::{StoreError, reading},
    open::{Store, Turn, commit},
    settings::{set_value, value},
    titles::{FileRow, to_file},
};
use domain::{
    capacity::Capacity,
    chip::{Chip, ChipProblem, ChipRung, ChipVerdict, VaDriver},
};
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
    #[serde(default)]
    chip: KeptChip,
}

#[derive(Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum KeptChip {
    #[default]
    Untested,
    Works {
        driver: String,
        rungs: Vec<KeptRung>,
    },
    Failed {
        problem: String,
    },
}

#[derive(Serialize, Deserialize)]
struct KeptRung {
    lines: u32,
    upload_cost: Option<f64>,
    whole_cost: Option<f64>,
    fps: f64,
}

impl From<&ChipVerdict> for KeptChip {
    fn from(verdict: &ChipVerdict) -> Self {
        let kept = |rung: &ChipRung| KeptRung {
            lines: rung.lines,
            upload_cost: rung.upload_cost,
            whole_cost: rung.whole_cost,
            fps: rung.fps,
        };
        match verdict {
            ChipVerdict::Untested => Self::Untested,
            ChipVerdict::Failed(problem) => Self::Failed { problem: problem.as_str().into() },
            ChipVerdict::Works(chip) => {
                Self::Works { driver: chip.driver.as_str().into(), rungs: chip.rungs.iter().map(kept).collect() }
            }
        }
    }
}

impl KeptChip {
    /// What another version says that this one does not know was never tested by this one.
    fn verdict(self) -> ChipVerdict {
        let rung = |kept: KeptRung| ChipRung {
            lines: kept.lines,
            upload_cost: kept.upload_cost,
            whole_cost: kept.whole_cost,
            fps: kept.fps,
        };
        let known = match self {
            Self::Untested => None,
            Self::Failed { problem } => ChipProblem::parse(&problem).map(ChipVerdict::Failed),
            Self::Works { driver, rungs } => VaDriver::parse(&driver)
                .and_then(|driver| Chip { driver, rungs: rungs.into_iter().map(rung).collect() }.checked())
                .map(ChipVerdict::Works),
        };
        known.unwrap_or_default()
    }
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
            chip: k.chip.verdict(),
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
            chip: (&capacity.chip).into(),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_another_version_wrote_is_read_as_far_as_it_is_known() {
        let kept = |chip: &str| {
            let text = format!(
                r#"{{"measured_at_ms":1,"cores":4,"decode_cost":0.1,"encode":[[480,0.2]],"tone_map_cost":null,
                "remux_cost":0.01,"disk_bytes_per_s":null,"memory_bytes":1{chip}}}"#
            );
            serde_json::from_str::<Kept>(&text).unwrap().chip.verdict()
        };
        assert_eq!(kept(""), ChipVerdict::Untested, "from before there was a chip");
        assert_eq!(kept(r#","chip":{"failed":{"problem":"too_slow"}}"#), ChipVerdict::Failed(ChipProblem::TooSlow));
        let rung = r#"{"lines":480,"upload_cost":0.1,"whole_cost":null,"fps":90.0}"#;
        let works = |driver: &str, rungs: &str| {
            kept(&format!(r#","chip":{{"works":{{"driver":"{driver}","rungs":[{rungs}]}}}}"#))
        };
        assert!(matches!(works("i965", rung), ChipVerdict::Works(chip) if chip.rungs.len() == 1));
        for (driver, rungs) in [("nvdec", rung), ("i965", ""), ("i965", &rung.replace("480", "481"))] {
            assert_eq!(works(driver, rungs), ChipVerdict::Untested, "{driver} {rungs}");
        }
        assert_eq!(kept(r#","chip":{"failed":{"problem":"on_fire"}}"#), ChipVerdict::Untested);
    }
}
