//! PostgreSQL goes away in each of the ways in which it can, and comes back. Nobody waits longer
//! than three seconds, and nobody has to start anything again.

use crate::{
    house::{House, POSTGRES},
    line::{Line, Mode, parts},
};
use domain::Role;
use sea_orm::{ConnectOptions, ConnectionTrait};
use std::{sync::Arc, time::Duration};
use store::{Database, Store};
use tokio::time::{Instant, sleep, timeout};

/// What a person is promised.
const PROMISED: Duration = Duration::from_secs(3);
/// How long the database may be back without being used; twice what it takes, for slow machines.
const USED_AGAIN: Duration = Duration::from_secs(5);

struct Distant {
    house: House,
    line: Line,
    store: Store,
    url: String,
}

impl Distant {
    async fn open() -> Option<Self> {
        let house = House::open(POSTGRES).await?;
        let Database::Url(url) = house.database.clone() else { panic!("a URL") };
        let (before, server, after) = parts(&url);
        let line = Line::to(server.to_owned()).await;
        let url = format!("{before}127.0.0.1:{}{after}", line.port);
        let store = Store::open(Database::Url(url.clone()), Arc::new(house.clock.clone())).await.unwrap();
        Some(Self { house, line, store, url })
    }

    /// As many statements, one after the other, as a sign-in has, and none of them succeeds.
    async fn sign_in_like(&self, name: &str) {
        let new = self.house.new_user(name, Role::Viewer);
        for _ in 0..3 {
            assert!(self.store.user(&new.id).await.unwrap_err().is_away());
            assert!(self.store.create_user(&new).await.unwrap_err().is_away());
        }
    }

    async fn is_used_again(&self) {
        let begun = Instant::now();
        while self.store.users().await.is_err() {
            assert!(begun.elapsed() < USED_AGAIN, "the database is back and not used");
            sleep(Duration::from_millis(20)).await;
        }
    }

    async fn clear(self) {
        self.line.set(Mode::Carries).await;
        self.store.close().await;
        self.house.clear().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_waits_for_a_database_that_is_away_and_it_is_used_when_it_is_back() {
    let Some(distant) = Distant::open().await else { return };
    let store = &distant.store;
    let ana = distant.house.new_user("Ana", Role::Admin);
    store.create_user(&ana).await.unwrap();
    assert!(store.away_since().is_none() && store.ping().await.is_ok(), "the control: it is there");

    for (round, mode) in [Mode::Refuses, Mode::Silent, Mode::Silent].into_iter().enumerate() {
        distant.line.set(mode).await;
        let name = format!("Bo {round}");
        let told = timeout(PROMISED, distant.sign_in_like(&name)).await;
        assert!(told.is_ok(), "{mode:?}: still waiting after {PROMISED:?}");
        assert!(store.away_since().is_some(), "{mode:?}");
        assert!(timeout(PROMISED, store.can_write()).await.is_ok_and(|can| !can), "{mode:?}");

        distant.line.set(Mode::Carries).await;
        distant.is_used_again().await;
        assert!(store.away_since().is_none(), "{mode:?}");
        // What was not told as done may be done, once: then its name is taken.
        let again = store.create_user(&distant.house.new_user(&name, Role::Viewer)).await;
        assert!(again.is_ok() || again.is_err_and(|e| e.is_conflict()), "{mode:?}");
        let named = store.users().await.unwrap().into_iter().filter(|user| user.username == name).count();
        assert_eq!(named, 1, "{mode:?}");
        assert!(store.can_write().await, "{mode:?}");
    }
    distant.clear().await;
}

/// The control: it is the watch that ends the wait, and without it the line does hold a question up.
#[tokio::test(flavor = "multi_thread")]
async fn without_the_watch_a_question_hangs() {
    let Some(distant) = Distant::open().await else { return };
    let mut options = ConnectOptions::new(&distant.url);
    let patience = Duration::from_secs(30);
    options.max_connections(8).acquire_timeout(patience).statement_timeout(patience).sqlx_logging(false);
    let plain = sea_orm::Database::connect(options).await.unwrap();
    plain.execute_unprepared("SELECT 1").await.unwrap();
    distant.line.set(Mode::Silent).await;
    assert!(timeout(PROMISED, plain.execute_unprepared("SELECT 1")).await.is_err(), "it hangs");
    distant.line.set(Mode::Refuses).await;
    let mut options = ConnectOptions::new(&distant.url);
    options.acquire_timeout(patience).sqlx_logging(false).connect_lazy(true);
    let plain = sea_orm::Database::connect(options).await.unwrap();
    assert!(timeout(PROMISED, plain.execute_unprepared("SELECT 1")).await.is_err(), "it is tried again and again");
    distant.clear().await;
}

/// Each connection that was open is dead for good, and says nothing about it.
#[tokio::test(flavor = "multi_thread")]
async fn another_server_in_the_place_of_the_first_is_used_at_once() {
    let Some(distant) = Distant::open().await else { return };
    let store = &distant.store;
    // Fills the pool.
    let all = (0..8).map(|_| {
        let store = store.clone();
        tokio::spawn(async move { store.users().await.is_ok() })
    });
    for one in all.collect::<Vec<_>>() {
        assert!(one.await.unwrap());
    }
    distant.line.fail_over();
    let begun = Instant::now();
    for n in 0..20 {
        let asked = timeout(PROMISED, store.users()).await;
        assert!(asked.is_ok(), "question {n} waits");
    }
    distant.is_used_again().await;
    for _ in 0..20 {
        assert!(store.users().await.is_ok());
    }
    assert!(begun.elapsed() < 2 * USED_AGAIN);
    distant.clear().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_house_closes_although_its_database_is_away() {
    let Some(distant) = Distant::open().await else { return };
    distant.store.users().await.unwrap();
    distant.line.set(Mode::Silent).await;
    let asked = distant.store.clone();
    let asked = tokio::spawn(async move { asked.users().await.is_err() });
    assert!(timeout(2 * USED_AGAIN, distant.store.clone().close()).await.is_ok(), "the end waits for it");
    assert!(timeout(2 * USED_AGAIN, asked).await.unwrap().unwrap());
    distant.line.set(Mode::Carries).await;
    distant.house.clear().await;
}
