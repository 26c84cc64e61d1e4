//! What happens by itself: the schedule, the copies, the rotation and the weekly proof.

use crate::{
    decide::{missing, to_prove, wait_after},
    make,
    places::{self, TendError, Tended},
    shown::Work,
    vault::{Known, Vault, VaultError, lock, made, names_at, schedule},
};
use backup::{Kind, Listed};
use jiff::{SignedDuration, Timestamp};
use std::{collections::BTreeSet, sync::atomic::Ordering, time::Duration};
use store::{BackupPlace, BackupPlan, BackupRecord, BackupTry};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

/// Clocks are set and machines sleep, so it is looked at more often than it is due.
const LOOK_EVERY: Duration = Duration::from_secs(60);

impl Vault {
    /// Runs until the soft stop.
    pub(crate) async fn go_round(self, soft: CancellationToken) {
        let folder = self.0.config.dirs.backups();
        let _ = self.on_disk(move || places::sweep_work(&folder)).await;
        let mut failures = 0;
        let mut not_before: Option<Timestamp> = None;
        loop {
            if let Err(e) = self.round(&soft, &mut failures, &mut not_before).await {
                warn!("backups could not be looked after: {e}");
            }
            self.0.rounds.fetch_add(1, Ordering::AcqRel);
            tokio::select! {
                () = soft.cancelled() => return,
                () = self.0.wake.notified() => {}
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
        }
    }

    async fn round(
        &self,
        soft: &CancellationToken,
        failures: &mut u32,
        not_before: &mut Option<Timestamp>,
    ) -> Result<(), VaultError> {
        let store = &self.0.store;
        // Without people there is nothing that would be missed.
        if !store.is_a_file() || store.counts().await?.get("users").is_none_or(|users| *users == 0) {
            return Ok(());
        }
        let _turn = self.0.turn.lock().await;
        let plan = store.backup_plan().await?;
        let mut record = store.backup_record().await?;
        if record.since_ms.is_none() {
            let now = self.0.clock.now().0;
            record = store.change_backup_record(|record| record.since_ms = Some(now)).await?;
        }
        let mut here = self.list().await?;
        let now = self.now();
        let is_due = plan.is_on && schedule(&plan).look(&self.0.config.zone, &made(&here, &record), now).is_now;
        if is_due
            && not_before.is_none_or(|until| now >= until || until.duration_since(now) > SignedDuration::from_hours(2))
        {
            record = self.make_scheduled(failures, not_before).await?;
            here = self.rotate(&record).await?;
        }
        for place in &plan.places {
            if soft.is_cancelled() {
                return Ok(());
            }
            record = self.tend_place(place, &here, record).await?;
        }
        record = self.forget_gone(&plan, &here, record).await?;
        self.judge(&plan, &record, &here);
        if let Some(name) = to_prove(&here, &record, self.now()).filter(|_| plan.is_on && self.0.house.is_quiet()) {
            tokio::select! {
                () = soft.cancelled() => {}
                () = self.prove(name) => {}
            }
            self.judge(&plan, &store.backup_record().await?, &here);
        }
        Ok(())
    }

    async fn make_scheduled(
        &self,
        failures: &mut u32,
        not_before: &mut Option<Timestamp>,
    ) -> Result<BackupRecord, VaultError> {
        let made = self.make(Kind::Scheduled).await;
        let problem = made.as_ref().err().map(VaultError::sentence);
        match &made {
            Ok(_) => (*failures, *not_before) = (0, None),
            Err(e) => {
                *failures += 1;
                let until = self.now().saturating_add(wait_after(*failures)).unwrap_or(Timestamp::MAX);
                *not_before = Some(until);
                warn!(error = e as &dyn std::error::Error, "the scheduled backup was not made: {}", e.sentence());
            }
        }
        let at_ms = self.0.clock.now().0;
        let noted = BackupTry { at_ms, problem };
        Ok(self.0.store.change_backup_record(|record| record.last_try = Some(noted)).await?)
    }

    async fn rotate(&self, record: &BackupRecord) -> Result<Vec<Listed>, VaultError> {
        let (folder, tag, record, now) = (self.own_folder().await?, self.tag().await?, record.clone(), self.now());
        Ok(self
            .on_disk(move || {
                folder.sweep(tag)?;
                places::rotate(&folder, tag, &record, now)
            })
            .await??)
    }

    /// Brings a place up to date where something waits to be copied there. A disk that has everything is
    /// left asleep.
    async fn tend_place(
        &self,
        place: &BackupPlace,
        here: &[Listed],
        record: BackupRecord,
    ) -> Result<BackupRecord, VaultError> {
        let now = self.now();
        let waits = !missing(here, &names_at(&record, &place.mark), &record, now).is_empty();
        let known = lock(&self.0.known).get(&place.mark).cloned().unwrap_or_default();
        let rests = known
            .rest_until
            .is_some_and(|until| now < until && until.duration_since(now) < SignedDuration::from_hours(2));
        if rests || (known.is_tended && !waits) {
            return Ok(record);
        }
        let working = self.working(Work::Copying);
        let (folder, tag) = (self.own_folder().await?, make::house_tag(&self.0.store).await?);
        let (of, with) = (place.clone(), record.clone());
        let tended = self.on_disk(move || places::tend(&of, &folder, tag, &with, now)).await?;
        drop(working);
        let Some(listed) = self.learn(place, tended) else { return Ok(record) };
        let names: BTreeSet<_> = listed.iter().map(|each| each.name.to_string()).collect();
        if record.copied.get(&place.mark) == Some(&names) {
            return Ok(record);
        }
        Ok(self.0.store.change_backup_record(|record| drop(record.copied.insert(place.mark.clone(), names))).await?)
    }

    /// Takes note of how a place was found. Returns what is there now.
    fn learn(&self, place: &BackupPlace, tended: Result<Tended, TendError>) -> Option<Vec<Listed>> {
        let mut all = lock(&self.0.known);
        let known = all.entry(place.mark.clone()).or_default();
        match tended {
            Ok(tended) => {
                if tended.copied > 0 {
                    info!("{} backups were copied to {}", tended.copied, place.path.display());
                }
                *known = Known { free_bytes: tended.free_bytes, is_tended: true, ..Known::default() };
                Some(tended.listed)
            }
            Err(e) => {
                known.failures += 1;
                known.problem = Some(e.sentence());
                known.rest_until = self.now().checked_add(wait_after(known.failures)).ok();
                if known.failures == 1 {
                    warn!(error = &e as &dyn std::error::Error, "backups are not copied: {}", e.sentence());
                }
                None
            }
        }
    }

    /// Of backups that are nowhere any more nothing need be known.
    async fn forget_gone(
        &self,
        plan: &BackupPlan,
        here: &[Listed],
        record: BackupRecord,
    ) -> Result<BackupRecord, VaultError> {
        let is_somewhere = |name: &String| {
            here.iter().any(|each| each.name.to_string() == *name)
                || plan
                    .places
                    .iter()
                    .any(|place| record.copied.get(&place.mark).is_some_and(|names| names.contains(name)))
        };
        let gone: Vec<_> = record.proven.iter().filter(|name| !is_somewhere(name)).cloned().collect();
        if gone.is_empty() {
            return Ok(record);
        }
        Ok(self.0.store.change_backup_record(|record| record.proven.retain(|name| !gone.contains(name))).await?)
    }
}
