//! The blocks of a film, one after the other, without what is in them.

use super::{Film, Sure};
use crate::{
    hls::tables::Unsure,
    walk::{
        be,
        ebml::{self, id},
    },
};

const BROKEN: Unsure = Unsure("a block that cannot be read");
const TIMESTAMP: u32 = 0xe7;
const REFERENCE: u32 = 0xfb;
/// What lies between clusters or inside them and holds no frames.
const PASSED_OVER: [u32; 10] =
    [id::VOID, id::CRC, 0xab, 0xa7, 0x5854, id::CUES, id::TAGS, id::SEEK_HEAD, id::CHAPTERS, id::ATTACHMENTS];
const MAX_IN_GROUP: usize = 16;
/// Elements without frames in a row.
const MAX_PASSED: usize = 256;
/// Identifier and length of an element, and a block's own head.
const HEAD: usize = 32;

pub(super) struct Block {
    /// Where the element lies that holds it.
    pub(super) head: u64,
    pub(super) track: u64,
    /// In units of the segment.
    pub(super) time: i64,
    pub(super) key: bool,
    pub(super) laced: bool,
    /// The frame.
    pub(super) at: u64,
    pub(super) end: u64,
    /// The element behind it.
    pub(super) next: u64,
}

/// Goes from element to element; clusters are entered.
pub(super) struct Blocks {
    at: u64,
    end: u64,
    cluster_time: i64,
}

impl Blocks {
    /// From an element on, inside a cluster of that time or before one.
    pub(super) const fn new(at: u64, cluster_time: i64, end: u64) -> Self {
        Self { at, end, cluster_time }
    }

    pub(super) const fn cluster_time(&self) -> i64 {
        self.cluster_time
    }

    /// `None` at the end of the film.
    pub(super) fn next<R, S>(&mut self, film: &mut Film<R, S>) -> Sure<Option<Block>>
    where
        R: FnMut(u64, &mut [u8]) -> usize,
        S: FnMut(u64, u64),
    {
        for _ in 0..MAX_PASSED {
            if self.at >= self.end {
                return Ok(None);
            }
            let head = self.at;
            let element = ebml::head(film.up_to(head, HEAD)?).ok_or(BROKEN)?;
            let body = head + element.length;
            if element.id == id::CLUSTER {
                self.at = body;
                continue;
            }
            let end = element.size.and_then(|size| body.checked_add(size)).ok_or(BROKEN)?;
            if end > self.end {
                return Err(Unsure("a block that does not end in the film"));
            }
            self.at = end;
            match element.id {
                TIMESTAMP => self.cluster_time = time(film, body, end)?,
                id::SIMPLE_BLOCK => return self.block(film, head, (body, end), end, None).map(Some),
                id::BLOCK_GROUP => return self.group(film, head, body, end).map(Some),
                kind if PASSED_OVER.contains(&kind) => {}
                _ => return Err(Unsure("an element of an unknown kind")),
            }
        }
        Err(Unsure("a long way without frames"))
    }

    fn group<R, S>(&self, film: &mut Film<R, S>, head: u64, from: u64, end: u64) -> Sure<Block>
    where
        R: FnMut(u64, &mut [u8]) -> usize,
        S: FnMut(u64, u64),
    {
        let (mut at, mut block, mut refers) = (from, None, false);
        for _ in 0..MAX_IN_GROUP {
            if at >= end {
                break;
            }
            let element = ebml::head(film.up_to(at, HEAD)?).ok_or(BROKEN)?;
            let body = at + element.length;
            let next = element.size.and_then(|size| body.checked_add(size)).filter(|to| *to <= end).ok_or(BROKEN)?;
            match element.id {
                id::BLOCK if block.is_none() => block = Some((body, next)),
                id::BLOCK => return Err(BROKEN),
                REFERENCE => refers = true,
                _ => {}
            }
            at = next;
        }
        if at < end {
            return Err(BROKEN);
        }
        self.block(film, head, block.ok_or(BROKEN)?, end, Some(!refers))
    }

    fn block<R, S>(
        &self,
        film: &mut Film<R, S>,
        head: u64,
        (body, end): (u64, u64),
        next: u64,
        key: Option<bool>,
    ) -> Sure<Block>
    where
        R: FnMut(u64, &mut [u8]) -> usize,
        S: FnMut(u64, u64),
    {
        let (track, relative, flags, length) = ebml::block(film.up_to(body, HEAD)?).ok_or(BROKEN)?;
        let at = body + length as u64;
        if at > end {
            return Err(BROKEN);
        }
        let time = self.cluster_time + i64::from(relative);
        if time < 0 {
            return Err(Unsure("a block before the film's start"));
        }
        Ok(Block { head, track, time, key: key.unwrap_or(flags & 0x80 != 0), laced: flags & 6 != 0, at, end, next })
    }
}

/// Where the content of the cluster at `at` begins, and its time.
pub(super) fn cluster<R, S>(film: &mut Film<R, S>, at: u64) -> Sure<(u64, i64)>
where
    R: FnMut(u64, &mut [u8]) -> usize,
    S: FnMut(u64, u64),
{
    let cluster = ebml::head(film.up_to(at, HEAD)?).filter(|head| head.id == id::CLUSTER);
    let content = at + cluster.ok_or(Unsure("a cue that points elsewhere"))?.length;
    let mut at = content;
    for _ in 0..MAX_IN_GROUP {
        let element = ebml::head(film.up_to(at, HEAD)?).ok_or(BROKEN)?;
        let body = at + element.length;
        let end = element.size.and_then(|size| body.checked_add(size)).ok_or(BROKEN)?;
        match element.id {
            TIMESTAMP => return Ok((content, time(film, body, end)?)),
            kind if PASSED_OVER.contains(&kind) => at = end,
            _ => break,
        }
    }
    Err(Unsure("a cluster that does not begin with its time"))
}

fn time<R, S>(film: &mut Film<R, S>, at: u64, end: u64) -> Sure<i64>
where
    R: FnMut(u64, &mut [u8]) -> usize,
    S: FnMut(u64, u64),
{
    let length = usize::try_from(end - at).ok().filter(|n| *n <= 8).ok_or(BROKEN)?;
    let bytes = if length == 0 { &[][..] } else { &film.get(at, length)?[..length] };
    // A thousand years of milliseconds, so that no sum overflows.
    i64::try_from(be(bytes)).ok().filter(|time| *time < 1 << 45).ok_or(Unsure("an absurd time"))
}
