use crate::house::{House, facts, found, on_both, query};
use domain::{Role, facts::Container, playback::Playability};
use std::sync::atomic::{AtomicBool, Ordering};
use store::{StoreError, TitleRow, TitleSort};

on_both!(
    pages_are_the_whole_list_in_order,
    pages_hold_while_titles_come,
    a_whole_list_counts_what_it_holds,
    payloads_are_words,
    cursors_are_ours,
);

/// Ties everywhere: names, years, times, lengths; years that nobody knows.
async fn fill(house: &House) {
    let (library, folder) = house.library("films").await;
    for n in 0..61_u64 {
        let name = format!("{} {}", ["Éclair", "the apple", "Zebra", "übung", "apple"][n as usize % 5], n / 10);
        let year = (n % 3 != 0).then_some(1990 + (n % 4) as u16);
        let facts = facts(if n % 2 == 0 { Container::Mp4 } else { Container::Avi }, "h264", (n % 7) * 1000);
        let store::ScanChange::Found { size_bytes, mtime_ns, inode, .. } = found("x", None, Ok(facts.clone())) else {
            unreachable!()
        };
        let path = format!("{n}.mp4").into_bytes();
        let change = store::ScanChange::Found { path, size_bytes, mtime_ns, inode, name, year, facts: Ok(facts) };
        house.store.apply_scan(&library, &folder, vec![change]).await.unwrap();
        if n % 4 == 0 {
            house.clock.advance_ms(1000);
        }
    }
}

/// What the order means, said once more without SQL.
fn sorted(mut rows: Vec<TitleRow>, sort: TitleSort, descending: bool) -> Vec<TitleRow> {
    let key = |t: &TitleRow| match sort {
        TitleSort::Name => 0,
        TitleSort::Added => t.added_at.0,
        TitleSort::Duration => t.best.duration_ms as i64,
        TitleSort::Year => t.year.map_or(if descending { -1 } else { 99_999 }, i64::from),
    };
    rows.sort_by(|a, b| {
        let name = (&a.sort_key, a.id.as_str()).cmp(&(&b.sort_key, b.id.as_str()));
        let number = key(a).cmp(&key(b));
        match (sort, descending) {
            (TitleSort::Name, true) => name.reverse(),
            (TitleSort::Name, false) => name,
            (_, true) => number.reverse().then(name),
            (_, false) => number.then(name),
        }
    });
    rows
}

async fn pages_are_the_whole_list_in_order(house: &House) {
    fill(house).await;
    let owner = house.user("owner", Role::Admin).await;
    for sort in TitleSort::ALL {
        for descending in [false, true] {
            let mut ask = query(&owner, sort);
            ask.descending = descending;
            let whole = house.store.titles(&ask).await.unwrap();
            assert_eq!((whole.items.len(), whole.total, &whole.next_cursor), (61, 61, &None));
            assert_eq!(whole.items, sorted(whole.items.clone(), sort, descending), "{sort:?} {descending}");
            for limit in [1, 2, 7, 60, 61] {
                ask.limit = limit;
                ask.cursor = None;
                let mut paged = Vec::new();
                loop {
                    let page = house.store.titles(&ask).await.unwrap();
                    assert!(page.items.len() <= limit as usize && page.total == 61);
                    paged.extend(page.items);
                    ask.cursor = page.next_cursor;
                    if ask.cursor.is_none() {
                        break;
                    }
                }
                assert_eq!(paged, whole.items, "{sort:?} {descending} {limit}");
            }
        }
    }
}

async fn pages_hold_while_titles_come(house: &House) {
    fill(house).await;
    let owner = house.user("owner", Role::Admin).await;
    let mut ask = query(&owner, TitleSort::Name);
    let whole = house.store.titles(&ask).await.unwrap().items;
    ask.limit = 20;
    let first = house.store.titles(&ask).await.unwrap();
    let (library, folder) = house.library("more").await;
    house.title(&library, &folder, "aaa comes before all").await;
    ask.cursor = first.next_cursor;
    let second = house.store.titles(&ask).await.unwrap();
    assert_eq!(second.items, whole[20..40], "nothing is shown twice and nothing skipped");
}

