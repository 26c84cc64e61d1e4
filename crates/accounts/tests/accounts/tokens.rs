use crate::house::{CHEAP, House, PASSWORD, code, from, home};
use accounts::{ACCESS_TOKEN_MS, SESSION_MAX_MS};
use base::{Clock, Event};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use domain::{Code, UserId};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};

fn part(token: &str, n: usize) -> Value {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(token.split('.').nth(n).unwrap()).unwrap()).unwrap()
}

#[tokio::test]
async fn an_access_token_lasts_ten_minutes() {
    let (house, owner) = House::owned().await;
    assert_eq!(owner.expires_in_s, 600);
    house.clock.advance_ms(ACCESS_TOKEN_MS - 1000);
    assert_eq!(house.who(&owner).await.user, owner.user.id);
    house.clock.advance_ms(1000);
    assert_eq!(code(house.accounts.authenticate(&owner.access_token).await), Code::SignInRequired);
    // A clock that was set far back does not bring tomorrow's token to life.
    house.clock.advance_ms(-24 * 3600 * 1000);
    assert_eq!(code(house.accounts.authenticate(&owner.access_token).await), Code::SignInRequired);
}

#[tokio::test]
async fn only_our_own_tokens_are_taken() {
    let (house, owner) = House::owned().await;
    let good = owner.access_token.as_str();
    let (header, claims) = (part(good, 0), part(good, 1));
    assert_eq!(header["alg"], "HS256");
    let signature = good.rsplit('.').next().unwrap();
    let b64 = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let mut bad: Vec<String> = Vec::new();
    for alg in ["none", "None", "NONE", "nOnE", "", "HS384", "HS512", "RS256", "ES256", "EdDSA"] {
        let header = json!({ "typ": "at+jwt", "alg": alg });
        bad.push(format!("{}.{}.", b64(&header), b64(&claims)));
        bad.push(format!("{}.{}.{signature}", b64(&header), b64(&claims)));
    }
    for extra in ["kid", "jku", "x5u"] {
        let header = json!({ "typ": "at+jwt", "alg": "HS256", extra: "../../../dev/null" });
        bad.push(format!("{}.{}.{signature}", b64(&header), b64(&claims)));
    }
    for key in [&b""[..], b"secret", b"loge", &[0; 32], &[0xff; 64]] {
        let header = Header { typ: Some("at+jwt".into()), ..Header::new(Algorithm::HS256) };
        bad.push(encode(&header, &claims, &EncodingKey::from_secret(key)).unwrap());
    }
    // Every bit matters: one flipped anywhere in the bytes of each part.
    for n in 0..3 {
        let parts: Vec<&str> = good.split('.').collect();
        let bytes = URL_SAFE_NO_PAD.decode(parts[n]).unwrap();
        for at in 0..bytes.len() {
            let mut flipped = bytes.clone();
            flipped[at] ^= 1 << (at % 8);
            let flipped = URL_SAFE_NO_PAD.encode(flipped);
            let mut parts: Vec<&str> = parts.clone();
            parts[n] = &flipped;
            bad.push(parts.join("."));
        }
    }
    let refresh_as_access = owner.refresh_token.clone();
    let long = format!("{good}{}", "A".repeat(1 << 20));
    bad.extend([refresh_as_access, owner.view_token.clone(), long, format!("{good}."), format!(".{good}")]);
    bad.extend(["", ".", "..", "...", "a.b.c", "\0", "{}"].map(String::from));
    for token in &bad {
        let refused = house.accounts.authenticate(token).await;
        assert_eq!(code(refused), Code::SignInRequired, "{token:.120}");
    }
    assert!(house.accounts.authenticate(good).await.is_ok(), "control");
}

