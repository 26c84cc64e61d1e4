use crate::house::{CHEAP, House, PASSWORD, code, from, home};
use accounts::{Device, HashCost};
use base::Clock;
use domain::{Code, Role};
use std::time::{Duration, Instant};

#[tokio::test(flavor = "multi_thread")]
async fn the_first_owner_claims_the_house_once() {
    let house = House::new().await;
    let setup = house.accounts.setup_code().unwrap();
    for wrong in ["", "0000-0000", "K7QF"] {
        assert_eq!(
            code(house.accounts.claim(wrong, "owner", PASSWORD, None, Device::default(), home()).await),
            Code::WrongSetupCode
        );
    }
    assert_eq!(
        code(house.accounts.claim(&setup, "owner", "12345678", None, Device::default(), home()).await),
        Code::WeakPassword
    );
    assert_eq!(
        code(house.accounts.claim(&setup, "\u{202e}x", PASSWORD, None, Device::default(), home()).await),
        Code::InvalidField
    );
    let mut claims = Vec::new();
    for n in 0..60 {
        let (accounts, setup) = (house.accounts.clone(), setup.to_lowercase());
        claims.push(tokio::spawn(async move {
            accounts.claim(&setup, &format!("owner{n}"), PASSWORD, Some("Home"), Device::default(), home()).await
        }));
    }
    let mut owners = Vec::new();
    for claim in claims {
        match claim.await.unwrap() {
            Ok(signed) => owners.push(signed),
            Err(refused) => assert_eq!(refused.code, Code::AlreadySetUp),
        }
    }
    assert_eq!(owners.len(), 1);
    assert_eq!(house.who(&owners[0]).await.role, Role::Admin);
    assert!(house.accounts.setup_code().is_none());
    assert_eq!(
        code(house.accounts.claim(&setup, "x", PASSWORD, None, Device::default(), home()).await),
        Code::AlreadySetUp
    );
    assert!(house.again(CHEAP).await.setup_code().is_none(), "nor after a restart");
    assert_eq!(house.store.settings().await.unwrap().server_name, "Home");
}

#[tokio::test]
async fn wrong_setup_codes_are_slowed_and_the_right_one_is_not() {
    let house = House::new().await;
    let mut last = Code::Internal;
    for n in 0..1000 {
        last =
            code(house.accounts.claim(&format!("WRONG-{n}"), "owner", PASSWORD, None, Device::default(), home()).await);
    }
    assert_eq!(last, Code::TooManyAttempts);
    let setup = house.accounts.setup_code().unwrap();
    assert!(house.accounts.claim(&setup, "owner", PASSWORD, None, Device::default(), home()).await.is_ok());
}

