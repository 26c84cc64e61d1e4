use super::{
    play::{FORGOTTEN_AFTER, LEASE, SILENT_AFTER},
    *,
};
use base::{FakeClock, UnixMs};
use domain::{FileId, LibraryId, SessionId, TitleId, playback::Method};
use std::net::IpAddr;

fn play(n: u8, user: u8) -> NewPlay {
    NewPlay {
        play: PlayId::from_random([n; 16]),
        user: UserId::from_random([user; 16]),
        username: format!("user {user}"),
        session: SessionId::from_random([user; 16]),
        title: TitleId::from_random([1; 16]),
        title_name: "A film".into(),
        poster: None,
        library: LibraryId::from_random([1; 16]),
        file: FileId::from_random([1; 16]),
        method: Method::Direct,
        lines: None,
        ladder: None,
        reasons: vec![],
        audio_track: None,
        bits_per_s: 1_000_000,
        encode_millis: 0,
        chip: None,
        duration_ms: 1000,
        position_ms: 0,
        address: IpAddr::from([127, 0, 0, 1]),
    }
}

fn streams() -> Streams {
    Streams::new(Arc::new(FakeClock::new(UnixMs(1), 1)), Bus::new())
}

fn begin(streams: &Streams, new: NewPlay, seats: u32) -> Result<Arc<Play>, Failure> {
    let room = Room { seats, plays_per_person: 2, encode_millis: 500, chip_slots: 0, wire_bps: Some(4_500_000) };
    streams.begin(new, &[], &room).map_err(|turned| match turned {
        TurnedAway::Refused(failure) | TurnedAway::Lower { otherwise: failure, .. } => failure,
    })
}

#[tokio::test(start_paused = true)]
async fn what_runs_is_counted_and_what_ended_is_not() {
    let streams = streams();
    for n in 1..=4 {
        begin(&streams, play(n, n), 9).unwrap();
    }
    let refused = begin(&streams, play(5, 5), 9).err().unwrap();
    assert!(refused.message.starts_with("The network is full: what plays takes 4 of 4.5 Mbit/s"), "{refused}");
    assert!(streams.stop(&PlayId::from_random([1; 16]), Code::StoppedByOwner));
    begin(&streams, play(5, 5), 9).unwrap();
    streams.stop_all();
    let encoded = |n| NewPlay { method: Method::Transcode, encode_millis: 500, ..play(n, n) };
    begin(&streams, encoded(6), 9).unwrap();
    assert!(begin(&streams, encoded(7), 9).is_err());
    begin(&streams, play(8, 6), 9).unwrap();
    assert_eq!(begin(&streams, play(9, 6), 9).err().unwrap().code, Code::TooManyStreams);
}

#[tokio::test(start_paused = true)]
async fn seats_are_for_people_and_come_free() {
    let streams = streams();
    begin(&streams, play(1, 1), 2).unwrap();
    begin(&streams, play(2, 1), 2).unwrap();
    let second = begin(&streams, play(3, 2), 2).unwrap();
    assert_eq!(streams.viewers(), 2);
    let refused = begin(&streams, play(4, 3), 2).err().unwrap();
    assert_eq!(refused.code, Code::HouseFull);
    assert!(refused.message.contains("user 1") && refused.retry_after.is_some());
    assert!(refused.message.ends_with("film ends in about a minute."), "{}", refused.message);
    for n in 1..=3 {
        let user = if n == 3 { 2 } else { 1 };
        streams.told(&UserId::from_random([user; 16]), &PlayId::from_random([n; 16]), 500, true, false);
    }
    let refused = begin(&streams, play(4, 3), 2).err().unwrap();
    assert!(refused.message.ends_with("Try again when a viewer stops."), "{}", refused.message);
    // Whoever is connected keeps the seat; the others lose it when nothing was heard for long.
    let connection = second.connection();
    tokio::time::advance(FORGOTTEN_AFTER + Duration::from_secs(1)).await;
    assert_eq!(streams.viewers(), 1);
    begin(&streams, play(5, 3), 2).unwrap();
    drop(connection);
    tokio::time::advance(FORGOTTEN_AFTER + Duration::from_secs(1)).await;
    assert_eq!(streams.list().len(), 0);
}

