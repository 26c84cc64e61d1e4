//! Files by where they are.

use crate::{
    entities::file,
    error::{StoreError, reading, unreadable},
    open::Store,
};
use domain::{FolderId, TitleId};
use sea_orm::{ColumnTrait, Condition, EntityTrait, QueryFilter, QuerySelect};

impl Store {
    /// Returns the titles of files in a folder that can be watched and whose paths begin like one of these,
    /// with the files' paths: what one looks through for the next part of a series.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn paths_that_begin(
        &self,
        folder: &FolderId,
        beginnings: &[Vec<u8>],
    ) -> Result<Vec<(TitleId, Vec<u8>)>, StoreError> {
        let begins = beginnings.iter().fold(Condition::any(), |any, beginning| {
            let range = Condition::all().add(file::Column::Path.gte(beginning.clone()));
            any.add(match past(beginning) {
                Some(end) => range.add(file::Column::Path.lt(end)),
                None => range,
            })
        });
        let rows: Vec<(String, Vec<u8>)> = file::Entity::find()
            .select_only()
            .columns([file::Column::TitleId, file::Column::Path])
            .filter(file::Column::FolderId.eq(folder.as_str()))
            .filter(begins)
            .filter(file::Column::MissingSince.is_null())
            .filter(file::Column::Defect.is_null())
            .into_tuple()
            .all(self.read())
            .await
            .map_err(reading("files"))?;
        rows.into_iter()
            .map(|(id, path)| Ok((TitleId::parse(&id).map_err(|_| unreadable("files", &id))?, path)))
            .collect()
    }
}

/// Returns the first text that comes after all that begin like this one; `None` when nothing does.
fn past(beginning: &[u8]) -> Option<Vec<u8>> {
    let last = beginning.iter().rposition(|byte| *byte < u8::MAX)?;
    let mut end = beginning[..=last].to_vec();
    end[last] += 1;
    Some(end)
}

#[cfg(test)]
mod tests {
    use super::past;

    #[test]
    fn a_range_ends_where_its_beginning_does() {
        assert_eq!(past(b"A/"), Some(b"A0".to_vec()));
        assert_eq!(past(b"A\xff\xff"), Some(b"B".to_vec()));
        assert_eq!((past(b"\xff"), past(b"")), (None, None));
    }
}
