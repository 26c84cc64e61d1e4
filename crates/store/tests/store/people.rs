use crate::house::{House, on_both};
use base::{Clock, UnixMs};
use domain::{
    InviteId, LogeLimits, Role,
    capacity::Capacity,
    chip::{Chip, ChipProblem, ChipRung, ChipVerdict, VaDriver},
};
use store::{Change, NewInvite, Preferences, Replaced, Settings, StoreError};

on_both!(
    names_are_unique_without_case,
    one_of_many_claims_wins,
    the_last_owner_stays,
    what_people_like,
    an_invitation_works_once,
    the_house_remembers_its_settings,
    changes_at_once_all_count,
    an_expired_invitation_is_forgotten_after_a_month,
    names_that_look_alike_are_one
);

async fn names_are_unique_without_case(house: &House) {
    let ana = house.user("Ana", Role::Viewer).await;
    assert_eq!(ana.username_key, "ana");
    let again = house.store.create_user(&house.new_user("ANA", Role::Viewer)).await.unwrap_err();
    assert!(again.is_conflict(), "{again}");
    let by_key = async |key: &str| house.store.user_by_keys(&[key.to_owned()]).await.unwrap();
    let (found, hash) = by_key("ana").await.unwrap();
    assert_eq!((found, hash.as_str()), (ana.clone(), "$hash"));
    for nobody in ["Ana", "an_", "an%", "' OR 1=1 --", "ana\0", ""] {
        assert!(by_key(nobody).await.is_none(), "{nobody:?}");
    }
    let replace = |id, if_hash| house.store.replace_password(id, "$other", if_hash, None);
    assert_eq!(replace(&ana.id, Some("$stale")).await.unwrap(), Replaced::Changed, "not the one that was checked");
    assert!(!house.store.rehash_password(&ana.id, "$other", "$stale").await.unwrap());
    assert_eq!(house.store.password_hash(&ana.id).await.unwrap().as_deref(), Some("$hash"), "control: nothing changed");
    assert_eq!(replace(&ana.id, Some("$hash")).await.unwrap(), Replaced::Done(vec![]));
    assert_eq!(house.store.password_hash(&ana.id).await.unwrap().as_deref(), Some("$other"));
    assert!(house.store.rehash_password(&ana.id, "$dearer", "$other").await.unwrap());
    assert_eq!(replace(&house.user_id(), None).await.unwrap(), Replaced::Missing);
    assert_eq!(house.store.users().await.unwrap(), [ana]);
}

async fn one_of_many_claims_wins(house: &House) {
    assert!(!house.store.has_admin().await.unwrap());
    let mut claims = Vec::new();
    for n in 0..50 {
        let (store, new) = (house.store.clone(), house.new_user(&format!("owner{n}"), Role::Viewer));
        claims.push(tokio::spawn(async move { store.claim_house(&new, Some(&format!("House {n}"))).await.unwrap() }));
    }
    let mut won = 0;
    for claim in claims {
        won += u32::from(claim.await.unwrap());
    }
    assert_eq!(won, 1);
    let users = house.store.users().await.unwrap();
    assert_eq!(users.len(), 1);
    assert_eq!(users[0].role, Role::Admin);
    let number = users[0].username.trim_start_matches("owner");
    assert_eq!(house.store.settings().await.unwrap().server_name, format!("House {number}"), "name and owner are one");
    assert_eq!(house.store.oldest_admin().await.unwrap().unwrap().id, users[0].id);
}

async fn the_last_owner_stays(house: &House) {
    let (ana, bo) = (house.user("ana", Role::Admin).await, house.user("bo", Role::Admin).await);
    // Two owners who remove each other at the same moment leave one.
    let (one, two) = tokio::join!(house.store.set_disabled(&ana.id, true), house.store.set_role(&bo.id, Role::Viewer));
    assert_eq!(u32::from(one.is_ok()) + u32::from(two.is_ok()), 1, "{one:?} {two:?}");
    let last = house.store.oldest_admin().await.unwrap().unwrap();
    assert!(matches!(house.store.delete_user(&last.id).await, Err(StoreError::LastAdmin)));
    assert!(matches!(house.store.set_disabled(&last.id, true).await, Err(StoreError::LastAdmin)));
    assert!(matches!(house.store.set_role(&last.id, Role::Viewer).await, Err(StoreError::LastAdmin)));
    assert!(!house.store.user(&last.id).await.unwrap().unwrap().disabled, "a refused change leaves no trace");
    let other = if last.id == ana.id { bo } else { ana };
    assert_eq!(house.store.delete_user(&other.id).await.unwrap(), Change::Done);
    assert_eq!(house.store.delete_user(&other.id).await.unwrap(), Change::Missing);
}