/// Signed with the right key, and still not an access token of this house.
#[tokio::test]
async fn a_good_signature_is_not_enough() {
    let (house, owner) = House::owned().await;
    let key = access_key(&house);
    let claims = part(&owner.access_token, 1);
    let sign = |typ: Option<&str>, claims: &Value| {
        let header = Header { typ: typ.map(str::to_owned), ..Header::new(Algorithm::HS256) };
        encode(&header, claims, &EncodingKey::from_secret(&key)).unwrap()
    };
    let with = |name: &str, value: Value| {
        let mut claims = claims.clone();
        claims[name] = value;
        sign(Some("at+jwt"), &claims)
    };
    let without = |name: &str| {
        let mut claims = claims.clone();
        claims.as_object_mut().unwrap().remove(name);
        sign(Some("at+jwt"), &claims)
    };
    let control = sign(Some("at+jwt"), &claims);
    assert!(house.accounts.authenticate(&control).await.is_ok(), "control: the key is the right one");
    let now_s = house.clock.now().0 / 1000;
    let nobody = UserId::from_random([9; 16]);
    let mut bad = vec![
        sign(None, &claims),
        sign(Some("JWT"), &claims),
        with("aud", json!("loge-stream")),
        with("aud", json!(["loge-api", "other"])),
        with("iss", json!("elsewhere")),
        with("exp", json!(now_s)),
        with("exp", json!("soon")),
        with("exp", json!(1.5)),
        with("exp", json!(-1)),
        with("nbf", json!(now_s + 60)),
        with("sub", json!(nobody.as_str())),
        with("sub", json!("../../etc/passwd")),
        with("sid", json!("' OR 1=1 --")),
        with("role", json!("god")),
        with("admin", json!(true)),
    ];
    bad.extend(["aud", "iss", "exp", "nbf", "sub", "sid", "role", "jti"].map(without));
    for token in &bad {
        let refused = house.accounts.authenticate(token).await;
        assert_eq!(code(refused), Code::SignInRequired, "{}", part(token, 1));
    }
}

