//! A new password signs out everyone who used the old one, however the two met in time.

use crate::house::{CHEAP, House, PASSWORD, code, home};
use accounts::{Device, HashCost, Principal, SignedIn};
use domain::{Code, Role, UserId};
use std::sync::atomic::Ordering;

const OTHER: &str = "battery staple";
const THIEF: &str = "the thief's own";

async fn ana(house: &House, owner: &SignedIn) -> (Principal, UserId) {
    let by = house.who(owner).await;
    let ana = house.accounts.create_user(&by, "ana", PASSWORD, Role::Viewer, home()).await.unwrap();
    (by, ana.id)
}

/// What the owner does while a checked password waits for what follows from it.
async fn meanwhile(house: &House, by: &Principal, ana: &UserId, what: &str) {
    match what {
        "reset" => house.accounts.set_password(by, ana, OTHER, home()).await.unwrap(),
        "recover" => house.accounts.recover_password(ana, OTHER).await.unwrap(),
        "disable" => house.accounts.set_disabled(by, ana, true, home()).await.unwrap(),
        _ => {}
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sign_in_that_was_checked_before_a_reset_begins_nothing() {
    for (what, wanted) in [("reset", false), ("recover", false), ("disable", false), ("nothing", true)] {
        let (house, owner) = House::owned().await;
        let (by, ana) = ana(&house, &owner).await;
        let (held, answered) = house.accounts.hold_password_answers().await;
        let before = answered.load(Ordering::SeqCst);
        let accounts = house.accounts.clone();
        let late = tokio::spawn(async move { accounts.login("ana", PASSWORD, Device::default(), home()).await });
        while answered.load(Ordering::SeqCst) == before {
            tokio::task::yield_now().await;
        }
        meanwhile(&house, &by, &ana, what).await;
        drop(held);
        let late = late.await.unwrap();
        assert_eq!(late.is_ok(), wanted, "{what}");
        let alive = house.store.sessions_of(&ana).await.unwrap().len();
        assert_eq!(alive, usize::from(wanted), "{what}");
        if what == "disable" {
            house.accounts.set_disabled(&by, &ana, false, home()).await.unwrap();
            assert!(house.store.sessions_of(&ana).await.unwrap().is_empty(), "nothing comes to life");
        } else if what != "nothing" {
            assert_eq!(code(late), Code::WrongCredentials, "{what}");
            assert!(house.accounts.login("ana", OTHER, Device::default(), home()).await.is_ok(), "{what}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_that_was_checked_before_a_reset_does_not_undo_it() {
    for reset in [true, false] {
        let (house, owner) = House::owned().await;
        let (by, ana) = ana(&house, &owner).await;
        let thief = house.who(&house.login("ana", home()).await.unwrap()).await;
        let (held, answered) = house.accounts.hold_password_answers().await;
        let before = answered.load(Ordering::SeqCst);
        let accounts = house.accounts.clone();
        let late = tokio::spawn(async move { accounts.change_password(&thief, PASSWORD, THIEF, home()).await });
        while answered.load(Ordering::SeqCst) == before {
            tokio::task::yield_now().await;
        }
        if reset {
            house.accounts.set_password(&by, &ana, OTHER, home()).await.unwrap();
        }
        drop(held);
        let late = late.await.unwrap();
        assert_eq!(late.is_ok(), !reset);
        let (works, fails) = if reset { (OTHER, THIEF) } else { (THIEF, OTHER) };
        assert!(house.accounts.login("ana", works, Device::default(), home()).await.is_ok());
        assert_eq!(code(house.accounts.login("ana", fails, Device::default(), home()).await), Code::WrongCredentials);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dearer_hash_of_the_old_password_does_not_come_back() {
    for reset in [true, false] {
        let (house, owner) = House::owned().await;
        let (by, ana) = ana(&house, &owner).await;
        let dearer = house.again(HashCost { memory_kib: 128, ..CHEAP }).await;
        let (held, answered) = dearer.hold_password_answers().await;
        let before = answered.load(Ordering::SeqCst);
        let late = tokio::spawn({
            let dearer = dearer.clone();
            async move { dearer.login("ana", PASSWORD, Device::default(), home()).await }
        });
        while answered.load(Ordering::SeqCst) == before {
            tokio::task::yield_now().await;
        }
        if reset {
            house.accounts.set_password(&by, &ana, OTHER, home()).await.unwrap();
        }
        let stored = house.store.password_hash(&ana).await.unwrap().unwrap();
        drop(held);
        assert_eq!(late.await.unwrap().is_ok(), !reset);
        let now = house.store.password_hash(&ana).await.unwrap().unwrap();
        assert_eq!(now == stored, reset, "the reset's hash stays, and without one it becomes dearer");
    }
}

/// A thief who keeps signing in and changing, and an owner who resets, at random moments.
#[tokio::test(flavor = "multi_thread")]
async fn after_a_reset_no_sign_in_of_the_old_password_lives() {
    let (house, owner) = House::owned().await;
    let (by, ana) = ana(&house, &owner).await;
    for round in 0..1000_u32 {
        house.accounts.recover_password(&ana, PASSWORD).await.unwrap();
        // Every so often, so that the brake on right passwords has let go of the earlier rounds.
        house.clock.advance_ms(600_000);
        let own = if round % 3 == 0 { Some(house.login("ana", home()).await.unwrap()) } else { None };
        let mut thieves = Vec::new();
        for _ in 0..2 {
            let accounts = house.accounts.clone();
            thieves.push(tokio::spawn(async move {
                let _ = accounts.login("ana", PASSWORD, Device::default(), home()).await;
            }));
        }
        if let Some(own) = own {
            let (accounts, who) = (house.accounts.clone(), house.who(&own).await);
            thieves.push(tokio::spawn(async move {
                let _ = accounts.change_password(&who, PASSWORD, THIEF, home()).await;
            }));
        }
        for _ in 0..round % 7 {
            tokio::task::yield_now().await;
        }
        // Refused only to make room for the other hashes in the queue, which is not full here.
        meanwhile(&house, &by, &ana, "reset").await;
        for thief in thieves {
            thief.await.unwrap();
        }
        assert!(house.store.sessions_of(&ana).await.unwrap().is_empty(), "round {round}: somebody is still in");
        assert!(house.accounts.login("ana", OTHER, Device::default(), home()).await.is_ok(), "round {round}");
    }
}