async fn a_whole_list_counts_what_it_holds(house: &House) {
    let (library, folder) = house.library("films").await;
    let owner = house.user("owner", Role::Admin).await;
    let ask = query(&owner, TitleSort::Name);
    let is_scanned = AtomicBool::new(false);
    let scan = async {
        for n in 0..60 {
            house.title(&library, &folder, &format!("film {n}")).await;
        }
        is_scanned.store(true, Ordering::Release);
    };
    let read = async {
        let mut lists = 0;
        while !is_scanned.load(Ordering::Acquire) {
            let page = house.store.titles(&ask).await.unwrap();
            assert_eq!(page.total, page.items.len() as u64);
            lists += usize::from(!page.items.is_empty() && page.items.len() < 60);
        }
        assert!(lists > 0, "no list was read while titles came");
    };
    tokio::join!(scan, read);
}

async fn payloads_are_words(house: &House) {
    let (library, folder) = house.library("films").await;
    let names = ["100% Wolf", "snake_case", "back\\slash", "Amélie", "x' OR '1'='1", "[a-z]*", "plain"];
    for name in names {
        house.title(&library, &folder, name).await;
    }
    let owner = house.user("owner", Role::Admin).await;
    let search = |text: &str| {
        let (store, mut ask) = (house.store.clone(), query(&owner, TitleSort::Name));
        ask.search = Some(text.into());
        async move { store.titles(&ask).await.unwrap().items.into_iter().map(|t| t.name).collect::<Vec<_>>() }
    };
    for (text, want) in [
        ("%", vec!["100% Wolf"]),
        ("_", vec!["snake_case"]),
        ("\\", vec!["back\\slash"]),
        ("amelie", vec!["Amélie"]),
        ("AMÉL", vec!["Amélie"]),
        ("wolf 100", vec!["100% Wolf"]),
        ("' or", vec!["x' OR '1'='1"]),
        ("*", vec!["[a-z]*"]),
        ("p%n", vec![]),
        ("pl_in", vec![]),
        ("'; DROP TABLE titles; --", vec![]),
        ("plain' UNION SELECT password_hash FROM users --", vec![]),
        ("plain\0", vec![]),
        ("$1 ?1 :x @y", vec![]),
    ] {
        assert_eq!(search(text).await, want, "{text:?}");
    }
    assert_eq!(search("  ").await.len(), names.len());
    assert_eq!(search(&"%_\\".repeat(20_000)).await, Vec::<String>::new(), "however long it is");
    let mut ask = query(&owner, TitleSort::Name);
    ask.playability = Some(Playability::Broken);
    assert_eq!(house.store.titles(&ask).await.unwrap().total, 0);
    ask.playability = Some(Playability::Direct);
    ask.library = Some(library);
    assert_eq!(house.store.titles(&ask).await.unwrap().total, names.len() as u64);
}

async fn cursors_are_ours(house: &House) {
    fill(house).await;
    let owner = house.user("owner", Role::Admin).await;
    let mut ask = query(&owner, TitleSort::Name);
    ask.limit = 5;
    let cursor = house.store.titles(&ask).await.unwrap().next_cursor.unwrap();
    let other = cursor.replace(&cursor[3..6], "AAA");
    let long = "A".repeat(1 << 20);
    for bad in ["", "%%%", "null", "eyJhIjoxfQ", "' OR 1=1", other.as_str(), long.as_str()] {
        ask.cursor = Some(bad.into());
        let error = house.store.titles(&ask).await.unwrap_err();
        assert!(matches!(error, StoreError::BadCursor), "{bad:.20}: {error}");
    }
    ask.cursor = Some(cursor);
    ask.descending = true;
    assert!(matches!(house.store.titles(&ask).await, Err(StoreError::BadCursor)), "of another order");
    assert!(matches!(house.store.audit(5, ask.cursor.as_deref()).await, Err(StoreError::BadCursor)));
}
