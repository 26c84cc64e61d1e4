use crate::house::{House, on_both};
use base::Clock;
use domain::{Role, SessionId, UserId};
use store::{NewSession, Rotation, SESSION_IDLE_MS};

const GRACE_MS: u64 = 30_000;

on_both!(a_token_is_replaced_at_every_use, a_replaced_token_ends_the_family, many_at_once_are_one_family, sign_ins_end);

async fn sign_in(house: &House, user: &UserId, token: u8) -> SessionId {
    let new = NewSession {
        id: house.session_id(),
        user: user.clone(),
        device: Some("Firefox".into()),
        address: Some("home".into()),
        created_at: house.clock.now(),
        expires_at: house.clock.now().plus_ms(90 * 24 * 3600 * 1000),
    };
    house.store.create_session(&new, [token; 32]).await.unwrap().id
}

async fn rotate(house: &House, old: u8, new: u8, device: &str) -> Rotation {
    house.store.rotate_refresh([old; 32], [new; 32], house.clock.now(), GRACE_MS, device).await.unwrap()
}

async fn a_token_is_replaced_at_every_use(house: &House) {
    let ana = house.user("ana", Role::Viewer).await;
    let session = sign_in(house, &ana.id, 1).await;
    assert_eq!(rotate(house, 9, 10, "home").await, Rotation::Unknown);
    house.clock.advance_ms(60_000);
    let Rotation::Rotated(rotated) = rotate(house, 1, 2, "home").await else { panic!("not rotated") };
    assert_eq!((rotated.id, rotated.last_seen_at), (session.clone(), house.clock.now()));
    assert_eq!(house.store.user(&ana.id).await.unwrap().unwrap().last_seen_at, Some(house.clock.now()));
    house.clock.advance_ms(30_000);
    assert!(matches!(rotate(house, 1, 2, "home").await, Rotation::Graced(_)), "the answer was lost");
    assert!(matches!(rotate(house, 2, 3, "home").await, Rotation::Rotated(_)), "and the successor works");
    // Idle for two weeks is an end.
    house.clock.advance_ms(SESSION_IDLE_MS);
    assert_eq!(rotate(house, 3, 4, "home").await, Rotation::Ended);
    assert!(house.store.sessions_of(&ana.id).await.unwrap().is_empty());
}

async fn a_replaced_token_ends_the_family(house: &House) {
    let ana = house.user("ana", Role::Viewer).await;
    let cases: [(&str, i64); 2] = [("home", 30_001), ("elsewhere", 1)];
    for (n, (device, later)) in (0_u8..).zip(cases) {
        let (first, second) = (10 + n * 10, 11 + n * 10);
        let session = sign_in(house, &ana.id, first).await;
        assert!(matches!(rotate(house, first, second, "home").await, Rotation::Rotated(_)));
        house.clock.advance_ms(later);
        assert!(matches!(rotate(house, first, second, device).await, Rotation::Reused(_)), "{device} {later}");
        assert_eq!(rotate(house, second, 99, "home").await, Rotation::Ended, "the thief's and the owner's both");
        assert!(house.store.session(&session).await.unwrap().unwrap().ended_at.is_some());
    }
    // One whose successor was used already has no grace left.
    sign_in(house, &ana.id, 50).await;
    assert!(matches!(rotate(house, 50, 51, "home").await, Rotation::Rotated(_)));
    assert!(matches!(rotate(house, 51, 52, "home").await, Rotation::Rotated(_)));
    assert!(matches!(rotate(house, 50, 51, "home").await, Rotation::Reused(_)));
}

async fn many_at_once_are_one_family(house: &House) {
    let ana = house.user("ana", Role::Viewer).await;
    sign_in(house, &ana.id, 1).await;
    let mut tries = Vec::new();
    for _ in 0..100 {
        let (store, now) = (house.store.clone(), house.clock.now());
        tries.push(tokio::spawn(async move { store.rotate_refresh([1; 32], [2; 32], now, GRACE_MS, "home").await }));
    }
    let mut rotated = 0;
    for one in tries {
        match one.await.unwrap().unwrap() {
            Rotation::Rotated(_) => rotated += 1,
            Rotation::Graced(_) => {}
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(rotated, 1);
    assert_eq!(house.store.all_sessions().await.unwrap().len(), 1);
}

async fn sign_ins_end(house: &House) {
    let (ana, bo) = (house.user("ana", Role::Viewer).await, house.user("bo", Role::Viewer).await);
    let mut of_ana = Vec::new();
    for token in 1..=3 {
        of_ana.push(sign_in(house, &ana.id, token).await);
    }
    let of_bo = sign_in(house, &bo.id, 9).await;
    assert_eq!(house.store.all_sessions().await.unwrap().len(), 4);
    assert!(house.store.end_session(&of_ana[0]).await.unwrap());
    assert!(!house.store.end_session(&of_ana[0]).await.unwrap(), "once");
    let ended = house.store.end_sessions_of(&ana.id, Some(&of_ana[1])).await.unwrap();
    assert_eq!(ended, [of_ana[2].clone()]);
    let left: Vec<_> = house.store.sessions_of(&ana.id).await.unwrap().into_iter().map(|s| s.id).collect();
    assert_eq!(left, [of_ana[1].clone()]);
    house.store.delete_user(&bo.id).await.unwrap();
    assert!(house.store.session(&of_bo).await.unwrap().is_none());
    assert_eq!(rotate(house, 9, 10, "home").await, Rotation::Unknown);
}
