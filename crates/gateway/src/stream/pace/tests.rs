use super::*;
use std::sync::atomic::{AtomicU64, Ordering};

const MIB: u64 = 1 << 20;
/// What the pipe between worker and viewer holds.
const PIECE: usize = 256 << 10;

#[tokio::test(start_paused = true)]
async fn a_rate_holds_over_time_and_no_rate_costs_nothing() {
    let pace = Pace::default();
    assert_eq!(pace.take(usize::MAX), Ok(usize::MAX));
    pace.set_rate(Some(1 << 20));
    let start = Instant::now();
    let mut sent = 0;
    while sent < 8 << 20 {
        match pace.take(256 << 10) {
            Ok(n) => sent += n,
            Err(at) => tokio::time::sleep_until(at).await,
        }
    }
    let took = start.elapsed().as_secs_f64();
    assert!((7.0..8.5).contains(&took), "8 MiB at 1 MiB/s took {took} s");
    pace.set_rate(None);
    assert_eq!(pace.take(usize::MAX), Ok(usize::MAX));
}

/// One connection drinks without end; each that comes later gets its part of the viewer's rate,
/// and one that is closed while it waits holds nobody up.
#[tokio::test(start_paused = true)]
async fn connections_of_one_viewer_take_turns() {
    for (rate, secs) in [(12_500, 120), (MIB / 2, 20), (8 * MIB, 5)] {
        for (total, each) in [(Some(rate), None), (None, Some(rate))] {
            let wire = Wire::default();
            let viewer = wire.viewer();
            wire.set_total(total);
            viewer.set_rate(each);
            let first = drink(&viewer, None);
            tokio::time::sleep(Duration::from_secs(10)).await;
            let gone = viewer.clone();
            assert!(gone.take(PIECE).is_err());
            drop(gone);
            let others = [drink(&viewer, None), drink(&viewer, None)];
            let seen = rates(&[&first, &others[0], &others[1]], secs).await;
            let part = rate.max(SIP) / 3;
            assert!(seen.iter().all(|one| one.abs_diff(part) * 4 <= part), "{seen:?}, a third is {part}");
        }
    }
}

/// A connection that takes what it gets, at most `appetite` bytes a second. Half of every other
/// piece comes back, as when a socket is full.
fn drink(pace: &Pace, appetite: Option<u64>) -> Arc<AtomicU64> {
    let (pace, drunk) = (pace.clone(), Arc::new(AtomicU64::new(0)));
    let total = drunk.clone();
    tokio::spawn(async move {
        let begin = Instant::now();
        for turn in 0_u64.. {
            let granted = loop {
                match pace.take(PIECE) {
                    Ok(granted) => break granted,
                    Err(at) => {
                        assert!(at > Instant::now(), "waiting without waiting");
                        tokio::time::sleep_until(at).await;
                    }
                }
            };
            let back = if turn.is_multiple_of(2) { granted / 2 } else { 0 };
            pace.give_back(back);
            let sum = total.fetch_add((granted - back) as u64, Ordering::Relaxed) + (granted - back) as u64;
            if let Some(rate) = appetite {
                tokio::time::sleep_until(begin + Duration::from_micros(sum * 1_000_000 / rate)).await;
            }
        }
    });
    drunk
}

/// Bytes per second of each over the next `secs`.
async fn rates(of: &[&Arc<AtomicU64>], secs: u64) -> Vec<u64> {
    let read = || of.iter().map(|n| n.load(Ordering::Relaxed)).collect::<Vec<_>>();
    let before = read();
    tokio::time::sleep(Duration::from_secs(secs)).await;
    read().iter().zip(before).map(|(now, then)| (now - then) / secs).collect()
}

fn near(rate: u64, expected: u64) -> bool {
    rate.abs_diff(expected) * 10 <= expected
}

