use crate::house::{House, on_both};
use store::{AuditBroken, AuditEntry};

on_both!(
    lines_are_added_and_sealed,
    any_change_is_found,
    many_at_once_stay_one_chain,
    old_lines_move_into_files_and_the_chain_stays_whole,
);

fn entry(action: &str) -> AuditEntry {
    AuditEntry {
        actor: "ana".into(),
        action: action.into(),
        target: None,
        result: "ok".into(),
        address: Some("10.0.0.1".into()),
    }
}

async fn lines_are_added_and_sealed(house: &House) {
    assert_eq!(house.store.verify_audit().await.unwrap(), 0);
    for n in 0..25 {
        house.clock.advance_ms(-1);
        house.store.append_audit(entry(&format!("act {n}"))).await.unwrap();
    }
    let evil = AuditEntry { actor: "a\nb\u{1b}[31m\u{202e}\0".into(), target: Some("x".repeat(5000)), ..entry("evil") };
    house.store.append_audit(evil).await.unwrap();
    assert_eq!(house.store.verify_audit().await.unwrap(), 26);
    let mut seen = Vec::new();
    let mut cursor = None;
    loop {
        let page = house.store.audit(10, cursor.as_deref()).await.unwrap();
        assert_eq!(page.total, 26);
        seen.extend(page.items);
        cursor = page.next_cursor;
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(seen.iter().map(|r| r.seq).collect::<Vec<_>>(), (1..=26).rev().collect::<Vec<_>>());
    assert_eq!(seen[0].entry.actor, "a\u{fffd}b\u{fffd}[31m\u{fffd}\u{fffd}");
    assert_eq!(seen[0].entry.target.as_ref().unwrap().len(), 256);
}

async fn any_change_is_found(house: &House) {
    for n in 0..6 {
        house.store.append_audit(entry(&format!("act {n}"))).await.unwrap();
    }
    let undo = "UPDATE audit SET action = 'act 2' WHERE seq = 3";
    for (change, back) in [
        ("UPDATE audit SET action = 'harmless' WHERE seq = 3", undo),
        ("UPDATE audit SET target = '' WHERE seq = 3", "UPDATE audit SET target = NULL WHERE seq = 3"),
        ("UPDATE audit SET at = at + 1 WHERE seq = 3", "UPDATE audit SET at = at - 1 WHERE seq = 3"),
        ("UPDATE audit SET address = NULL WHERE seq = 3", "UPDATE audit SET address = '10.0.0.1' WHERE seq = 3"),
    ] {
        house.tamper(change).await;
        let found = house.store.verify_audit().await;
        assert!(matches!(found, Err(AuditBroken::Changed { seq: 3 })), "{change}: {found:?}");
        house.tamper(back).await;
        assert_eq!(house.store.verify_audit().await.unwrap(), 6, "control: {back}");
    }
    house.tamper("DELETE FROM audit WHERE seq = 6").await;
    let found = house.store.verify_audit().await;
    assert!(matches!(found, Err(AuditBroken::CutOff { found: 5, written: 6 })), "{found:?}");
    house.tamper("DELETE FROM audit WHERE seq = 2").await;
    assert!(matches!(house.store.verify_audit().await, Err(AuditBroken::Changed { seq: 3 })));
}

async fn many_at_once_stay_one_chain(house: &House) {
    let second = house.again().await;
    let mut tasks = Vec::new();
    for n in 0..40 {
        let store = if n % 2 == 0 { house.store.clone() } else { second.clone() };
        tasks.push(tokio::spawn(async move { store.append_audit(entry(&format!("{n}"))).await.unwrap() }));
    }
    for task in tasks {
        task.await.unwrap();
    }
    second.close().await;
    assert_eq!(house.store.verify_audit().await.unwrap(), 40);
}

async fn old_lines_move_into_files_and_the_chain_stays_whole(house: &House) {
    let folder = tempfile::tempdir().unwrap();
    let store = &house.store;
    let archive = async || store.archive_audit(folder.path(), 10, 20).await.unwrap();
    for n in 0..29 {
        store.append_audit(AuditEntry { address: None, ..entry(&format!("act \"{n}\" ü")) }).await.unwrap();
    }
    assert_eq!(archive().await, 0, "fewer than ten and twenty");
    assert_eq!(store.verify_audit_archive(folder.path()).await.unwrap(), 0);
    for n in 29..55 {
        store.append_audit(entry(&format!("act {n}"))).await.unwrap();
    }
    assert_eq!((archive().await, archive().await, archive().await, archive().await), (10, 10, 10, 0));
    let page = store.audit(500, None).await.unwrap();
    assert_eq!((page.total, page.items.last().unwrap().seq), (25, 31));
    assert_eq!(store.verify_audit_archive(folder.path()).await.unwrap(), 30);
    assert_eq!(store.verify_audit().await.unwrap(), 55);
    store.append_audit(entry("goes on")).await.unwrap();
    assert_eq!(store.verify_audit().await.unwrap(), 56);

    house.tamper("DELETE FROM audit WHERE seq = 31").await;
    assert!(matches!(store.verify_audit().await, Err(AuditBroken::Changed { seq: 32 })), "the gap behind the files");
    let middle = folder.path().join("0000000011-0000000020.jsonl");
    let text = std::fs::read_to_string(&middle).unwrap();
    std::fs::write(&middle, text.replacen(r#":"act "#, r#":"ace "#, 1)).unwrap();
    let found = store.verify_audit_archive(folder.path()).await;
    assert!(matches!(found, Err(AuditBroken::Changed { seq: 11 })), "{found:?}");
    std::fs::write(&middle, &text).unwrap();
    assert_eq!(store.verify_audit_archive(folder.path()).await.unwrap(), 30, "control");
    std::fs::write(&middle, b"hello\n").unwrap();
    let found = store.verify_audit_archive(folder.path()).await;
    assert!(matches!(found, Err(AuditBroken::ArchiveUnreadable { .. })), "{found:?}");
    std::fs::remove_file(&middle).unwrap();
    let found = store.verify_audit_archive(folder.path()).await;
    assert!(matches!(found, Err(AuditBroken::ArchiveMissing { from: 11, to: 30, .. })), "{found:?}");
}

/// A file that cannot be written removes nothing.
#[tokio::test]
async fn lines_that_find_no_disk_stay() {
    let house = House::open("sqlite").await.unwrap();
    for n in 0..30 {
        house.store.append_audit(entry(&format!("act {n}"))).await.unwrap();
    }
    let folder = tempfile::NamedTempFile::new().unwrap();
    assert!(house.store.archive_audit(folder.path(), 10, 10).await.is_err());
    assert_eq!(house.store.audit(500, None).await.unwrap().total, 30);
    assert_eq!(house.store.verify_audit().await.unwrap(), 30);
}
