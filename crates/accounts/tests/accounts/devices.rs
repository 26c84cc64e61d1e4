//! One device is one secret: what a killed browser, another network and a thief come back with.

use crate::house::{House, PASSWORD, code, from, home};
use accounts::{Device, DeviceSecret, SignedIn};
use domain::Code;

const SECRET: DeviceSecret = [7; 32];

async fn on_a_device(house: &House) -> SignedIn {
    let device = Device { name: Some("Chrome on Linux".into()), secret: Some(SECRET) };
    house.accounts.login("owner", PASSWORD, device, home()).await.unwrap()
}

#[tokio::test]
async fn a_browser_that_was_killed_comes_back_signed_in() {
    let (house, _) = House::owned().await;
    let first = on_a_device(&house).await;
    let second = house.accounts.refresh(&first.refresh_token, Some(SECRET), home()).await.unwrap();
    // The power went before the browser wrote the new cookie down. Days later, by another address.
    house.clock.advance_ms(3 * 24 * 3600 * 1000);
    let again = house.accounts.refresh(&first.refresh_token, Some(SECRET), from("fe80::1")).await.unwrap();
    assert_eq!((again.session, &again.refresh_token), (first.session, &second.refresh_token));
    assert!(house.accounts.refresh(&again.refresh_token, Some(SECRET), from("10.7.7.7")).await.is_ok());
}

#[tokio::test]
async fn a_copy_ends_the_sign_in() {
    // (what the thief has, from where): the cookie alone; with a secret of their own; an older one.
    for (secret, old) in [(None, false), (Some([8; 32]), false), (Some(SECRET), true)] {
        let (house, _) = House::owned().await;
        let first = on_a_device(&house).await;
        let second = house.accounts.refresh(&first.refresh_token, Some(SECRET), home()).await.unwrap();
        let third = house.accounts.refresh(&second.refresh_token, Some(SECRET), home()).await.unwrap();
        let stolen = if old { &first } else { &third };
        assert_eq!(code(house.accounts.refresh(&stolen.refresh_token, secret, home()).await), Code::SessionEnded);
        assert_eq!(code(house.accounts.authenticate(&third.access_token).await), Code::SessionEnded);
        assert!(house.log().await.iter().any(|line| line.ends_with("| reused")));
    }
}

#[tokio::test]
async fn strange_tokens_are_counted_and_never_reach_the_writer() {
    let (house, owner) = House::owned().await;
    let mut refused = Vec::new();
    for n in 0..60_u32 {
        let token = format!("{n:043}");
        let answer = if n % 2 == 0 {
            house.accounts.refresh(&token, None, from("10.6.6.6")).await.map(drop)
        } else {
            house.accounts.logout_by_token(&token, from("10.6.6.6")).await
        };
        refused.push(code(answer));
    }
    assert!(refused[..19].iter().all(|c| *c == Code::SignInRequired), "{refused:?}");
    assert!(refused[21..].iter().all(|c| *c == Code::TooManyAttempts), "{refused:?}");
    assert!(house.accounts.refresh(&owner.refresh_token, None, from("10.6.6.6")).await.is_ok(), "ours is not slowed");
    // With a database that takes nothing more, they are still refused as what they are.
    house.store.limit_pages(1).await.unwrap();
    assert_eq!(code(house.accounts.refresh(&"A".repeat(43), None, from("10.6.6.7")).await), Code::SignInRequired);
}

#[tokio::test]
async fn signing_out_that_failed_is_not_said_to_be_done() {
    let (house, owner) = House::owned().await;
    let other = house.login("owner", home()).await.unwrap();
    assert!(house.accounts.logout_by_token(&other.refresh_token, home()).await.is_ok(), "control");
    assert_eq!(code(house.accounts.authenticate(&other.access_token).await), Code::SessionEnded);
    house.store.clone().close().await;
    assert_eq!(code(house.accounts.logout(&owner.session).await), Code::StorageFailed);
    assert_eq!(code(house.accounts.logout_by_token(&owner.refresh_token, home()).await), Code::StorageFailed);
}

#[tokio::test]
async fn a_person_who_was_invited_has_a_device_with_a_name() {
    let (house, owner) = House::owned().await;
    let by = house.who(&owner).await;
    let lasts = std::time::Duration::from_secs(600);
    let (_, invite) = house.accounts.create_invite(&by, &[], lasts, home()).await.unwrap();
    let device = Device { name: Some("Firefox on Android".into()), secret: Some(SECRET) };
    let ana = house.accounts.register(&invite, "ana", PASSWORD, device, home()).await.unwrap();
    let sessions = house.store.sessions_of(&ana.user.id).await.unwrap();
    assert_eq!(sessions[0].device.as_deref(), Some("Firefox on Android"));
}

#[tokio::test]
async fn a_name_typed_on_another_keyboard_signs_in() {
    let (house, owner) = House::owned().await;
    let by = house.who(&owner).await;
    let made = house.accounts.create_user(&by, " Zoe\u{308} ", PASSWORD, domain::Role::Viewer, home()).await.unwrap();
    assert_eq!(made.username, "Zo\u{eb}", "trimmed and composed");
    for typed in ["Zo\u{eb}", "zoe\u{308}", " ZOE\u{308}"] {
        assert!(house.login(typed, home()).await.is_ok(), "{typed:?}");
        let twin = house.accounts.create_user(&by, typed, PASSWORD, domain::Role::Viewer, home()).await;
        assert_eq!(code(twin), Code::UsernameTaken);
    }
    assert_eq!(code(house.login("zoe", home()).await), Code::WrongCredentials, "control");
}

#[tokio::test]
async fn all_that_is_wrong_with_a_new_person_is_told_at_once() {
    let (house, owner) = House::owned().await;
    let by = house.who(&owner).await;
    let refused = async |name: &str, password: &str| {
        house.accounts.create_user(&by, name, password, domain::Role::Viewer, home()).await.unwrap_err()
    };
    let both = refused("a\u{200b}na", "short").await;
    let fields: Vec<_> = both.fields.iter().map(|(field, _)| *field).collect();
    assert_eq!((both.code, fields), (Code::InvalidField, vec!["username", "password"]));
    let weak = refused("ana", "short").await;
    assert_eq!(weak.code, Code::WeakPassword);
    assert_eq!(weak.fields, [("password", "A password has at least 8 characters.".to_owned())]);
}
