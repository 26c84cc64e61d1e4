use crate::house::{House, PASSWORD, code, from, home};
use accounts::Device;
use base::Event;
use domain::{Code, LibraryId, Role, UserId};
use std::time::Duration;

const OTHER: &str = "battery staple";

#[tokio::test]
async fn every_end_counts_at_the_next_request() {
    let (house, owner) = House::owned().await;
    let by = house.who(&owner).await;
    for end in ["logout", "end", "all", "password", "disable", "delete"] {
        let ana = house.viewer(&owner, &format!("ana-{end}")).await;
        let id = &ana.user.id;
        assert!(house.accounts.authenticate(&ana.access_token).await.is_ok(), "control, and it is cached now");
        let mut events = house.bus.subscribe();
        match end {
            "logout" => house.accounts.logout(&ana.session).await.unwrap(),
            "end" => assert!(house.accounts.end_session(&ana.session, "owner").await.unwrap()),
            "all" => assert_eq!(house.accounts.end_sessions_of(id, None, "owner").await.unwrap().len(), 1),
            "password" => house.accounts.set_password(&by, id, OTHER, home()).await.unwrap(),
            "disable" => house.accounts.set_disabled(&by, id, true, home()).await.unwrap(),
            _ => house.accounts.delete_user(&by, id, home()).await.unwrap(),
        }
        let refused = code(house.accounts.authenticate(&ana.access_token).await);
        assert_eq!(refused, Code::SessionEnded, "{end}");
        assert!(house.accounts.refresh(&ana.refresh_token, None, home()).await.is_err(), "{end}");
        assert!(house.accounts.authenticate_view(&ana.view_token).await.is_err(), "{end}");
        let told = std::iter::from_fn(|| events.try_recv().ok())
            .any(|e| matches!(e.event, Event::SessionEnded { session, .. } if session == ana.session));
        assert!(told, "{end}: streams are cut");
        assert!(house.accounts.authenticate(&owner.access_token).await.is_ok(), "{end}: nobody else's sign-in");
    }
    assert!(!house.accounts.end_session(&no_session(), "owner").await.unwrap());
}

fn no_session() -> domain::SessionId {
    domain::SessionId::from_random([9; 16])
}

#[tokio::test]
async fn a_role_counts_at_the_next_request() {
    let (house, owner) = House::owned().await;
    let by = house.who(&owner).await;
    let ana = house.viewer(&owner, "ana").await;
    assert_eq!(house.who(&ana).await.role, Role::Viewer);
    house.accounts.set_role(&by, &ana.user.id, Role::Admin, home()).await.unwrap();
    let promoted = house.who(&ana).await;
    assert_eq!(promoted.role, Role::Admin, "the old token speaks for the new role");
    house.accounts.set_role(&promoted, &by.user, Role::Viewer, home()).await.unwrap();
    let demoted = house.who(&owner).await;
    assert_eq!(demoted.role, Role::Viewer);
    let refused = house.accounts.create_user(&demoted, "eve", PASSWORD, Role::Admin, home()).await;
    assert_eq!(code(refused), Code::Forbidden);
    assert_eq!(code(house.accounts.set_role(&promoted, &promoted.user, Role::Viewer, home()).await), Code::LastAdmin);
    assert_eq!(code(house.accounts.delete_user(&promoted, &promoted.user, home()).await), Code::LastAdmin);
    assert_eq!(code(house.accounts.set_disabled(&promoted, &promoted.user, true, home()).await), Code::LastAdmin);
    assert!(house.accounts.authenticate(&ana.access_token).await.is_ok(), "a refused change ends no sign-in");
}

#[tokio::test]
async fn only_owners_steer_people() {
    let (house, owner) = House::owned().await;
    let ana = house.viewer(&owner, "ana").await;
    let who = house.who(&ana).await;
    let id = &owner.user.id;
    let forbidden = [
        code(house.accounts.create_user(&who, "eve", PASSWORD, Role::Viewer, home()).await),
        code(house.accounts.set_password(&who, id, OTHER, home()).await),
        code(house.accounts.set_role(&who, &who.user, Role::Admin, home()).await),
        code(house.accounts.set_disabled(&who, id, true, home()).await),
        code(house.accounts.delete_user(&who, id, home()).await),
        code(house.accounts.create_invite(&who, &[], Duration::from_secs(60), home()).await),
    ];
    assert!(forbidden.iter().all(|c| *c == Code::Forbidden), "{forbidden:?}");
    let by = house.who(&owner).await;
    let nobody = UserId::from_random([9; 16]);
    assert_eq!(code(house.accounts.set_password(&by, &nobody, OTHER, home()).await), Code::NotFound);
    assert_eq!(code(house.accounts.create_user(&by, "ANA", PASSWORD, Role::Viewer, home()).await), Code::UsernameTaken);
    assert_eq!(code(house.accounts.create_user(&by, "a\nb", PASSWORD, Role::Viewer, home()).await), Code::InvalidField);
    assert_eq!(code(house.accounts.create_user(&by, "bo", "short", Role::Viewer, home()).await), Code::WeakPassword);
}

