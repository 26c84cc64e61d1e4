//! The log of who did what. Lines are only ever added, and each one seals those before it: its
//! hash covers its own fields and the hash before. Where the chain ends is written down as well,
//! so that cutting off the newest lines is noticed too. The oldest lines of a long log move into
//! files ([`crate::audit_archive`]), which the chain goes on from.

use crate::{
    cursor,
    entities::audit,
    error::{StoreError, reading, writing},
    open::{Store, Turn, commit},
    settings,
    titles::Page,
};
use base::UnixMs;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect};
use sha2::{Digest, Sha256};
use std::{io, path::PathBuf};

/// One thing that happened. Text is cleaned on the way in: a line stays one line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditEntry {
    /// Id of who did it, or a word like `anonymous` or `host`.
    pub actor: String,
    /// For instance `login`.
    pub action: String,
    pub target: Option<String>,
    /// `ok`, or the code of the refusal.
    pub result: String,
    pub address: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditRow {
    pub seq: u64,
    pub at: UnixMs,
    pub entry: AuditEntry,
}

/// The log is not as it was written.
#[derive(Debug, thiserror::Error)]
pub enum AuditBroken {
    #[error("the log cannot be read")]
    Read(#[from] StoreError),
    #[error("line {seq} of the log was changed, or a line before it was removed")]
    Changed { seq: u64 },
    #[error("the newest lines of the log were removed: it ends at {found} instead of {written}")]
    CutOff { found: u64, written: u64 },
    #[error("lines {from} to {to} are in no file of {folder}")]
    ArchiveMissing { from: u64, to: u64, folder: PathBuf },
    #[error("{path} cannot be read")]
    ReadArchive { path: PathBuf, source: io::Error },
    #[error("{path} holds something else than lines of the log")]
    ArchiveUnreadable { path: PathBuf },
}

/// A line as it is kept: with the hash that seals it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedRow {
    pub row: AuditRow,
    pub hash: Vec<u8>,
}

/// The line that the database's part of the chain goes on from: its number and its hash. The
/// default is the beginning of the log.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Base {
    pub(crate) seq: u64,
    pub(crate) hash: Vec<u8>,
}

impl Base {
    fn to_text(&self) -> String {
        format!("{} {}", self.seq, URL_SAFE_NO_PAD.encode(&self.hash))
    }

    fn from_text(text: &str) -> Option<Self> {
        let (seq, hash) = text.split_once(' ')?;
        Some(Self { seq: seq.parse().ok()?, hash: URL_SAFE_NO_PAD.decode(hash).ok()? })
    }
}

const AUDIT: &str = "the audit log";
const HEAD: &str = "audit_head";
const BASE: &str = "audit_base";
const MAX_FIELD_CHARS: usize = 256;
const BATCH: u64 = 1000;

impl Store {
    /// # Errors
    /// When the database cannot be written.
    pub async fn append_audit(&self, entry: AuditEntry) -> Result<(), StoreError> {
        let entry = clean(entry);
        let at = self.clock().now();
        let transaction = self.write(Turn::Audit, AUDIT).await?;
        let last =
            audit::Entity::find().order_by_desc(audit::Column::Seq).one(&transaction).await.map_err(reading(AUDIT))?;
        let (seq, before) = last.map_or((1, Vec::new()), |l| (l.seq + 1, l.hash));
        let row = audit::ActiveModel {
            seq: Set(seq),
            at: Set(at.0),
            hash: Set(seal(&before, seq, at.0, &entry)),
            actor: Set(entry.actor),
            action: Set(entry.action),
            target: Set(entry.target),
            result: Set(entry.result),
            address: Set(entry.address),
        };
        audit::Entity::insert(row).exec_without_returning(&transaction).await.map_err(writing(AUDIT))?;
        settings::set_value(&transaction, HEAD, seq.to_string()).await?;
        commit(transaction, AUDIT).await
    }

    /// Newest first.
    ///
    /// # Errors
    /// [`StoreError::BadCursor`] for a cursor that is not of this list.
    pub async fn audit(&self, limit: u32, after: Option<&str>) -> Result<Page<AuditRow>, StoreError> {
        let limit = limit.clamp(1, 500);
        let mut query = audit::Entity::find();
        if let Some(text) = after {
            let (list, seq): (String, i64) = cursor::read(text)?;
            if list != HEAD {
                return Err(StoreError::BadCursor);
            }
            query = query.filter(audit::Column::Seq.lt(seq));
        }
        let mut rows = query
            .order_by_desc(audit::Column::Seq)
            .limit(u64::from(limit) + 1)
            .all(self.read())
            .await
            .map_err(reading(AUDIT))?;
        let more = rows.len() > limit as usize;
        rows.truncate(limit as usize);
        let next_cursor = rows.last().filter(|_| more).and_then(|last| cursor::write(&(HEAD, last.seq)));
        let total = audit::Entity::find().count(self.read()).await.map_err(reading(AUDIT))?;
        let items = rows
            .into_iter()
            .map(|row| AuditRow { seq: row.seq.cast_unsigned(), at: UnixMs(row.at), entry: to_entry(row) })
            .collect();
        Ok(Page { items, next_cursor, total })
    }

