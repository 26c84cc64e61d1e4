//! PostgreSQL goes away in the moment of a commit: the caller hears that it failed, and whichever
//! way it ended, the store goes on by itself and nothing is there twice.

use crate::{
    house::{House, POSTGRES},
    line::parts,
};
use domain::Role;
use std::sync::{
    Arc,
    atomic::{AtomicU8, AtomicU32, Ordering},
};
use store::{AuditEntry, Database, Store, StoreError};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

/// What happens to the next commit that passes.
const PASS: u8 = 0;
/// It reaches the database, and its answer reaches nobody.
const LOSE_ANSWER: u8 = 1;
/// It reaches nobody.
const LOSE_COMMIT: u8 = 2;

/// A wire to the database that can be cut at a commit.
struct Wire {
    cut: Arc<AtomicU8>,
    cuts: Arc<AtomicU32>,
    port: u16,
}

impl Wire {
    async fn to(server: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let wire = Self { cut: Arc::default(), cuts: Arc::default(), port: listener.local_addr().unwrap().port() };
        let (cut, cuts) = (wire.cut.clone(), wire.cuts.clone());
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(carry(client, server.clone(), cut.clone(), cuts.clone()));
            }
        });
        wire
    }
}

async fn carry(mut client: TcpStream, server: String, cut: Arc<AtomicU8>, cuts: Arc<AtomicU32>) {
    let Ok(mut server) = TcpStream::connect(server).await else { return };
    let (mut asked, mut told) = (vec![0; 64 << 10], vec![0; 64 << 10]);
    loop {
        tokio::select! {
            read = client.read(&mut asked) => {
                let Ok(n @ 1..) = read else { return };
                let is_commit = asked[..n].windows(7).any(|bytes| bytes == b"COMMIT\0");
                let todo = if is_commit { cut.swap(PASS, Ordering::AcqRel) } else { PASS };
                if todo == LOSE_COMMIT {
                    cuts.fetch_add(1, Ordering::AcqRel);
                    return;
                }
                if server.write_all(&asked[..n]).await.is_err() {
                    return;
                }
                if todo == LOSE_ANSWER {
                    // The answer says that it is done; then the wire is gone.
                    let _ = server.read(&mut told).await;
                    cuts.fetch_add(1, Ordering::AcqRel);
                    return;
                }
            }
            read = server.read(&mut told) => {
                let Ok(n @ 1..) = read else { return };
                if client.write_all(&told[..n]).await.is_err() {
                    return;
                }
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_of_unknown_end_is_no_success_and_is_not_done_twice() {
    let Some(house) = House::open(POSTGRES).await else { return };
    let Database::Url(url) = house.database.clone() else { panic!("a URL") };
    let (before, server, after) = parts(&url);
    let wire = Wire::to(server.to_owned()).await;
    let through = Database::Url(format!("{before}127.0.0.1:{}{after}", wire.port));
    let store = Store::open(through, Arc::new(house.clock.clone())).await.unwrap();
    let entry = |action: &str| AuditEntry {
        actor: "host".into(),
        action: action.into(),
        target: None,
        result: "ok".into(),
        address: None,
    };

    // The control: the wire carries.
    store.create_user(&house.new_user("Ana", Role::Admin)).await.unwrap();
    store.append_audit(entry("one")).await.unwrap();

    for (cut, name, is_there) in [(LOSE_ANSWER, "Bo", true), (LOSE_COMMIT, "Cem", false)] {
        let before = wire.cuts.load(Ordering::Acquire);
        wire.cut.store(cut, Ordering::Release);
        let new = house.new_user(name, Role::Viewer);
        assert!(store.create_user(&new).await.is_err(), "nobody knows whether {name} is there, so it is no success");
        assert_eq!(wire.cuts.load(Ordering::Acquire), before + 1, "the wire was cut at the commit");
        // Asked again, on the same store, by another connection: what is true, and no second one.
        let found = store.user(&new.id).await.unwrap();
        assert_eq!(found.is_some(), is_there, "{name}");
        let again = store.create_user(&house.new_user(name, Role::Viewer)).await;
        assert_eq!(matches!(again, Err(StoreError::Conflict { .. })), is_there, "{name}: {again:?}");
        let named = store.users().await.unwrap().into_iter().filter(|user| user.username == name).count();
        assert_eq!(named, 1, "{name}");

        // A line of the chain that may or may not be there does not break it.
        wire.cut.store(cut, Ordering::Release);
        assert!(store.append_audit(entry("lost")).await.is_err());
        assert!(store.write_failure().is_some(), "the control: it is known that one failed");
        store.append_audit(entry("next")).await.unwrap();
        assert!(store.write_failure().is_none(), "writes work again, and that is known");
    }
    assert_eq!(store.verify_audit().await.unwrap(), 4, "one, the line whose answer was lost, and two after");
    store.close().await;
    house.clear().await;
}