#[tokio::test(start_paused = true)]
async fn an_ended_play_stays_ended() {
    let streams = streams();
    let entry = begin(&streams, play(1, 1), 1).unwrap();
    assert!(streams.stop(&entry.about.play, Code::StoppedByOwner) && entry.cut.is_cancelled());
    assert_eq!(streams.join(&entry.about.play).err().map(|e| e.code), Some(Code::StoppedByOwner));
    assert!(!streams.stop(&entry.about.play, Code::StoppedByOwner));
    assert!(streams.join(&PlayId::from_random([9; 16])).unwrap().is_none());
}

#[tokio::test(start_paused = true)]
async fn a_ticket_promises_no_seat() {
    let streams = streams();
    let room = Room { seats: 1, plays_per_person: 3, encode_millis: 0, chip_slots: 0, wire_bps: Some(2_500_000) };
    let first = streams.enter(play(1, 1), &room).unwrap();
    assert!(Arc::ptr_eq(&first, &streams.enter(play(1, 1), &room).unwrap()), "two of its requests at once");
    let refused = |result: Result<Arc<Play>, Failure>| result.err().map(|failure| failure.code);
    assert_eq!(refused(streams.enter(play(2, 2), &room)), Some(Code::HouseFull), "no seat");
    streams.enter(play(3, 1), &room).unwrap();
    assert_eq!(refused(streams.enter(play(4, 1), &room)), Some(Code::HouseFull), "no room on the wire");
    let wide = Room { wire_bps: None, ..room };
    streams.enter(play(4, 1), &wide).unwrap();
    assert_eq!(refused(streams.enter(play(5, 1), &wide)), Some(Code::TooManyStreams));
}

#[tokio::test(start_paused = true)]
async fn what_ended_is_remembered_as_long_as_a_ticket_lives() {
    const MANY: u32 = 200_000;
    let mut ended = ended::Ended::default();
    let id = |n: u32| {
        let mut random = [0; 16];
        random[..4].copy_from_slice(&n.to_le_bytes());
        PlayId::from_random(random)
    };
    let began = Instant::now();
    for n in 0..MANY {
        ended.insert(id(n), Code::TicketExpired, began + Duration::from_millis(u64::from(n)));
    }
    ended.insert(id(0), Code::StoppedByOwner, began + Duration::from_secs(60));
    assert_eq!(ended.why(&id(0), began), Some(Code::TicketExpired), "the first reason stays");
    let six_hours = Duration::from_secs(6 * 3600);
    assert_eq!(ended.why(&id(0), began + six_hours), Some(Code::TicketExpired), "no sooner");
    assert_eq!(ended.why(&id(0), began + six_hours + Duration::from_millis(1)), None);
    assert_eq!(ended.len(), MANY as usize - 1, "the others have not run out");
    assert_eq!(ended.why(&id(0), began + six_hours + Duration::from_millis(u64::from(MANY))), None);
    assert_eq!(ended.len(), 0);
}

#[tokio::test(start_paused = true)]
async fn rates_are_of_the_last_seconds() {
    let streams = streams();
    let entry = begin(&streams, play(1, 1), 1).unwrap();
    // Segments of four seconds, in bursts.
    for _ in 0..5 {
        entry.meter.add(4_000_000);
        tokio::time::advance(Duration::from_secs(4)).await;
        assert!(streams.list()[0].rate > 800_000, "between two bursts it is not nothing");
    }
    assert!(streams.list()[0].rate < 1_300_000, "{}", streams.list()[0].rate);
    for _ in 0..6 {
        tokio::time::advance(Duration::from_secs(2)).await;
        streams.have_moved();
    }
    assert_eq!((streams.list()[0].rate, streams.list()[0].bytes_sent), (0, 20_000_000));
}