#[tokio::test]
async fn people_change_their_own_password() {
    let (house, owner) = House::owned().await;
    let here = house.viewer(&owner, "ana").await;
    let there = house.login("ana", from("10.0.0.2")).await.unwrap();
    let who = house.who(&here).await;
    let wrong = house.accounts.change_password(&who, "not it at all", OTHER, home()).await;
    assert_eq!(code(wrong), Code::WrongCredentials);
    assert_eq!(code(house.accounts.change_password(&who, PASSWORD, "ana12345", home()).await), Code::WeakPassword);
    house.accounts.change_password(&who, PASSWORD, OTHER, home()).await.unwrap();
    assert!(house.accounts.authenticate(&here.access_token).await.is_ok(), "this page goes on");
    assert_eq!(code(house.accounts.authenticate(&there.access_token).await), Code::SessionEnded, "the others do not");
    assert_eq!(code(house.login("ana", home()).await), Code::WrongCredentials);
    assert!(house.accounts.login("ana", OTHER, Device::default(), home()).await.is_ok());
    // An open page is no way to guess.
    let tries = guess_on(&house, &who).await;
    assert_eq!(tries, Code::TooManyAttempts);
}

async fn guess_on(house: &House, who: &accounts::Principal) -> Code {
    let mut last = Code::Internal;
    for n in 0..10 {
        last = code(house.accounts.change_password(who, &format!("guess number {n}"), PASSWORD, home()).await);
    }
    last
}

#[tokio::test]
async fn an_account_that_is_off_says_so_only_to_its_owner() {
    let (house, owner) = House::owned().await;
    let ana = house.viewer(&owner, "ana").await;
    let by = house.who(&owner).await;
    house.accounts.set_disabled(&by, &ana.user.id, true, home()).await.unwrap();
    assert_eq!(
        code(house.accounts.login("ana", "wrong password", Device::default(), home()).await),
        Code::WrongCredentials
    );
    assert_eq!(code(house.login("ana", home()).await), Code::AccountDisabled);
    house.accounts.set_disabled(&by, &ana.user.id, false, home()).await.unwrap();
    assert!(house.login("ana", home()).await.is_ok());
    assert_eq!(
        code(house.accounts.authenticate(&ana.access_token).await),
        Code::SessionEnded,
        "old sign-ins stay ended"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invitation_makes_one_person() {
    let (house, owner) = House::owned().await;
    let by = house.who(&owner).await;
    let nowhere = LibraryId::from_random([9; 16]);
    let hour = Duration::from_secs(3600);
    let (invite, token) = house.accounts.create_invite(&by, &[nowhere], hour, home()).await.unwrap();
    assert_eq!(
        code(house.accounts.register(&token, "owner", PASSWORD, Device::default(), home()).await),
        Code::UsernameTaken
    );
    assert_eq!(
        code(house.accounts.register(&token, "ana", "short", Device::default(), home()).await),
        Code::WeakPassword
    );
    let mut tries = Vec::new();
    for n in 0..20 {
        let (accounts, token) = (house.accounts.clone(), token.clone());
        tries.push(tokio::spawn(async move {
            accounts.register(&token, &format!("guest{n}"), PASSWORD, Device::default(), home()).await
        }));
    }
    let mut guests = Vec::new();
    for one in tries {
        match one.await.unwrap() {
            Ok(signed) => guests.push(signed),
            Err(refused) => assert!(matches!(refused.code, Code::InviteInvalid | Code::TooManyAttempts), "{refused:?}"),
        }
    }
    assert_eq!(guests.len(), 1);
    assert_eq!(house.who(&guests[0]).await.role, Role::Viewer);
    assert_eq!(house.store.users().await.unwrap().len(), 2);
    assert_eq!(house.store.invites().await.unwrap()[0].id, invite.id);
    let (_, late) = house.accounts.create_invite(&by, &[], hour, home()).await.unwrap();
    house.clock.advance_ms(3600 * 1000);
    for none in [late.as_str(), token.as_str(), "", "x", &"A".repeat(43)] {
        let refused = house.accounts.register(none, "eve", PASSWORD, Device::default(), from("10.5.5.5")).await;
        assert_eq!(code(refused), Code::InviteInvalid, "{none}");
    }
}

#[tokio::test]
async fn the_host_gives_a_lost_password_back() {
    let (house, owner) = House::owned().await;
    // As the command line does it: another process on the same data folder.
    let host = house.again(crate::house::CHEAP).await;
    host.recover_password(&owner.user.id, OTHER).await.unwrap();
    assert_eq!(code(host.recover_password(&owner.user.id, "short").await), Code::WeakPassword);
    assert!(house.accounts.login("owner", OTHER, Device::default(), home()).await.is_ok());
    assert_eq!(code(house.accounts.refresh(&owner.refresh_token, None, home()).await), Code::SessionEnded);
    let log = house.log().await;
    assert!(log.iter().any(|l| l == "host | recover password | owner | ok"), "{log:#?}");
    house.store.verify_audit().await.unwrap();
}