#[tokio::test]
async fn names_are_found_in_any_case_and_wrong_ones_sound_alike() {
    let (house, _) = House::owned().await;
    assert_eq!(house.login("OWNER", home()).await.unwrap().user.username, "owner");
    let wrong = house.accounts.login("owner", "not the password", Device::default(), home()).await.unwrap_err();
    for name in ["nobody", "", "owne", "ow%er", "owner\0", "x\u{202e}"] {
        let unknown = house.login(name, from("10.0.9.9")).await.unwrap_err();
        assert_eq!(unknown, wrong, "{name:?}: the answer tells nothing");
    }
    let log = house.log().await;
    assert!(log.iter().any(|l| l == "anonymous | login | owner | wrong_credentials"), "{log:#?}");
    assert!(log.iter().any(|l| l == "anonymous | login | an unknown name | wrong_credentials"), "{log:#?}");
    assert!(!log.iter().any(|l| l.contains("nobody")), "what was typed into the name may be a password: {log:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_name_costs_a_hash_too() {
    let (house, _) = House::owned().await;
    // Dear enough to stand out from everything else; the owner is hashed at this price first.
    let dear = house.again(HashCost { memory_kib: 32 * 1024, passes: 2 }).await;
    dear.login("owner", PASSWORD, Device::default(), home()).await.unwrap();
    let mut times = [Duration::MAX, Duration::MAX];
    for round in 0..4_u8 {
        for (at, name) in ["owner", "nobody"].into_iter().enumerate() {
            let peer = from(&format!("10.1.{round}.{at}"));
            let began = Instant::now();
            assert_eq!(code(dear.login(name, "wrong password", Device::default(), peer).await), Code::WrongCredentials);
            times[at] = times[at].min(began.elapsed());
        }
    }
    // The quickest of each: noise only ever adds. A missing hash would be a factor of ten and more.
    let (known, unknown) = (times[0].as_secs_f64(), times[1].as_secs_f64());
    assert!((0.5..2.0).contains(&(unknown / known)), "{known} s for a known name, {unknown} s for an unknown one");
}

#[tokio::test]
async fn guessing_gets_slow_and_the_owner_gets_in() {
    let (house, _) = House::owned().await;
    house.login("owner", home()).await.unwrap();
    let mut refused = 0;
    for n in 0..20 {
        let attacker = from(&format!("10.2.0.{n}"));
        let failure = house.accounts.login("owner", "guess number one", Device::default(), attacker).await.unwrap_err();
        if failure.code == Code::TooManyAttempts {
            refused += 1;
            assert!(failure.retry_after.is_some_and(|w| w <= Duration::from_secs(60)), "{failure:?}");
        }
    }
    assert_eq!(refused, 15, "five free tries on the account, whatever the source");
    assert!(house.login("owner", home()).await.is_ok(), "from a known device at once");
    let failure = house.login("owner", from("10.3.0.1")).await.unwrap_err();
    assert_eq!(failure.code, Code::TooManyAttempts);
    // The wait that was told is the truth.
    house.clock.advance_ms(failure.retry_after.unwrap().as_millis() as i64);
    assert!(house.login("owner", from("10.3.0.1")).await.is_ok(), "nobody is locked out for good");
}

#[tokio::test(flavor = "multi_thread")]
async fn parallel_guesses_do_not_outrun_the_count() {
    let (house, _) = House::owned().await;
    let mut tries = Vec::new();
    for n in 0..200 {
        let accounts = house.accounts.clone();
        let guess = format!("guess number {n}");
        tries.push(tokio::spawn(
            async move { accounts.login("owner", &guess, Device::default(), from("10.2.0.1")).await },
        ));
    }
    let mut looked_at = 0;
    for one in tries {
        looked_at += u32::from(code(one.await.unwrap()) == Code::WrongCredentials);
    }
    assert_eq!(looked_at, 5);
}

#[tokio::test]
async fn a_huge_password_is_not_hashed() {
    let (house, _) = House::owned().await;
    assert_eq!(
        code(house.accounts.login("owner", &"x".repeat(1 << 20), Device::default(), home()).await),
        Code::TooLarge
    );
}

#[tokio::test]
async fn an_older_hash_is_renewed_at_sign_in() {
    let (house, owner) = House::owned().await;
    let before = house.store.password_hash(&owner.user.id).await.unwrap().unwrap();
    let dearer = house.again(HashCost { memory_kib: 128, passes: 1 }).await;
    dearer.login("owner", PASSWORD, Device::default(), home()).await.unwrap();
    let after = house.store.password_hash(&owner.user.id).await.unwrap().unwrap();
    assert!(before.contains("m=64,") && after.contains("m=128,"), "{before} {after}");
    assert!(dearer.login("owner", PASSWORD, Device::default(), home()).await.is_ok());
}

#[tokio::test]
async fn the_window_on_this_machine_is_signed_in_once() {
    assert!(House::new().await.accounts.desktop_ticket().await.is_none(), "there is nobody to sign in as");
    let (house, owner) = House::owned().await;
    let ticket = house.accounts.desktop_ticket().await.unwrap();
    let signed = house.accounts.redeem_ticket(&ticket, None, home()).await.unwrap();
    assert_eq!(signed.user.id, owner.user.id);
    assert_eq!(code(house.accounts.redeem_ticket(&ticket, None, home()).await), Code::SignInRequired, "used");
    let late = house.accounts.desktop_ticket().await.unwrap();
    house.clock.advance_ms(60_000);
    assert_eq!(code(house.accounts.redeem_ticket(&late, None, home()).await), Code::SignInRequired, "too old");
    for none in ["", "x", &"A".repeat(43), &"A".repeat(1 << 20)] {
        assert_eq!(code(house.accounts.redeem_ticket(none, None, home()).await), Code::SignInRequired);
    }
    assert_eq!(
        code(house.accounts.refresh(&ticket, None, home()).await),
        Code::SignInRequired,
        "good for nothing else"
    );
}

#[tokio::test]
async fn devices_have_readable_names() {
    let (house, owner) = House::owned().await;
    let device = format!("  Fire\nfox\u{1b} {}", "x".repeat(500));
    house.accounts.login("owner", PASSWORD, Device::named(device), home()).await.unwrap();
    let sessions = house.store.sessions_of(&owner.user.id).await.unwrap();
    let name = sessions.iter().find_map(|s| s.device.clone()).unwrap();
    assert!(name.starts_with("Firefox xxx") && name.chars().count() <= 80 && !name.contains('\n'), "{name:?}");
    assert_eq!(sessions[0].created_at, house.clock.now());
}