#[tokio::test(start_paused = true)]
async fn positions_go_on_between_two_reports() {
    let streams = streams();
    let (user, id) = (UserId::from_random([1; 16]), PlayId::from_random([1; 16]));
    begin(&streams, NewPlay { duration_ms: 20_000, ..play(1, 1) }, 1).unwrap();
    let position = || streams.list()[0].position_ms;
    assert!(streams.have_moved() && !streams.have_moved(), "it is there, and nothing is known to move");
    streams.told(&user, &id, 5_000, false, false);
    tokio::time::advance(Duration::from_secs(4)).await;
    assert_eq!(position(), 9_000);
    assert!(streams.have_moved());
    // It reported nothing any more, so its position is unknown.
    tokio::time::advance(Duration::from_secs(40)).await;
    assert_eq!(position(), 16_000);
    streams.told(&user, &id, 15_000, false, false);
    tokio::time::advance(Duration::from_secs(9)).await;
    assert_eq!(position(), 20_000, "no film is longer than it is");
    streams.told(&user, &id, 7_000, true, false);
    streams.have_moved();
    tokio::time::advance(Duration::from_secs(4)).await;
    assert_eq!((position(), streams.have_moved()), (7_000, false), "a paused film stands still");
}

#[tokio::test(start_paused = true)]
async fn the_picture_that_plays_now_is_what_counts() {
    let streams = streams();
    let climbs = NewPlay { method: Method::Rendition, lines: Some(480), bits_per_s: 1_000_000, ..play(1, 1) };
    let entry = begin(&streams, climbs, 9).unwrap();
    begin(&streams, play(2, 2), 9).unwrap();
    entry.shows(None, 3_500_000);
    let now = &streams.list()[0].about;
    assert_eq!((now.method, now.lines), (Method::Remux, None));
    assert!(begin(&streams, play(3, 3), 9).is_err(), "4.5 of 4.5 Mbit/s are taken");
    entry.shows(Some(480), 1_000_000);
    begin(&streams, play(3, 3), 9).unwrap();
    assert_eq!(streams.list()[0].about.method, Method::Rendition);
}

#[tokio::test(start_paused = true)]
async fn an_encode_that_rests_gives_its_processor_time_back() {
    let streams = streams();
    let encoded = |n| NewPlay { method: Method::Transcode, encode_millis: 500, ..play(n, n) };
    let room = Room { seats: 9, plays_per_person: 2, encode_millis: 500, chip_slots: 0, wire_bps: None };
    let first = begin(&streams, encoded(1), 9).unwrap();
    let (one, two) = (UserId::from_random([1; 16]), UserId::from_random([2; 16]));
    for _ in 0..3 {
        tokio::time::advance(Duration::from_secs(14)).await;
        assert!(streams.encodes(&first), "asked for in time");
        assert_eq!((streams.encoding(&one), streams.encoding(&two)), (0, 1));
        assert!(begin(&streams, encoded(2), 9).is_err());
    }
    tokio::time::advance(Duration::from_secs(16)).await;
    assert_eq!(streams.encoding(&two), 0);
    let second = begin(&streams, encoded(2), 9).unwrap();
    assert!(!streams.encodes(&first));
    let refused = streams.encodes_again(&first, &room).unwrap_err();
    assert!(refused.code == Code::HouseFull && refused.message.contains("(user 2)"), "{refused}");
    // The other one stops, and the first goes on where it was.
    assert!(streams.stop(&second.about.play, Code::StoppedByOwner));
    streams.encodes_again(&first, &room).unwrap();
    assert!(streams.encodes(&first));
}

