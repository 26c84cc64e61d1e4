//! What people call the things whose ids the audit log holds.

use crate::{
    entities::{file, library, session, title, user},
    error::{StoreError, reading},
    open::Store,
};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QuerySelect};
use std::collections::HashMap;

impl Store {
    /// Returns the names of people, libraries, titles (also by one of their files), and devices by their
    /// sign-in. What is gone has no name.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn names_of(&self, ids: &[&str]) -> Result<HashMap<String, String>, StoreError> {
        let mut names = HashMap::new();
        if ids.is_empty() {
            return Ok(names);
        }
        names.extend(self.pairs::<user::Entity>(user::Column::Id, user::Column::Username, ids).await?);
        names.extend(self.pairs::<library::Entity>(library::Column::Id, library::Column::Name, ids).await?);
        names.extend(self.pairs::<title::Entity>(title::Column::Id, title::Column::Name, ids).await?);
        names.extend(self.pairs::<session::Entity>(session::Column::Id, session::Column::Device, ids).await?);
        let files = self.pairs::<file::Entity>(file::Column::Id, file::Column::TitleId, ids).await?;
        let of: Vec<&str> = files.values().map(String::as_str).collect();
        let titles = self.pairs::<title::Entity>(title::Column::Id, title::Column::Name, &of).await?;
        names.extend(files.into_iter().filter_map(|(file, title)| Some((file, titles.get(&title)?.clone()))));
        Ok(names)
    }

    async fn pairs<E: EntityTrait>(
        &self,
        id: E::Column,
        name: E::Column,
        ids: &[&str],
    ) -> Result<HashMap<String, String>, StoreError> {
        let found: Vec<(String, Option<String>)> = E::find()
            .select_only()
            .column(id)
            .column(name)
            .filter(id.is_in(ids.iter().copied()))
            .into_tuple()
            .all(self.read())
            .await
            .map_err(reading("names"))?;
        Ok(found.into_iter().filter_map(|(id, name)| Some((id, name?))).collect())
    }
}
