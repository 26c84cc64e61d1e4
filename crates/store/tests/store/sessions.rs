use crate::house::{House, on_both};
use base::Clock;
use domain::{Role, SessionId, UserId};
use store::{Begun, ClockState, NewSession, Rotation, SESSION_IDLE_MS, Shown};

const GRACE_MS: u64 = 30_000;
const DAY_MS: i64 = 24 * 3600 * 1000;
const YEAR_MS: i64 = 365 * DAY_MS;

on_both!(
    a_token_is_replaced_at_every_use,
    a_replaced_token_ends_the_family,
    many_at_once_are_one_family,
    sign_ins_end,
    the_last_two_tokens_of_a_device_are_one_device,
    a_cookie_without_its_secret_ends_the_family,
    a_sign_in_from_before_is_bound_at_its_first_refresh,
    a_person_has_fifty_sign_ins_at_most,
    a_password_that_was_replaced_begins_nothing,
    a_clock_that_jumps_deletes_nothing,
    an_end_counts_whatever_the_clock_says,
    a_clock_that_goes_back_gives_no_time
);

fn new(house: &House, user: &UserId, device: Option<u8>) -> NewSession {
    NewSession {
        id: house.session_id(),
        user: user.clone(),
        device: Some("Firefox".into()),
        address: Some("home".into()),
        created_at: house.store.time(),
        expires_at: house.store.time().plus_ms(90 * DAY_MS),
        device_hash: device.map(|n| [n; 32]),
    }
}

async fn sign_in(house: &House, user: &UserId, token: u8) -> SessionId {
    sign_in_on(house, user, token, None).await
}

async fn sign_in_on(house: &House, user: &UserId, token: u8, device: Option<u8>) -> SessionId {
    match house.store.create_session(&new(house, user, device), [token; 32], None).await.unwrap() {
        Begun::Live { session, .. } => session.id,
        Begun::Refused => panic!("refused"),
    }
}

async fn rotate(house: &House, old: u8, new: u8, address: &str) -> Rotation {
    let by = Shown { address, device_hash: None };
    house.store.rotate_refresh([old; 32], [new; 32], GRACE_MS, by).await.unwrap()
}

async fn rotate_on(house: &House, old: u8, new: u8, device: u8) -> Rotation {
    // From another address each time: a phone that changes its network is the same device.
    let address = format!("10.0.0.{old}");
    let by = Shown { address: &address, device_hash: Some([device; 32]) };
    house.store.rotate_refresh([old; 32], [new; 32], GRACE_MS, by).await.unwrap()
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
    for token in 1..=3 {
        assert_eq!(house.store.session_of_token([token; 32]).await.unwrap().as_ref(), Some(&session));
    }
    assert_eq!(house.store.session_of_token([9; 32]).await.unwrap(), None);
    // Idle for two weeks is an end.
    house.clock.advance_ms(SESSION_IDLE_MS);
    assert_eq!(rotate(house, 3, 4, "home").await, Rotation::Ended);
    assert!(house.store.sessions_of(&ana.id).await.unwrap().is_empty());
}