async fn what_people_like(house: &House) {
    let ana = house.user("ana", Role::Viewer).await;
    assert_eq!(house.store.preferences(&ana.id).await.unwrap(), Preferences::default());
    for language in [Some("de".to_owned()), None] {
        let wanted = Preferences {
            theme: "light".into(),
            audio_language: language.as_ref().map(|_| "en".to_owned()),
            language,
            autoplay_next: false,
        };
        let now = house.store.change_preferences(&ana.id, |p| *p = wanted.clone()).await.unwrap();
        assert_eq!(now.as_ref(), Some(&wanted));
        assert_eq!(house.store.preferences(&ana.id).await.unwrap(), wanted);
    }
    let nobody = house.user_id();
    assert_eq!(house.store.change_preferences(&nobody, |_| ()).await.unwrap(), None);
    assert_eq!(house.store.loge_limits(&ana.id).await.unwrap(), LogeLimits::DEFAULT);
    let limits = LogeLimits { memory_bytes: 1 << 30, cpu_millis: 2000, pids: 64 };
    assert_eq!(house.store.set_loge_limits(&ana.id, limits).await.unwrap(), Change::Done);
    assert_eq!(house.store.loge_limits(&ana.id).await.unwrap(), limits);
    assert_eq!(house.store.set_loge_limits(&nobody, limits).await.unwrap(), Change::Missing);
}

async fn an_invitation_works_once(house: &House) {
    let owner = house.user("owner", Role::Admin).await;
    let ((films, _), (gone, _)) = (house.library("films").await, house.library("gone").await);
    let new = NewInvite {
        id: InviteId::from_random([1; 16]),
        token_hash: [7; 32],
        libraries: vec![films.clone(), gone.clone()],
        created_by: owner.id.clone(),
        created_at: UnixMs(0),
        expires_at: UnixMs(1000),
    };
    let made = house.store.create_invite(&new).await.unwrap();
    assert_eq!(house.store.invites().await.unwrap(), [made]);
    house.store.delete_library(&gone).await.unwrap();
    assert!(house.store.is_invited([7; 32], UnixMs(999)).await.unwrap());
    assert!(!house.store.is_invited([7; 32], UnixMs(1000)).await.unwrap());
    let ana = house.new_user("ana", Role::Viewer);
    assert!(house.store.redeem_invite([8; 32], &ana, UnixMs(1)).await.unwrap().is_none());
    assert!(house.store.redeem_invite([7; 32], &ana, UnixMs(1000)).await.unwrap().is_none());
    let taken = house.store.redeem_invite([7; 32], &house.new_user("Owner", Role::Viewer), UnixMs(1)).await;
    assert!(taken.unwrap_err().is_conflict(), "a taken name leaves the invitation open");
    let mut tries = Vec::new();
    for n in 0..10 {
        let (store, new) = (house.store.clone(), house.new_user(&format!("guest{n}"), Role::Viewer));
        tries.push(tokio::spawn(async move { store.redeem_invite([7; 32], &new, UnixMs(1)).await.unwrap() }));
    }
    let mut guests = Vec::new();
    for one in tries {
        guests.extend(one.await.unwrap());
    }
    assert_eq!(guests.len(), 1);
    assert_eq!(house.store.grants(&guests[0].id).await.unwrap(), [films]);
    assert_eq!(house.store.invites().await.unwrap()[0].used_by.as_ref(), Some(&guests[0].id));
    assert!(house.store.delete_invite(&new.id).await.unwrap() && !house.store.delete_invite(&new.id).await.unwrap());
}

async fn the_house_remembers_its_settings(house: &House) {
    assert_eq!(house.store.settings().await.unwrap(), Settings::default());
    let settings =
        Settings { max_viewers: 3, hardware_encoding: true, per_user_rate_bps: Some(u64::MAX), ..Settings::default() };
    let (before, after) = house.store.change_settings(|s| *s = settings.clone()).await.unwrap();
    assert_eq!((before, &after), (Settings::default(), &settings));
    assert_eq!(house.store.capacity().await.unwrap(), None);
    let capacity = Capacity {
        measured_at_ms: 1_795_000_000_000,
        cores: 4,
        decode_cost: 0.1,
        encode: vec![(360, 0.1), (480, 0.15)],
        tone_map_cost: None,
        remux_cost: 0.01,
        disk_bytes_per_s: Some(u64::MAX),
        memory_bytes: 8 << 30,
        chip: ChipVerdict::Untested,
    };
    house.store.set_capacity(&Capacity { cores: 2, ..capacity.clone() }).await.unwrap();
    let rung = ChipRung { lines: 480, upload_cost: None, whole_cost: Some(0.05), fps: 90.5 };
    let works = ChipVerdict::Works(Chip { driver: VaDriver::I965, rungs: vec![rung] });
    for chip in [works, ChipVerdict::Failed(ChipProblem::KeptFailing), ChipVerdict::Untested] {
        let with = Capacity { chip, ..capacity.clone() };
        house.store.set_capacity(&with).await.unwrap();
        assert_eq!(house.store.capacity().await.unwrap(), Some(with));
    }
    let (a, b) = tokio::join!(house.store.install_id(), house.store.install_id());
    assert_eq!(a.unwrap(), b.unwrap(), "made once");
    let again = house.again().await;
    assert_eq!(again.settings().await.unwrap(), settings);
    assert_eq!(again.capacity().await.unwrap(), Some(capacity));
    assert_eq!(again.install_id().await.unwrap(), house.store.install_id().await.unwrap());
    again.ping().await.unwrap();
    again.close().await;
    assert!(house.store.ping().await.is_ok());
}

