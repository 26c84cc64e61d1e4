use crate::house::{House, code, home};
use accounts::{SignedIn, TICKET_MAX_MS, TicketClaims};
use base::{Clock, UnixMs};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use domain::{Code, FileId, PlayId, TitleId};

fn claims(house: &House, signed: &SignedIn, lasts_ms: i64) -> TicketClaims {
    TicketClaims {
        play: PlayId::from_random(house.clock.random_id()),
        user: signed.user.id.clone(),
        session: signed.session.clone(),
        title: TitleId::from_random(house.clock.random_id()),
        file: FileId::from_random(house.clock.random_id()),
        height: None,
        expires_at: house.clock.now().plus_ms(lasts_ms),
    }
}

#[tokio::test]
async fn a_ticket_says_what_it_was_made_for() {
    let (house, owner) = House::owned().await;
    let made = claims(&house, &owner, 60_000);
    let ticket = house.accounts.mint_ticket(&made);
    assert!(ticket.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_'), "fit for a path: {ticket}");
    assert_eq!(house.accounts.verify_ticket(&ticket).await.unwrap(), made);
    let smaller = TicketClaims { height: Some(480), ..made };
    assert_eq!(house.accounts.verify_ticket(&house.accounts.mint_ticket(&smaller)).await.unwrap(), smaller);
    house.clock.advance_ms(59_999);
    assert!(house.accounts.verify_ticket(&ticket).await.is_ok());
    house.clock.advance_ms(1);
    assert_eq!(code(house.accounts.verify_ticket(&ticket).await), Code::TicketExpired);
}

#[tokio::test]
async fn no_ticket_outlives_an_evening() {
    let (house, owner) = House::owned().await;
    let made = TicketClaims { expires_at: UnixMs(i64::MAX), ..claims(&house, &owner, 0) };
    let read = house.accounts.verify_ticket(&house.accounts.mint_ticket(&made)).await.unwrap();
    assert_eq!(read.expires_at, house.clock.now().plus_ms(TICKET_MAX_MS));
}

#[tokio::test]
async fn a_changed_ticket_is_none() {
    let (house, owner) = House::owned().await;
    let ticket = house.accounts.mint_ticket(&claims(&house, &owner, 60_000));
    let bytes = URL_SAFE_NO_PAD.decode(&ticket).unwrap();
    for at in 0..bytes.len() {
        let mut changed = bytes.clone();
        changed[at] ^= 1 << (at % 8);
        let changed = URL_SAFE_NO_PAD.encode(changed);
        assert_eq!(code(house.accounts.verify_ticket(&changed).await), Code::NotFound, "byte {at}");
    }
    let cut = &ticket[..ticket.len() - 1];
    let more = format!("{ticket}A");
    let huge = "A".repeat(1 << 20);
    let others = [
        "",
        "A",
        cut,
        &more,
        &huge,
        "../../../etc/passwd",
        &owner.access_token,
        &owner.refresh_token,
        &owner.view_token,
    ];
    for other in others {
        assert_eq!(code(house.accounts.verify_ticket(other).await), Code::NotFound, "{other:.40}");
    }
    assert_eq!(code(house.accounts.authenticate(&ticket).await), Code::SignInRequired, "and it signs nobody in");
    assert!(house.accounts.verify_ticket(&ticket).await.is_ok(), "control");
}

#[tokio::test]
async fn a_copied_ticket_dies_with_the_sign_in() {
    let (house, owner) = House::owned().await;
    let ana = house.viewer(&owner, "ana").await;
    let ticket = house.accounts.mint_ticket(&claims(&house, &ana, 60_000));
    assert!(house.accounts.verify_ticket(&ticket).await.is_ok(), "control");
    house.accounts.logout(&ana.session).await.unwrap();
    assert_eq!(code(house.accounts.verify_ticket(&ticket).await), Code::SessionEnded);
    // Another sign-in of the same person does not bring it back.
    house.login("ana", home()).await.unwrap();
    assert_eq!(code(house.accounts.verify_ticket(&ticket).await), Code::SessionEnded);
}

#[tokio::test]
async fn a_ticket_for_somebody_elses_session_is_none() {
    let (house, owner) = House::owned().await;
    let ana = house.viewer(&owner, "ana").await;
    let mixed = TicketClaims { user: owner.user.id.clone(), ..claims(&house, &ana, 60_000) };
    let ticket = house.accounts.mint_ticket(&mixed);
    assert_eq!(code(house.accounts.verify_ticket(&ticket).await), Code::NotFound);
}