async fn a_replaced_token_ends_the_family(house: &House) {
    let ana = house.user("ana", Role::Viewer).await;
    let cases: [(&str, i64); 3] = [("home", 30_001), ("elsewhere", 1), ("home", -3_600_000)];
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

async fn the_last_two_tokens_of_a_device_are_one_device(house: &House) {
    let ana = house.user("ana", Role::Viewer).await;
    sign_in_on(house, &ana.id, 1, Some(7)).await;
    assert!(matches!(rotate_on(house, 1, 2, 7).await, Rotation::Rotated(_)));
    // The browser is killed before it writes the new cookie down, and started days later.
    house.clock.advance_ms(3 * DAY_MS);
    assert!(matches!(rotate_on(house, 1, 2, 7).await, Rotation::Graced(_)));
    assert!(matches!(rotate_on(house, 2, 3, 7).await, Rotation::Rotated(_)), "the sign-in goes on");
    assert!(matches!(rotate_on(house, 1, 2, 7).await, Rotation::Reused(_)), "older than the last two is a copy");
    assert_eq!(rotate_on(house, 3, 4, 7).await, Rotation::Ended);
}

async fn a_cookie_without_its_secret_ends_the_family(house: &House) {
    let ana = house.user("ana", Role::Viewer).await;
    for (token, thief) in [(10, None), (20, Some(8))] {
        let session = sign_in_on(house, &ana.id, token, Some(7)).await;
        let by = Shown { address: "home", device_hash: thief.map(|n: u8| [n; 32]) };
        let stolen = house.store.rotate_refresh([token; 32], [token + 1; 32], GRACE_MS, by).await.unwrap();
        assert!(matches!(stolen, Rotation::Reused(_)), "{stolen:?}");
        assert!(house.store.session(&session).await.unwrap().unwrap().ended_at.is_some());
    }
    sign_in_on(house, &ana.id, 30, Some(7)).await;
    assert!(matches!(rotate_on(house, 30, 31, 7).await, Rotation::Rotated(_)), "control: with the secret");
}

async fn a_sign_in_from_before_is_bound_at_its_first_refresh(house: &House) {
    let ana = house.user("ana", Role::Viewer).await;
    sign_in(house, &ana.id, 1).await;
    assert!(matches!(rotate_on(house, 1, 2, 7).await, Rotation::Rotated(_)));
    assert!(matches!(rotate_on(house, 1, 2, 7).await, Rotation::Graced(_)));
    assert!(matches!(rotate(house, 2, 3, "home").await, Rotation::Reused(_)), "from now on the cookie is not enough");
}

async fn a_person_has_fifty_sign_ins_at_most(house: &House) {
    let (ana, bo) = (house.user("ana", Role::Viewer).await, house.user("bo", Role::Viewer).await);
    let of_bo = sign_in(house, &bo.id, 200).await;
    let first = sign_in(house, &ana.id, 0).await;
    for token in 1..50 {
        house.clock.advance_ms(1000);
        sign_in(house, &ana.id, token).await;
    }
    assert_eq!(house.store.sessions_of(&ana.id).await.unwrap().len(), 50);
    house.clock.advance_ms(1000);
    let begun = house.store.create_session(&new(house, &ana.id, None), [100; 32], None).await.unwrap();
    let Begun::Live { ended, .. } = begun else { panic!("refused") };
    assert_eq!(ended, [first], "the one that was used longest ago");
    assert_eq!(house.store.sessions_of(&ana.id).await.unwrap().len(), 50);
    assert!(house.store.session(&of_bo).await.unwrap().unwrap().ended_at.is_none());
}

async fn a_password_that_was_replaced_begins_nothing(house: &House) {
    let ana = house.user("ana", Role::Viewer).await;
    let begin = async |token: u8, hash: &str| {
        house.store.create_session(&new(house, &ana.id, None), [token; 32], Some(hash)).await.unwrap()
    };
    assert!(matches!(begin(1, "$hash").await, Begun::Live { .. }), "control");
    house.store.replace_password(&ana.id, "$other", None, None).await.unwrap();
    assert!(house.store.sessions_of(&ana.id).await.unwrap().is_empty(), "it ended with the password");
    assert_eq!(begin(2, "$hash").await, Begun::Refused);
    assert!(matches!(begin(3, "$other").await, Begun::Live { .. }));
    let ended = house.store.set_disabled(&ana.id, true).await.unwrap().unwrap();
    assert_eq!(ended.len(), 1);
    assert_eq!(begin(4, "$other").await, Begun::Refused, "switched off");
    house.store.set_disabled(&ana.id, false).await.unwrap();
    assert!(house.store.sessions_of(&ana.id).await.unwrap().is_empty(), "nothing comes to life");
}

async fn many_at_once_are_one_family(house: &House) {
    let ana = house.user("ana", Role::Viewer).await;
    sign_in(house, &ana.id, 1).await;
    let mut tries = Vec::new();
    for _ in 0..100 {
        let store = house.store.clone();
        tries.push(tokio::spawn(async move {
            let by = Shown { address: "home", device_hash: None };
            store.rotate_refresh([1; 32], [2; 32], GRACE_MS, by).await
        }));
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

/// A dead battery: the machine starts five years ahead, a person signs in, the network corrects it.
async fn a_clock_that_jumps_deletes_nothing(house: &House) {
    let ana = house.user("ana", Role::Viewer).await;
    sign_in_on(house, &ana.id, 1, Some(7)).await;
    house.clock.advance_ms(5 * YEAR_MS);
    assert!(matches!(house.store.clock_state(), ClockState::Ahead { .. }));
    let of_the_future = sign_in_on(house, &ana.id, 2, Some(8)).await;
    house.clock.advance_ms(-5 * YEAR_MS);
    assert_eq!(house.store.clock_state(), ClockState::Steady);
    assert!(matches!(rotate_on(house, 1, 3, 7).await, Rotation::Rotated(_)), "it lives on");
    let alive = house.store.sessions_of(&ana.id).await.unwrap();
    assert!(alive.iter().all(|s| s.id != of_the_future), "one of five years ahead does not live for five years");
    // Control: with a clock that is believed, what ended long ago is forgotten.
    let old = sign_in(house, &ana.id, 4).await;
    house.store.end_session(&old).await.unwrap();
    for _ in 0..62 {
        house.clock.advance_ms(DAY_MS / 2);
        house.store.time();
    }
    sign_in(house, &ana.id, 5).await;
    assert!(house.store.session(&old).await.unwrap().is_none());
}

async fn an_end_counts_whatever_the_clock_says(house: &House) {
    let ana = house.user("ana", Role::Viewer).await;
    let ends: [&str; 4] = ["one", "all", "password", "disabled"];
    for (n, end) in (0_u8..).zip(ends) {
        let token = 10 + n * 10;
        let session = sign_in_on(house, &ana.id, token, Some(7)).await;
        house.clock.advance_ms(20 * DAY_MS);
        match end {
            "one" => assert!(house.store.end_session(&session).await.unwrap()),
            "all" => drop(house.store.end_sessions_of(&ana.id, None).await.unwrap()),
            "password" => drop(house.store.replace_password(&ana.id, "$other", None, None).await.unwrap()),
            _ => {
                house.store.set_disabled(&ana.id, true).await.unwrap();
                house.store.set_disabled(&ana.id, false).await.unwrap();
            }
        }
        house.clock.advance_ms(-20 * DAY_MS);
        assert_eq!(rotate_on(house, token, token + 1, 7).await, Rotation::Ended, "{end}");
    }
}

async fn a_clock_that_goes_back_gives_no_time(house: &House) {
    let ana = house.user("ana", Role::Viewer).await;
    sign_in_on(house, &ana.id, 1, Some(7)).await;
    for _ in 0..30 {
        house.clock.advance_ms(DAY_MS / 2);
        house.store.time();
    }
    // 15 days unused: over. A clock that is set back to the first day does not bring it back, also
    // not after a restart, since the largest time is in the database.
    assert_eq!(rotate_on(house, 1, 2, 7).await, Rotation::Ended);
    let bo = house.user("bo", Role::Viewer).await;
    sign_in_on(house, &bo.id, 50, Some(8)).await;
    house.clock.advance_ms(-15 * DAY_MS);
    assert!(matches!(house.store.clock_state(), ClockState::Behind { .. }));
    assert_eq!(rotate_on(house, 1, 2, 7).await, Rotation::Ended);
    let again = house.again().await;
    let by = Shown { address: "home", device_hash: Some([7; 32]) };
    assert_eq!(again.rotate_refresh([1; 32], [2; 32], GRACE_MS, by).await.unwrap(), Rotation::Ended);
    assert!(matches!(again.clock_state(), ClockState::Behind { .. }));
    again.close().await;
    assert!(matches!(rotate_on(house, 50, 51, 8).await, Rotation::Rotated(_)), "control: who signed in goes on");
}