#[tokio::test(start_paused = true)]
async fn slots_of_the_chip_are_held_like_processor_time_and_the_next_play_gets_the_processor() {
    use crate::admission::ByChip;
    use domain::chip::{ChipEncode, VaDriver};
    let streams = streams();
    let room = Room { seats: 9, plays_per_person: 2, encode_millis: 1000, chip_slots: 1, wire_bps: None };
    let encode = ChipEncode { driver: VaDriver::I965, decodes: true, cost: 0.05 };
    let encoded = |n| NewPlay {
        method: Method::Transcode,
        encode_millis: 500,
        chip: Some(ByChip { encode, millis: 60 }),
        reasons: vec![Reason::VideoCodecNotPlayable, Reason::EncodedLive],
        ..play(n, n)
    };
    let first = streams.begin(encoded(1), &[], &room).unwrap();
    assert_eq!((first.about.encode_millis, first.about.chip.is_some()), (60, true));
    assert_eq!(first.about.reasons, [Reason::VideoCodecNotPlayable, Reason::EncodedByChip]);
    assert_eq!((streams.on_chip(&UserId::from_random([2; 16])), streams.on_chip(&first.about.user)), (1, 0));
    let second = streams.begin(encoded(2), &[], &room).unwrap();
    assert_eq!((second.about.encode_millis, second.about.chip.is_some()), (500, false));
    assert_eq!(second.about.reasons, [Reason::VideoCodecNotPlayable, Reason::EncodedLive]);
    assert!(streams.begin(encoded(3), &[], &room).is_err(), "440 are left, and no slot");

    // The first rests, and somebody else takes its slot.
    tokio::time::advance(LEASE + Duration::from_millis(1)).await;
    assert!(!streams.encodes(&first));
    let third = streams.begin(encoded(3), &[], &room).unwrap();
    assert!(third.about.chip.is_some());
    let refused = streams.encodes_again(&first, &room).unwrap_err();
    assert_eq!(refused.code, Code::HouseFull);
    streams.take_back(&third.about.play);
    assert_eq!(streams.encodes_again(&first, &room), Ok(()));
    assert!(streams.join(&third.about.play).unwrap().is_none(), "taken back is not ended");
}

#[tokio::test(start_paused = true)]
async fn a_closed_page_gives_its_seat_back_with_its_last_connection() {
    let streams = streams();
    let (user, id) = (UserId::from_random([1; 16]), PlayId::from_random([1; 16]));
    let encoded = NewPlay { method: Method::Transcode, encode_millis: 500, ..play(1, 1) };
    let first = begin(&streams, encoded, 1).unwrap();
    let connection = first.connection();
    assert!(streams.told(&user, &id, 500, false, true).is_some(), "nobody else watches it");
    assert_eq!((streams.viewers(), streams.encoding(&UserId::from_random([9; 16]))), (1, 0));
    drop(connection);
    assert_eq!(streams.viewers(), 0);
    // A request that was on its way when the page was closed.
    let room = Room { seats: 1, plays_per_person: 2, encode_millis: 0, chip_slots: 0, wire_bps: None };
    let stray = streams.enter(play(1, 1), &room).unwrap();
    let connection = stray.connection();
    assert!(streams.told(&user, &id, 500, false, false).is_none(), "a report that was overtaken");
    assert_eq!(streams.viewers(), 1);
    drop(connection);
    assert_eq!(streams.viewers(), 0);
    // A page that came back out of a browser's memory is somebody again.
    tokio::time::advance(STRAYS + Duration::from_secs(1)).await;
    streams.enter(play(1, 1), &room).unwrap();
    assert_eq!(streams.viewers(), 1);
    // In another tab the same film goes on.
    begin(&streams, play(2, 1), 1).unwrap();
    assert!(streams.told(&user, &id, 500, false, true).is_none());
    assert_eq!(streams.viewers(), 1);
}

#[tokio::test(start_paused = true)]
async fn who_falls_silent_has_left() {
    let streams = streams();
    let tell = |n: u8, paused| {
        streams.told(&UserId::from_random([n; 16]), &PlayId::from_random([n; 16]), 500, paused, false);
    };
    for n in 1..=3 {
        begin(&streams, play(n, n), 9).unwrap();
    }
    // One plays in a page, one is paused in a page, one in a player that tells nothing.
    tell(1, false);
    tell(2, true);
    tokio::time::advance(SILENT_AFTER - Duration::from_secs(1)).await;
    assert_eq!(streams.viewers(), 3);
    tokio::time::advance(Duration::from_secs(2)).await;
    assert_eq!(streams.viewers(), 2);
    tokio::time::advance(FORGOTTEN_AFTER).await;
    assert_eq!(streams.viewers(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_play_that_was_never_handed_over_is_none() {
    let streams = streams();
    begin(&streams, play(1, 1), 9).unwrap();
    drop(streams.unclaimed(PlayId::from_random([1; 16])));
    assert_eq!(streams.viewers(), 0);
    begin(&streams, play(2, 1), 9).unwrap();
    streams.unclaimed(PlayId::from_random([2; 16])).claim();
    assert_eq!(streams.viewers(), 1);
}
