use crate::house::{House, on_both};
use store::{AuditBroken, AuditEntry};

on_both!(lines_are_added_and_sealed, any_change_is_found, many_at_once_stay_one_chain);

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
