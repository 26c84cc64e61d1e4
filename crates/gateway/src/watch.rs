//! What follows from a change elsewhere: a session that ended takes its streams along, a right
//! that was taken away cuts what it allowed, and a loge without a person is put away.

use crate::{House, Streams};
use base::{Bus, Event};
use domain::{Code, Tenant, UserId};
use std::{sync::Arc, time::Duration};
use tokio::{
    sync::broadcast::{Receiver, error::RecvError},
    time::MissedTickBehavior,
};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

/// Runs until the soft stop.
pub async fn run(house: Arc<House>, mut events: Receiver<base::Stamped>) {
    let soft = house.lifecycle.soft().clone();
    loop {
        let received = tokio::select! {
            () = soft.cancelled() => return,
            received = events.recv() => received,
        };
        match received {
            Ok(stamped) => follow(&house, stamped.event).await,
            Err(RecvError::Lagged(missed)) => {
                warn!("{missed} events were missed; looking at every stream again");
                look_at_all(&house).await;
            }
            Err(RecvError::Closed) => return,
        }
    }
}

/// How often the owner's page hears where films are.
const TOLD_EVERY: Duration = Duration::from_secs(2);

/// Measures what plays, and says so when it moved. Runs until the soft stop.
pub async fn streams(streams: Streams, bus: Bus, soft: CancellationToken) {
    let mut timer = tokio::time::interval(TOLD_EVERY);
    timer.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = soft.cancelled() => return,
            _ = timer.tick() => {
                if streams.have_moved() {
                    bus.publish(Event::StreamsMoved);
                }
            }
        }
    }
}

async fn follow(house: &Arc<House>, event: Event) {
    match event {
        Event::SessionEnded { session, user } => {
            let cut = house.streams.stop_where(Code::SessionEnded, |play| play.session == session).len();
            if cut > 0 {
                info!(user.id = %user, "session {session} ended and took {cut} streams along");
            }
            put_away(house, user);
        }
        Event::GrantsChanged { user } => {
            house.streams.doubt();
            cut_without_right(house, &user).await;
            let (house, tenant) = (house.clone(), Tenant::User(user));
            house.clone().lifecycle.spawn("remount", async move { house.loges.remount(&tenant).await });
        }
        // A scan may have found another file under the same name.
        Event::Library { .. } | Event::Title { .. } => house.streams.doubt(),
        Event::Poster { .. }
        | Event::Job { .. }
        | Event::Loge { .. }
        | Event::Streams
        | Event::StreamsMoved
        | Event::Users
        | Event::Alerts
        | Event::Backups
        | Event::Vitals
        | Event::PlayStopped { .. }
        | Event::Message { .. } => {}
    }
}

/// A loge is for somebody who is signed in. Not awaited: stopping one takes seconds, and the
/// next event may be a cut.
fn put_away(house: &Arc<House>, user: UserId) {
    let task = house.clone();
    house.lifecycle.spawn("release", async move {
        match task.store.sessions_of(&user).await {
            Ok(sessions) if sessions.is_empty() => task.loges.release(&Tenant::User(user)).await,
            Ok(_) => {}
            Err(e) => warn!(user.id = %user, "cannot see whether {user} is still signed in: {e}"),
        }
    });
}

async fn cut_without_right(house: &House, user: &UserId) {
    for play in house.streams.plays_of(user) {
        let why = match house.store.user(user).await {
            Ok(Some(person)) if person.disabled => Some(Code::AccountDisabled),
            Ok(Some(person)) => match house.store.can_see(user, person.role, &play.about.library).await {
                Ok(true) => None,
                Ok(false) => Some(Code::NoLongerShared),
                // In doubt the stream ends: it can be asked for again.
                Err(_) => Some(Code::TicketExpired),
            },
            Ok(None) => Some(Code::SessionEnded),
            Err(_) => Some(Code::TicketExpired),
        };
        if let Some(why) = why {
            house.streams.stop(&play.about.play, why);
        }
    }
}

async fn look_at_all(house: &House) {
    house.streams.doubt();
    let now = house.clock.now();
    for play in house.streams.all() {
        let live = matches!(house.store.session(&play.about.session).await, Ok(Some(s)) if s.is_live(now));
        if live {
            cut_without_right(house, &play.about.user).await;
        } else {
            house.streams.stop(&play.about.play, Code::SessionEnded);
        }
    }
}