#[tokio::test(start_paused = true)]
async fn viewers_share_the_wire_however_many_connections_they_have() {
    for total in [MIB / 2, 8 * MIB, 100 * MIB] {
        let wire = Wire::default();
        wire.set_total(Some(total));
        let greedy = wire.viewer();
        let many: Vec<_> = (0..8).map(|_| drink(&greedy, None)).collect();
        let others: Vec<_> = (0..7).map(|_| drink(&wire.viewer(), None)).collect();
        // Whoever came first had the wire for themselves for a moment.
        tokio::time::sleep(Duration::from_secs(3)).await;
        let seen = rates(&others.iter().chain(&many).collect::<Vec<_>>(), 20).await;
        let (others, many) = seen.split_at(7);
        let many: u64 = many.iter().sum();
        assert!(near(many, total / 8), "{total}: eight connections of one got {many}");
        assert!(others.iter().all(|rate| near(*rate, total / 8)), "{total}: {others:?}");
        assert!(near(many + others.iter().sum::<u64>(), total), "{total}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_one_leaves_the_others_take() {
    let wire = Wire::default();
    wire.set_total(Some(12 * MIB));
    let (small, capped, first, second) = (wire.viewer(), wire.viewer(), wire.viewer(), wire.viewer());
    capped.set_rate(Some(2 * MIB));
    let small = drink(&small, Some(MIB));
    let (capped, first, second) = (drink(&capped, None), drink(&first, None), drink(&second, None));
    let seen = rates(&[&small, &capped, &first, &second], 20).await;
    assert!(near(seen[0], MIB) && near(seen[1], 2 * MIB), "{seen:?}");
    let rest = (12 - 1 - 2) * MIB / 2;
    assert!(near(seen[2], rest) && near(seen[3], rest), "{seen:?}");
}

#[tokio::test(start_paused = true)]
async fn whoever_is_alone_has_it_all_and_gives_it_up_at_once() {
    let wire = Wire::default();
    wire.set_total(Some(8 * MIB));
    let first = drink(&wire.viewer(), None);
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert!(near(rates(&[&first], 10).await[0], 8 * MIB));
    let second = drink(&wire.viewer(), None);
    tokio::time::sleep(Duration::from_secs(1)).await;
    let seen = rates(&[&first, &second], 10).await;
    assert!(seen.iter().all(|rate| near(*rate, 4 * MIB)), "{seen:?}");
}

#[tokio::test(start_paused = true)]
async fn a_start_gets_its_first_bytes_from_a_busy_wire() {
    let wire = Wire::default();
    wire.set_total(Some(8 * MIB));
    let others: Vec<Pace> = (0..7).map(|_| wire.viewer()).collect();
    let _busy: Vec<_> = others.iter().map(|pace| drink(pace, None)).collect();
    tokio::time::sleep(Duration::from_secs(10)).await;
    let had = |pace: &Pace| pace.take(PIECE).unwrap_or(0);
    assert!(had(&others[0]) < 64 << 10, "control: the wire is busy");
    let late = wire.viewer();
    // A quarter of a second of the eighth part.
    assert_eq!(had(&late), 256 << 10);
    assert!(had(&late) < 64 << 10, "and then like everybody");
    // A pause of some seconds, as before a seek, earns it again; a moment does not.
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(had(&late), 256 << 10);
    tokio::time::sleep(Duration::from_millis(20)).await;
    assert!(had(&late) < 64 << 10);
}

/// Whatever comes and goes, the wire never carries more than its rate and one second of rest.
#[tokio::test(start_paused = true)]
async fn no_history_overfills_the_wire() {
    let total = 4 * MIB;
    let wire = Wire::default();
    wire.set_total(Some(total));
    let paces: Vec<Pace> = (0..9).map(|_| wire.viewer()).collect();
    let mut chance = 0x9e37_79b9_7f4a_7c15_u64;
    let mut roll = |below: u64| {
        chance ^= chance << 13;
        chance ^= chance >> 7;
        chance ^= chance << 17;
        chance % below
    };
    let (begin, mut sent) = (Instant::now(), 0);
    for _ in 0..30_000 {
        let who = usize::try_from(roll(9)).unwrap();
        let want = usize::try_from(1 + roll(PIECE as u64)).unwrap();
        if let Ok(granted) = paces[who].take(want) {
            let back = if roll(5) == 0 { granted / 3 } else { 0 };
            paces[who].give_back(back);
            sent += (granted - back) as u64;
        }
        let pause = if roll(400) == 0 { 3_000_000 } else { roll(3000) };
        tokio::time::advance(Duration::from_micros(pause)).await;
        let most = bytes_in(total, begin.elapsed()) + total;
        assert!(sent <= most, "{sent} of {most}");
    }
    let busy = bytes_in(total, begin.elapsed());
    assert!(sent > busy / 10, "control: {sent} of {busy} went out");
}

#[tokio::test(start_paused = true)]
async fn limits_come_and_go_while_films_play() {
    let wire = Wire::default();
    let (first, second) = (drink(&wire.viewer(), Some(50 * MIB)), drink(&wire.viewer(), Some(50 * MIB)));
    assert!(near(rates(&[&first], 5).await[0], 50 * MIB));
    wire.set_total(Some(10 * MIB));
    tokio::time::sleep(Duration::from_secs(1)).await;
    let seen = rates(&[&first, &second], 10).await;
    assert!(seen.iter().all(|rate| near(*rate, 5 * MIB)), "{seen:?}");
    wire.set_total(None);
    assert!(rates(&[&first], 5).await[0] > 20 * MIB);
}
