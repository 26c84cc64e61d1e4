//! What to go on with after this one.

use crate::{House, problem::Answer};
use domain::{
    Role, TitleId, UserId,
    episodes::{Episode, next, paths_near},
};
use serde::Serialize;
use store::FileRow;
use utoipa::ToSchema;

#[derive(Serialize, ToSchema)]
pub struct NextView {
    pub title_id: String,
    pub name: String,
}

/// The next part of the series a file belongs to, below the same folder of its library, and only
/// what this person may see.
pub async fn next_of(house: &House, user: &UserId, role: Role, file: &FileRow) -> Answer<Option<NextView>> {
    let episode = |path: &[u8]| Episode::of_path(&String::from_utf8_lossy(path));
    let Some(current) = episode(&file.path) else { return Ok(None) };
    let all = house.store.paths_that_begin(&file.folder, &paths_near(&file.path)).await?;
    let parts = all.into_iter().filter_map(|(title, path)| Some((episode(&path)?, title)));
    let later = next(&current, parts.filter(|(_, title)| *title != file.title));
    let Some(title): Option<TitleId> = later else { return Ok(None) };
    let seen = house.store.title_for(user, role, &title).await?;
    Ok(seen.map(|(row, _)| NextView { title_id: row.id.to_string(), name: row.name }))
}
