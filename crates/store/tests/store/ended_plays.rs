use crate::house::{House, START, on_both};
use domain::PlayId;

on_both!(ended_plays_are_remembered_until_their_tickets_run_out);

async fn ended_plays_are_remembered_until_their_tickets_run_out(house: &House) {
    let play = |n: u8| PlayId::from_random([n; 16]);
    let is_ended = async |n: u8| house.store.is_play_ended(&play(n)).await.unwrap();
    house.store.end_plays(&[], START, START.plus_ms(10)).await.unwrap();
    house.store.end_plays(&[play(1), play(2)], START, START.plus_ms(10)).await.unwrap();
    assert!(is_ended(1).await && is_ended(2).await && !is_ended(3).await);
    house.store.end_plays(&[play(2)], START, START.plus_ms(30)).await.unwrap();
    house.store.end_plays(&[play(3)], START.plus_ms(11), START.plus_ms(21)).await.unwrap();
    assert!(!is_ended(1).await, "its time has come");
    assert!(is_ended(2).await && is_ended(3).await);
}
