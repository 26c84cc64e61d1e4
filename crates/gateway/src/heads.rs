//! What runs in a viewer's loge for a play that is over.

use crate::{
    House,
    streams::Play,
    timeline::{Rendition, track},
};
use contract::{Job, Track};
use domain::Tenant;
use std::{sync::Arc, time::Duration};

/// Whoever does not hear it in this time ends by itself a little later.
const REST_TIME: Duration = Duration::from_secs(5);

/// Ends the heads of a play whose page was closed; nobody waits for that. Without it they would
/// end when nobody has asked them for a while.
pub fn rest(house: &Arc<House>, play: Arc<Play>) {
    let (Some(film), Some(served)) = (play.film(), play.served()) else { return };
    let pictures = play.about.ladder.iter().flat_map(|ladder| {
        let original = ladder.original.then_some(Rendition::Original);
        let encoded = ladder.lines.iter().filter(|lines| film.version(**lines).is_none());
        original.into_iter().chain(encoded.map(|lines| Rendition::Live(*lines)))
    });
    let sounds = (0..film.facts.audio.len()).map(Rendition::Sound);
    let tracks: Vec<Track> =
        pictures.chain(sounds).filter_map(|rendition| track(&film.timeline, &film.facts, &rendition)).collect();
    let (loges, tenant) = (house.loges.clone(), Tenant::User(play.about.user.clone()));
    house.lifecycle.spawn("rest", async move {
        for track in tracks {
            let job = Job::Rest { file: served.file.clone(), track };
            if let Err(failure) = loges.job(&tenant, job, 64, REST_TIME).await {
                // A loge that is gone has nothing left to end.
                tracing::debug!("the heads of a play that is over do not rest: {failure}");
                break;
            }
        }
    });
}