    /// Walks the log and returns how many lines were ever written, when every line that is in the
    /// database is as it was written. Those before it: [`Store::verify_audit_archive`].
    ///
    /// # Errors
    /// [`AuditBroken`] names the first line that is not.
    pub async fn verify_audit(&self) -> Result<u64, AuditBroken> {
        loop {
            let base = self.audit_base().await?;
            match self.walk_audit(&base).await {
                // Lines moved into a file while they were walked.
                Err(_) if self.audit_base().await? != base => {}
                walked => return walked,
            }
        }
    }

    async fn walk_audit(&self, base: &Base) -> Result<u64, AuditBroken> {
        let written = settings::value(self.read(), HEAD).await?.and_then(|t| t.parse().ok()).unwrap_or(0_u64);
        let (mut before, mut last) = (base.hash.clone(), base.seq.cast_signed());
        loop {
            let rows = audit::Entity::find()
                .filter(audit::Column::Seq.gt(last))
                .order_by_asc(audit::Column::Seq)
                .limit(BATCH)
                .all(self.read())
                .await
                .map_err(reading(AUDIT))?;
            if rows.is_empty() {
                break;
            }
            for row in rows {
                let (seq, at, hash) = (row.seq, row.at, row.hash.clone());
                let entry = to_entry(row);
                if seq != last + 1 || hash != seal(&before, seq, at, &entry) {
                    return Err(AuditBroken::Changed { seq: seq.cast_unsigned() });
                }
                before = hash;
                last = seq;
            }
        }
        let found = last.cast_unsigned();
        // More than written down: lines were added while we walked.
        if found < written { Err(AuditBroken::CutOff { found, written }) } else { Ok(found) }
    }

    /// Returns the `count` oldest lines, when at least `keep` newer ones stay; else nothing.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn oldest_audit(&self, count: u64, keep: u64) -> Result<Vec<SealedRow>, StoreError> {
        let there = audit::Entity::find().count(self.read()).await.map_err(reading(AUDIT))?;
        if there < count.saturating_add(keep.max(1)) {
            return Ok(Vec::new());
        }
        let oldest = audit::Entity::find().order_by_asc(audit::Column::Seq).limit(count);
        let rows = oldest.all(self.read()).await.map_err(reading(AUDIT))?;
        let sealed = |mut row: audit::Model| {
            let (seq, at, hash) = (row.seq.cast_unsigned(), UnixMs(row.at), std::mem::take(&mut row.hash));
            SealedRow { row: AuditRow { seq, at, entry: to_entry(row) }, hash }
        };
        Ok(rows.into_iter().map(sealed).collect())
    }

    /// Removes all lines up to `last`, which are on disk elsewhere; the chain goes on from it.
    /// A line that is not `last` any more is left, with all before it.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn forget_audit_through(&self, last: &SealedRow) -> Result<bool, StoreError> {
        let transaction = self.write(Turn::Audit, AUDIT).await?;
        let seq = last.row.seq.cast_signed();
        let there = audit::Entity::find_by_id(seq).one(&transaction).await.map_err(reading(AUDIT))?;
        if there.is_none_or(|row| row.hash != last.hash) {
            return Ok(false);
        }
        audit::Entity::delete_many()
            .filter(audit::Column::Seq.lte(seq))
            .exec(&transaction)
            .await
            .map_err(writing(AUDIT))?;
        let base = Base { seq: last.row.seq, hash: last.hash.clone() };
        settings::set_value(&transaction, BASE, base.to_text()).await?;
        commit(transaction, AUDIT).await?;
        Ok(true)
    }

    pub(crate) async fn audit_base(&self) -> Result<Base, StoreError> {
        let text = settings::value(self.read(), BASE).await?;
        Ok(text.and_then(|text| Base::from_text(&text)).unwrap_or_default())
    }
}

/// Every field with its length before it, so that no two entries read the same.
pub(crate) fn seal(before: &[u8], seq: i64, at: i64, entry: &AuditEntry) -> Vec<u8> {
    let mut hash = Sha256::new();
    hash.update(b"loge audit 1");
    let mut field = |bytes: Option<&[u8]>| match bytes {
        Some(bytes) => {
            hash.update([1]);
            hash.update((bytes.len() as u64).to_be_bytes());
            hash.update(bytes);
        }
        None => hash.update([0]),
    };
    field(Some(before));
    field(Some(&seq.to_be_bytes()));
    field(Some(&at.to_be_bytes()));
    field(Some(entry.actor.as_bytes()));
    field(Some(entry.action.as_bytes()));
    field(entry.target.as_deref().map(str::as_bytes));
    field(Some(entry.result.as_bytes()));
    field(entry.address.as_deref().map(str::as_bytes));
    hash.finalize().to_vec()
}

fn clean(entry: AuditEntry) -> AuditEntry {
    AuditEntry {
        actor: clean_text(&entry.actor),
        action: clean_text(&entry.action),
        target: entry.target.as_deref().map(clean_text),
        result: clean_text(&entry.result),
        address: entry.address.as_deref().map(clean_text),
    }
}

/// Nothing that moves a cursor, starts a line or turns the direction of writing.
fn clean_text(text: &str) -> String {
    let harmless = |c: char| {
        let turns =
            matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}');
        if c.is_control() || turns { '\u{fffd}' } else { c }
    };
    text.chars().take(MAX_FIELD_CHARS).map(harmless).collect()
}

fn to_entry(row: audit::Model) -> AuditEntry {
    AuditEntry { actor: row.actor, action: row.action, target: row.target, result: row.result, address: row.address }
}