/// The key for access tokens, derived once more by hand: a change of the derivation would sign
/// everybody out at an update, so it has to be on purpose.
fn access_key(house: &House) -> [u8; 32] {
    use hmac::{Hmac, KeyInit, Mac};
    let secret = std::fs::read(house.dir.path().join("house.key")).unwrap();
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(&secret).unwrap();
    for part in [&b"loge key 1"[..], b"access"] {
        mac.update(&(part.len() as u64).to_be_bytes());
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

#[tokio::test]
async fn refreshing_goes_on_for_weeks_and_ends_at_ninety_days() {
    let (house, owner) = House::owned().await;
    let mut token = owner.refresh_token;
    let mut days = 0;
    loop {
        house.clock.advance_ms(10 * 24 * 3600 * 1000);
        days += 10;
        match house.accounts.refresh(&token, None, home()).await {
            Ok(signed) => {
                assert_eq!(signed.session, owner.session);
                assert_ne!(signed.refresh_token, token);
                let left_s = (SESSION_MAX_MS / 1000) as u64 - days * 24 * 3600;
                assert_eq!(signed.refresh_max_age_s, left_s.min(14 * 24 * 3600));
                token = signed.refresh_token;
            }
            Err(ended) => {
                assert_eq!(ended.code, Code::SessionEnded);
                break;
            }
        }
    }
    assert_eq!(days, 90);
    let again = house.login("owner", home()).await.unwrap();
    house.clock.advance_ms(14 * 24 * 3600 * 1000);
    assert_eq!(code(house.accounts.refresh(&again.refresh_token, None, home()).await), Code::SessionEnded, "idle");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_refreshes_of_one_token_are_one_family() {
    let (house, owner) = House::owned().await;
    let mut tries = Vec::new();
    for _ in 0..200 {
        let (accounts, token) = (house.accounts.clone(), owner.refresh_token.clone());
        tries.push(tokio::spawn(async move { accounts.refresh(&token, None, home()).await.unwrap() }));
    }
    let mut successors = std::collections::HashSet::new();
    for one in tries {
        let signed = one.await.unwrap();
        assert!(house.accounts.authenticate(&signed.access_token).await.is_ok());
        successors.insert(signed.refresh_token);
    }
    assert_eq!(successors.len(), 1, "everybody got the same successor");
    assert_eq!(house.store.all_sessions().await.unwrap().len(), 1);
    // An answer that was lost, a restart in between, and the same device asks again.
    house.clock.advance_ms(30_000);
    let restarted = house.again(CHEAP).await;
    let signed = restarted.refresh(&owner.refresh_token, None, home()).await.unwrap();
    assert!(successors.contains(&signed.refresh_token));
    assert!(restarted.refresh(&signed.refresh_token, None, home()).await.is_ok());
}

#[tokio::test]
async fn two_sign_ins_in_the_same_second_differ() {
    let (house, owner) = House::owned().await;
    let other = house.login("owner", home()).await.unwrap();
    let one = house.accounts.refresh(&owner.refresh_token, None, home()).await.unwrap();
    let two = house.accounts.refresh(&other.refresh_token, None, home()).await.unwrap();
    let all = [&owner, &other, &one, &two];
    for (n, a) in all.iter().enumerate() {
        for b in &all[n + 1..] {
            assert_ne!(a.refresh_token, b.refresh_token);
            assert_ne!(a.access_token, b.access_token);
        }
    }
}

#[tokio::test]
async fn a_copied_refresh_token_ends_the_family() {
    for (peer, later_ms) in [(home(), 31_000), (from("10.9.9.9"), 1000)] {
        let (house, owner) = House::owned().await;
        let new = house.accounts.refresh(&owner.refresh_token, None, home()).await.unwrap();
        house.clock.advance_ms(later_ms);
        let mut events = house.bus.subscribe();
        assert_eq!(code(house.accounts.refresh(&owner.refresh_token, None, peer).await), Code::SessionEnded);
        assert_eq!(code(house.accounts.refresh(&new.refresh_token, None, home()).await), Code::SessionEnded);
        assert_eq!(code(house.accounts.authenticate(&new.access_token).await), Code::SessionEnded);
        assert_eq!(code(house.accounts.authenticate_view(&new.view_token).await), Code::SessionEnded);
        let ended = Event::SessionEnded { session: owner.session.clone(), user: owner.user.id.clone() };
        assert_eq!(events.try_recv().unwrap().event, ended, "streams are cut");
        assert!(house.log().await[0].contains("| refresh |"), "{:#?}", house.log().await);
        assert!(house.login("owner", home()).await.is_ok(), "and the person signs in anew");
    }
}

#[tokio::test]
async fn strange_refresh_tokens_are_refused() {
    let (house, owner) = House::owned().await;
    for token in [
        "",
        "x",
        &"A".repeat(43),
        &"A".repeat(1 << 20),
        &owner.access_token,
        "\0",
        &format!("{}=", owner.refresh_token),
    ] {
        assert_eq!(code(house.accounts.refresh(token, None, home()).await), Code::SignInRequired, "{token:.50}");
    }
    assert!(house.accounts.refresh(&owner.refresh_token, None, home()).await.is_ok(), "control");
}

#[tokio::test]
async fn a_view_token_opens_pictures_only() {
    let (house, owner) = House::owned().await;
    assert_eq!(house.accounts.authenticate_view(&owner.view_token).await.unwrap().user, owner.user.id);
    assert_eq!(code(house.accounts.authenticate(&owner.view_token).await), Code::SignInRequired);
    let parts: Vec<&str> = owner.view_token.split('.').collect();
    let later = parts[1].parse::<i64>().unwrap() + 1;
    let other = "a".repeat(32);
    for bad in [
        format!("{}.{later}.{}", parts[0], parts[2]),
        format!("{other}.{}.{}", parts[1], parts[2]),
        format!("{}.{}.", parts[0], parts[1]),
        format!("{}.", owner.view_token),
        String::new(),
        "A".repeat(1 << 20),
    ] {
        assert_eq!(code(house.accounts.authenticate_view(&bad).await), Code::SignInRequired, "{bad:.90}");
    }
    house.accounts.logout(&owner.session).await.unwrap();
    assert_eq!(code(house.accounts.authenticate_view(&owner.view_token).await), Code::SessionEnded);
}

#[tokio::test]
async fn secrets_are_not_in_the_database() {
    let (house, owner) = House::owned().await;
    let new = house.accounts.refresh(&owner.refresh_token, None, home()).await.unwrap();
    let by = house.who(&new).await;
    let (_, invite) =
        house.accounts.create_invite(&by, &[], std::time::Duration::from_secs(600), home()).await.unwrap();
    let key = std::fs::read(house.dir.path().join("house.key")).unwrap();
    let raw = |token: &str| URL_SAFE_NO_PAD.decode(token).unwrap();
    let canaries = [
        owner.refresh_token.clone().into_bytes(),
        raw(&owner.refresh_token),
        raw(&new.refresh_token),
        new.access_token.into_bytes(),
        new.view_token.into_bytes(),
        raw(&invite),
        invite.into_bytes(),
        PASSWORD.as_bytes().to_vec(),
        key,
    ];
    let mut stored = Vec::new();
    for end in ["", "-wal"] {
        stored.extend(std::fs::read(house.dir.path().join(format!("loge.db{end}"))).unwrap_or_default());
    }
    let holds = |needle: &[u8]| stored.windows(needle.len()).any(|w| w == needle);
    assert!(holds(owner.session.as_str().as_bytes()), "control: what is stored is found");
    for (n, canary) in canaries.iter().enumerate() {
        assert!(!holds(canary), "secret {n} is in the database");
    }
    assert!(!format!("{owner:?}").contains(&owner.refresh_token), "nor in debug output");
}
