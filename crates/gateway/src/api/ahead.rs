//! Between pressing play and asking for the first segment a player reads two playlists and an
//! init. The loge need not wait for it: what will be asked for first is begun meanwhile.

use crate::{
    House,
    admission::{ByChip, by},
    streams::Film,
    timeline::{Rendition, request},
    watched,
};
use contract::{FileRef, Track, Wanted};
use domain::{Tenant, UserId};
use media::hls::TICKS;
use renditions::segments::FilmKey;
use std::sync::Arc;
use store::FileRow;

/// What a play from here on asks its loge for first: nothing of what lies prepared, and no more
/// than one picture and one sound. `chip`: what encodes it, where that is the graphics chip.
pub fn first(
    film: &Film,
    picture: &Rendition,
    sound: usize,
    position_ms: u64,
    chip: Option<ByChip>,
) -> Vec<(Track, Wanted)> {
    let ticks = position_ms.saturating_mul(TICKS) / 1000;
    let plans = &film.timeline;
    let is_made = match picture {
        Rendition::Live(lines) => film.version(*lines).is_none(),
        Rendition::Original | Rendition::Sound(_) => true,
    };
    let number = match picture {
        Rendition::Original => plans.copy.as_ref().ok().map(|plan| plan.at(ticks)),
        Rendition::Live(_) => Some(plans.encode.at(ticks)),
        Rendition::Sound(_) => None,
    };
    let picture = number.filter(|_| is_made).and_then(|number| request(plans, &film.facts, picture, number));
    let sound = Rendition::Sound(sound);
    let lies = film.stored.iter().any(|stored| stored.has(&sound.name()));
    let sound = (!lies).then(|| request(plans, &film.facts, &sound, plans.audio.at(ticks))).flatten();
    let picture = picture.map(|(track, wanted)| (by(track, chip), wanted));
    picture.into_iter().chain(sound).collect()
}

/// Whether a wish lies in the segment cache, as far as is known: then nothing has to be made for it.
pub fn is_kept(house: &House, user: &UserId, file: &FileRow, film: &Film, wish: &(Track, Wanted)) -> bool {
    let (track, wanted) = wish;
    let version = FilmKey { file: file.id.clone(), size: file.size_bytes, mtime_ns: file.mtime_ns };
    let bare = watched::key(user, version, track, &film.timeline, &[]);
    house.known.of(&bare).is_some_and(|key| house.segments.holds(&key, wanted.number))
}

/// Asks for it and returns. What comes of it shows when the player asks.
pub fn begin(house: &Arc<House>, tenant: &Tenant, file: &FileRef, wishes: Vec<(Track, Wanted)>) {
    if !wishes.is_empty() {
        house.loges.expects_work(tenant);
    }
    for (track, wanted) in wishes {
        let (loges, tenant) = (house.loges.clone(), tenant.clone());
        let file = file.clone();
        house.lifecycle.spawn("first segments", async move {
            if let Err(failure) = loges.begin(&tenant, file, track, wanted).await {
                tracing::debug!(loge.tenant = %tenant, "nothing is begun ahead in the loge of {tenant}: {}", failure.message);
            }
        });
    }
}
