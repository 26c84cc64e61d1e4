use super::*;

const ROOM: Room =
    Room { seats: 2, plays_per_person: 2, encode_millis: 500, chip_slots: 0, wire_bps: Some(100_000_000) };

fn user(n: u8) -> UserId {
    UserId::from_random([n; 16])
}

/// Somebody's play: who, Mbit/s, encoded, minutes left.
struct Seat(UserId, &'static str, u64, bool, Option<u64>);

fn seat(n: u8, name: &'static str, mbit: u64) -> Seat {
    Seat(user(n), name, mbit, false, None)
}

/// Every encode of these tests takes the same.
fn millis(encoded: bool) -> u32 {
    if encoded { 500 } else { 0 }
}

fn ask(who: u8, mbit: u64, encoded: bool, smaller: &[Smaller], seats: &[Seat], room: Room) -> Admission {
    let running: Vec<Running<'_>> = seats
        .iter()
        .map(|Seat(user, username, mbit, encoded, left)| Running {
            user,
            username,
            bps: mbit * 1_000_000,
            encode_millis: millis(*encoded),
            on_chip: false,
            left: left.map(Duration::from_secs),
        })
        .collect();
    let wanted =
        Wanted { user: &user(who), bps: mbit * 1_000_000, encode_millis: millis(encoded), chip_millis: None, smaller };
    admit(&wanted, &running, &room)
}

fn check(answer: Admission, code: Code, retry_s: Option<u64>, text: &str) {
    let (Admission::Refuse(failure) | Admission::Wait(failure)) = answer else { panic!("{answer:?}, not {text}") };
    assert_eq!((failure.code, failure.message.as_str()), (code, text));
    assert_eq!(failure.retry_after.map(|wait| wait.as_secs()), retry_s);
}

#[test]
fn seats_are_for_people() {
    assert_eq!(ask(1, 5, false, &[], &[], ROOM), Admission::Admit);
    let both = [seat(1, "Ana", 5), seat(2, "Ben", 5)];
    assert_eq!(ask(1, 5, false, &[], &both, ROOM), Admission::Admit, "a second film takes no second seat");
    let text = "The house is full: 2 of 2 seats are taken (Ana, Ben). Try again when a viewer stops.";
    check(ask(3, 5, false, &[], &both, ROOM), Code::HouseFull, Some(30), text);
    assert_eq!(ask(3, 5, false, &[], &both, Room { seats: 3, ..ROOM }), Admission::Admit);
}

#[test]
fn whoever_is_nearest_to_the_end_is_named() {
    let mut both = [seat(1, "Ana", 5), seat(2, "Ben", 5)];
    (both[0].4, both[1].4) = (Some(12 * 60 - 5), Some(50 * 60));
    let text = "The house is full: 2 of 2 seats are taken (Ana, Ben). Ana's film ends in about 12 minutes.";
    let answer = ask(3, 5, false, &[], &both, ROOM);
    assert!(matches!(answer, Admission::Refuse(_)));
    check(answer, Code::HouseFull, Some(30), text);
    both[1].4 = Some(42);
    let text = "The house is full: 2 of 2 seats are taken (Ana, Ben). Ben's film ends in about a minute.";
    let answer = ask(3, 5, false, &[], &both, ROOM);
    assert!(matches!(answer, Admission::Wait(_)), "soon enough to wait");
    check(answer, Code::HouseFull, Some(42), text);
    both[1].4 = Some(0);
    assert!(matches!(ask(3, 5, false, &[], &both, ROOM), Admission::Refuse(_)), "an end that is over frees nothing");
}

#[test]
fn many_names_stay_readable() {
    let names = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"];
    let seats: Vec<Seat> = names.iter().zip(1u8..).map(|(name, n)| seat(n, name, 1)).collect();
    let text = "The house is full: 10 of 10 seats are taken (a, b, c, d, e, f, g, h and 2 more). \
                Try again when a viewer stops.";
    check(ask(99, 1, false, &[], &seats, Room { seats: 10, ..ROOM }), Code::HouseFull, Some(30), text);
}

#[test]
fn one_person_has_so_many_films() {
    let two = [seat(1, "Ana", 1), seat(1, "Ana", 1)];
    let text = "2 films already play under your name. Stop one of them to begin another.";
    check(ask(1, 1, false, &[], &two, ROOM), Code::TooManyStreams, None, text);
    let text = "A film already plays under your name. Stop it to begin another.";
    check(ask(1, 1, false, &[], &two[..1], Room { plays_per_person: 1, ..ROOM }), Code::TooManyStreams, None, text);
    assert_eq!(ask(2, 1, false, &[], &two, ROOM), Admission::Admit, "which is nothing to others");
}

#[test]
fn the_wire_is_not_promised_twice() {
    let fat = [seat(1, "Ana", 80)];
    assert_eq!(ask(2, 20, false, &[], &fat, ROOM), Admission::Admit);
    let text = "The network is full: what plays takes 80 of 100 Mbit/s, and this film needs 21. \
                Try again when a viewer stops.";
    check(ask(2, 21, false, &[], &fat, ROOM), Code::HouseFull, Some(30), text);
    assert_eq!(
        ask(2, 21, false, &[], &fat, Room { wire_bps: None, ..ROOM }),
        Admission::Admit,
        "nobody knows the wire"
    );
    assert_eq!(ask(2, 210, false, &[], &[], ROOM), Admission::Admit, "alone it may take its time");
}

#[test]
fn a_smaller_picture_goes_before_a_refusal() {
    let fat = [seat(1, "Ana", 80)];
    let rung = |lines, mbit: u64, encoded| Smaller {
        lines,
        bps: mbit * 1_000_000,
        encode_millis: millis(encoded),
        chip_millis: None,
    };
    let ladder = [rung(480, 2, true), rung(720, 3, false), rung(1080, 30, false)];
    let lower = |answer| match answer {
        Admission::Lower { lines, otherwise } => (lines, otherwise.code),
        other => panic!("{other:?}"),
    };
    assert_eq!(lower(ask(2, 40, false, &ladder, &fat, ROOM)), (720, Code::HouseFull));
    assert_eq!(lower(ask(2, 40, false, &ladder[..1], &fat, ROOM)), (480, Code::HouseFull));
    // The only smaller one would need the encoder that is taken.
    let encoding = [Seat(user(1), "Ana", 80, true, None)];
    assert!(matches!(ask(2, 40, false, &ladder[..1], &encoding, ROOM), Admission::Refuse(_)));
    // A rung that is no smaller does not help.
    assert!(matches!(ask(2, 21, false, &[rung(720, 21, false)], &fat, ROOM), Admission::Refuse(_)));
}

#[test]
fn encodes_hold_what_they_cost_and_their_own_make_place() {
    let encoding = [Seat(user(1), "Ana", 1, true, Some(600))];
    let text = "This film has to be encoded while you watch. That takes 0.5 processor cores, and 0.5 of 0.5 are taken \
                (Ana). Ana's film ends in about 10 minutes.";
    check(ask(2, 1, true, &[], &encoding, ROOM), Code::HouseFull, Some(30), text);
    assert_eq!(ask(2, 1, false, &[], &encoding, ROOM), Admission::Admit);
    assert_eq!(ask(1, 1, true, &[], &encoding, ROOM), Admission::Admit);
    assert_eq!(ask(2, 1, true, &[], &encoding, Room { encode_millis: 1000, ..ROOM }), Admission::Admit);
    assert!(matches!(ask(2, 1, true, &[], &encoding, Room { encode_millis: 999, ..ROOM }), Admission::Refuse(_)));
    let small = Room { encode_millis: 499, ..ROOM };
    let text = "This film would have to be encoded while you watch, which this machine is not fast enough for.";
    check(ask(2, 1, true, &[], &[], small), Code::NeedsPreparing, None, text);
}

#[test]
fn a_cheaper_encode_goes_before_a_refusal() {
    let encoding = [Seat(user(1), "Ana", 1, true, Some(600))];
    let running: Vec<Running<'_>> = encoding
        .iter()
        .map(|s| Running { user: &s.0, username: s.1, bps: 1, encode_millis: 500, on_chip: false, left: None })
        .collect();
    let rung = |lines, encode_millis| Smaller { lines, bps: u64::from(lines), encode_millis, chip_millis: None };
    let ladder = [rung(480, 300), rung(360, 200), rung(240, 150)];
    let wanted = Wanted { user: &user(2), bps: 720, encode_millis: 400, chip_millis: None, smaller: &ladder };
    let room = Room { encode_millis: 700, ..ROOM };
    assert!(matches!(admit(&wanted, &running, &room), Admission::Lower { lines: 360, .. }));
    assert!(matches!(admit(&Wanted { smaller: &[], ..wanted }, &running, &room), Admission::Refuse(_)));
}

#[test]
fn an_encode_that_rested_goes_on_where_there_is_still_room() {
    let other = user(1);
    let running = [Running { user: &other, username: "Ana", bps: 1, encode_millis: 500, on_chip: false, left: None }];
    let room = Room { encode_millis: 900, ..ROOM };
    assert_eq!(resume(&user(2), 400, false, &running, &room), Ok(()));
    assert_eq!(resume(&user(2), 500, false, &[], &room), Ok(()));
    let refused = resume(&user(2), 401, false, &running, &room).unwrap_err();
    assert!(refused.code == Code::HouseFull && refused.message.contains("(Ana)"), "{refused}");
}

/// A machine with one slot and half a core for encodes; the processor needs all of that, the chip a tenth.
#[test]
fn the_chip_goes_first_then_the_processor_then_nothing() {
    let (ana, ben) = (user(1), user(2));
    let on = |user, encode_millis, on_chip| Running {
        user,
        username: "Ana",
        bps: 1,
        encode_millis,
        on_chip,
        left: Some(Duration::from_secs(600)),
    };
    let (chip, processor, copy) = (on(&ana, 50, true), on(&ana, 450, false), on(&ana, 0, false));
    let room = Room { chip_slots: 1, encode_millis: 500, seats: 9, ..ROOM };
    let wanted = Wanted { user: &ben, bps: 9, encode_millis: 450, chip_millis: Some(50), smaller: &[] };
    let check = |running: &[Running<'_>], wanted: Wanted<'_>, room: Room, expected: &str| {
        let said = match admit(&wanted, running, &room) {
            Admission::Admit => "processor".to_string(),
            Admission::AdmitOnChip => "chip".into(),
            Admission::Lower { lines, .. } => format!("{lines}"),
            Admission::Wait(failure) | Admission::Refuse(failure) => failure.message,
        };
        assert!(said.starts_with(expected), "{said}, not {expected}; {wanted:?} beside {running:?}");
    };
    check(&[], wanted, room, "chip");
    check(&[copy], wanted, room, "chip");
    check(&[], wanted, Room { chip_slots: 0, ..room }, "processor");
    check(&[], Wanted { chip_millis: None, ..wanted }, room, "processor");
    check(&[chip], wanted, room, "processor");
    check(&[chip], wanted, Room { chip_slots: 2, ..room }, "chip");
    check(&[processor], wanted, room, "chip");
    check(&[chip, processor], wanted, room, "This film has to be encoded while you watch. That takes 0.5 processor");
    check(&[chip], Wanted { user: &ana, ..wanted }, room, "chip"); // her own makes place
    // The chip needs the processor too.
    let full = on(&ana, 480, false);
    let only = Wanted { encode_millis: u32::MAX, ..wanted };
    check(&[full], only, room, "This film has to be encoded while you watch. That takes 0.1 processor cores");
    check(
        &[chip],
        only,
        room,
        "This film has to be encoded while you watch. The graphics chip encodes one film at once",
    );
    check(&[], only, Room { chip_slots: 0, ..room }, "This film would have to be encoded");
    // A smaller picture by either.
    let small = |encode_millis, chip_millis| [Smaller { lines: 240, bps: 1, encode_millis, chip_millis }];
    let taken = [chip, on(&ana, 300, false)];
    check(&taken, Wanted { smaller: &small(150, Some(10)), ..wanted }, room, "240");
    check(&taken, Wanted { smaller: &small(u32::MAX, Some(10)), ..wanted }, room, "This film");
    let fast = Room { chip_slots: 2, ..room };
    check(&[chip, full], Wanted { smaller: &small(u32::MAX, Some(10)), ..only }, fast, "This film");
    check(&[], Wanted { encode_millis: 0, chip_millis: None, ..wanted }, room, "processor");
}

#[test]
fn a_rested_encode_takes_its_slot_back_only_where_it_is_free() {
    let ana = user(1);
    let on_chip = Running { user: &ana, username: "Ana", bps: 1, encode_millis: 50, on_chip: true, left: None };
    let room = Room { chip_slots: 1, ..ROOM };
    assert_eq!(resume(&user(2), 50, true, &[], &room), Ok(()));
    let refused = resume(&user(2), 50, true, &[on_chip], &room).unwrap_err();
    assert_eq!(refused.code, Code::HouseFull, "{refused}");
    assert_eq!(resume(&user(2), 50, true, &[on_chip], &Room { chip_slots: 2, ..room }), Ok(()));
}

/// Whatever comes and goes, what was let in fits, and whoever was turned away did not.
#[test]
fn nothing_is_promised_that_is_not_there() {
    let mut chance = 0x9e37_79b9_7f4a_7c15_u64;
    let mut roll = |below: u64| {
        chance ^= chance << 13;
        chance ^= chance >> 7;
        chance ^= chance << 17;
        chance % below
    };
    let room = Room { seats: 4, plays_per_person: 2, encode_millis: 1000, chip_slots: 0, wire_bps: Some(60_000_000) };
    let (mut seats, mut let_in, mut turned_away): (Vec<Seat>, u32, u32) = (Vec::new(), 0, 0);
    for _ in 0..20_000 {
        if roll(3) == 0 && !seats.is_empty() {
            let leaving = usize::try_from(roll(seats.len() as u64)).unwrap();
            seats.remove(leaving);
            continue;
        }
        let (who, mbit, encoded) = (u8::try_from(roll(7)).unwrap(), 1 + roll(30), roll(4) == 0);
        let alone = seats.is_empty();
        match ask(who, mbit, encoded, &[], &seats, room) {
            Admission::Admit => {
                let_in += 1;
                seats.push(Seat(user(who), "somebody", mbit, encoded, None));
                let people: BTreeSet<&UserId> = seats.iter().map(|s| &s.0).collect();
                let encoders: BTreeSet<&UserId> = seats.iter().filter(|s| s.3).map(|s| &s.0).collect();
                assert!(people.len() <= 4 && encoders.len() <= 2, "{encoders:?}");
                assert!(alone || seats.iter().map(|s| s.2).sum::<u64>() <= 60);
                assert!(seats.iter().filter(|s| s.0 == user(who)).count() <= 2);
            }
            Admission::Lower { .. } | Admission::AdmitOnChip => panic!("nothing smaller and no chip was named"),
            Admission::Wait(failure) | Admission::Refuse(failure) => {
                turned_away += 1;
                assert!(failure.message.ends_with('.'));
            }
        }
    }
    assert!(let_in > 1000 && turned_away > 1000, "control: {let_in} in, {turned_away} away");
}