/// Two hundred changes of different things, half of them by another process.
async fn changes_at_once_all_count(house: &House) {
    let ana = house.user("ana", Role::Viewer).await;
    let second = house.again().await;
    let mut changes = Vec::new();
    for n in 0..200_u32 {
        let store = if n % 2 == 0 { house.store.clone() } else { second.clone() };
        let ana = ana.id.clone();
        changes.push(tokio::spawn(async move {
            store
                .change_settings(|s| match n % 4 {
                    0 => s.max_viewers += 1,
                    1 => s.idle_stop_minutes += 1,
                    2 => s.cache_each_bytes += 1,
                    _ => s.max_streams_per_person += 1,
                })
                .await
                .unwrap();
            let liked = store
                .change_preferences(&ana, |p| match n % 2 {
                    0 => p.theme.push('x'),
                    _ => p.language = Some(p.language.take().unwrap_or_default() + "x"),
                })
                .await;
            liked.unwrap().unwrap();
        }));
    }
    for change in changes {
        change.await.unwrap();
    }
    let (was, is) = (Settings::default(), house.store.settings().await.unwrap());
    let more = [
        u64::from(is.max_viewers - was.max_viewers),
        u64::from(is.idle_stop_minutes - was.idle_stop_minutes),
        is.cache_each_bytes - was.cache_each_bytes,
        u64::from(is.max_streams_per_person - was.max_streams_per_person),
    ];
    assert_eq!(more, [50; 4]);
    let liked = house.store.preferences(&ana.id).await.unwrap();
    assert_eq!((liked.theme.len(), liked.language.unwrap().len()), ("system".len() + 100, 100));
    second.close().await;
}

async fn names_that_look_alike_are_one(house: &House) {
    // A person whom an earlier version stored as typed, in two characters for one letter.
    let old = house.user("Zoe", Role::Viewer).await;
    let apart = "zoe\u{308}";
    house.tamper(&format!("UPDATE users SET username = 'Zoe\u{308}', username_key = '{apart}'")).await;
    for typed in ["Zo\u{eb}", "zoe\u{308}", "ZOE\u{308}", " Zo\u{eb} "] {
        let keys = domain::people::username_keys(typed);
        assert_eq!(house.store.user_by_keys(&keys).await.unwrap().unwrap().0.id, old.id, "{typed:?}");
        let again = house.store.create_user(&house.new_user(typed, Role::Viewer)).await;
        assert!(again.unwrap_err().is_conflict(), "{typed:?}");
    }
    house.user("Zoe", Role::Viewer).await;
    let plain = house.store.user_by_keys(&domain::people::username_keys("zoe")).await.unwrap().unwrap().0;
    assert_ne!(plain.id, old.id, "control: without the dots it is another name");
}

async fn an_expired_invitation_is_forgotten_after_a_month(house: &House) {
    let owner = house.user("owner", Role::Admin).await;
    let invite = |n: u8| NewInvite {
        id: InviteId::from_random([n; 16]),
        token_hash: [n; 32],
        libraries: vec![],
        created_by: owner.id.clone(),
        created_at: house.clock.now(),
        expires_at: house.clock.now().plus_ms(1000),
    };
    house.store.time();
    house.store.create_invite(&invite(1)).await.unwrap();
    // As it runs: half a day at a time, so that the clock is believed.
    for _ in 0..58 {
        house.clock.advance_ms(12 * 3600 * 1000);
        house.store.time();
    }
    house.store.create_invite(&invite(2)).await.unwrap();
    assert_eq!(house.store.invites().await.unwrap().len(), 2, "29 days are not a month");
    for _ in 0..4 {
        house.clock.advance_ms(12 * 3600 * 1000);
        house.store.time();
    }
    house.store.create_invite(&invite(3)).await.unwrap();
    let left: Vec<_> = house.store.invites().await.unwrap().into_iter().map(|i| i.id).collect();
    assert_eq!(left, [InviteId::from_random([3; 16]), InviteId::from_random([2; 16])]);
}
