//! argon2id whose memory goes back to the machine.
//!
//! Each hash works in a buffer of 19 MiB. Allocated as usual, such buffers end up in the allocator's
//! arenas, one for each thread that ever hashed, and stay there: hundreds of megabytes after an
//! evening of sign-ins. Buffers here are of a size that glibc always maps by itself and unmaps when
//! it is freed, and one is used again while others wait in line.

use crate::passwords::HashCost;
use argon2::{
    Algorithm, Argon2, Block, Params, Version,
    password_hash::{
        self,
        phc::{Output, ParamsString, PasswordHash, Salt},
    },
};
use std::sync::{Mutex, PoisonError};

/// glibc raises the size from which it maps by itself up to 32 MiB, depending on what was freed.
/// What is not touched of a mapping takes no memory.
const ALWAYS_MAPPED: usize = (32 << 20) / Block::SIZE + 1024;

/// Buffers that wait for the next hash.
#[derive(Default)]
pub(crate) struct Memory(Mutex<Vec<Vec<Block>>>);

impl Memory {
    /// Returns a new hash in the PHC form.
    pub(crate) fn hash(&self, cost: HashCost, password: &[u8], salt: &[u8]) -> Result<String, password_hash::Error> {
        let params = params(cost)?;
        let salt = Salt::new(salt)?;
        let hash = PasswordHash {
            algorithm: Algorithm::Argon2id.ident(),
            version: Some(Version::V0x13.into()),
            params: ParamsString::try_from(&params)?,
            salt: Some(salt),
            hash: Some(self.output(&params, Version::V0x13, password, &salt, Params::DEFAULT_OUTPUT_LEN)?),
        };
        Ok(hash.to_string())
    }

    /// Returns whether this is the password of a hash. What is no hash of ours has none.
    pub(crate) fn is_right(&self, password: &[u8], hash: &str) -> bool {
        let checked = || {
            let hash = PasswordHash::new(hash).ok()?;
            let (salt, expected) = (hash.salt?, hash.hash?);
            if hash.algorithm != Algorithm::Argon2id.ident() {
                return None;
            }
            let version = hash.version.map_or(Ok(Version::V0x13), Version::try_from).ok()?;
            let params = Params::try_from(&hash).ok()?;
            let found = self.output(&params, version, password, &salt, expected.as_bytes().len()).ok()?;
            // `Output` compares without telling by its time where the difference is.
            Some(found == expected)
        };
        checked().unwrap_or(false)
    }

    fn output(
        &self,
        params: &Params,
        version: Version,
        password: &[u8],
        salt: &[u8],
        length: usize,
    ) -> Result<Output, password_hash::Error> {
        let mut buffer = self.take(params.block_count());
        let mut bytes = [0; Output::MAX_LENGTH];
        let out = bytes.get_mut(..length).ok_or(password_hash::Error::OutputSize)?;
        let argon = Argon2::new(Algorithm::Argon2id, version, params.clone());
        let hashed = argon.hash_password_into_with_memory(password, salt, out, buffer.as_mut_slice());
        self.lock().push(buffer);
        hashed?;
        Ok(Output::new(out)?)
    }

    fn take(&self, blocks: usize) -> Vec<Block> {
        let mut buffer = self.lock().pop().unwrap_or_default();
        if buffer.capacity() == 0 {
            buffer = Vec::with_capacity(blocks.max(ALWAYS_MAPPED));
        }
        if buffer.len() < blocks {
            buffer.resize(blocks, Block::default());
        }
        buffer
    }

    /// Gives the memory back to the machine, for when no caller waits for a hash.
    pub(crate) fn give_back(&self) {
        let buffers = std::mem::take(&mut *self.lock());
        drop(buffers);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Vec<Block>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(crate) fn params(cost: HashCost) -> Result<Params, password_hash::Error> {
    Params::new(cost.memory_kib, cost.passes, 1, None).map_err(|_| password_hash::Error::ParamsInvalid)
}

#[cfg(test)]
mod tests {
    use super::*;
    use argon2::{PasswordHasher, PasswordVerifier};
    use std::sync::Barrier;

    const CHEAP: HashCost = HashCost { memory_kib: 64, passes: 1 };

    /// The hashes of houses that are there already were made by the library's own calls.
    #[test]
    fn hashes_are_the_librarys_own() {
        let memory = Memory::default();
        let argon = Argon2::new(Algorithm::Argon2id, Version::V0x13, params(CHEAP).unwrap());
        let theirs = argon.hash_password_with_salt(b"correct horse", &[7; 16]).unwrap().to_string();
        let ours = memory.hash(CHEAP, b"correct horse", &[7; 16]).unwrap();
        assert_eq!(ours, theirs);
        assert!(memory.is_right(b"correct horse", &theirs) && !memory.is_right(b"correct horsf", &theirs));
        assert!(argon.verify_password(b"correct horse", ours.as_str()).is_ok());
        for bad in [
            "",
            "not a hash",
            "$argon2i$v=19$m=64,t=1,p=1$BwcHBwcHBwc$AAAAAAAAAAAAAAAAAAAAAA",
            "$argon2id$v=19$m=64,t=1,p=1",
        ] {
            assert!(!memory.is_right(b"correct horse", bad), "{bad}");
        }
    }

    /// A buffer may be used again after any hash: what it holds does not matter.
    #[test]
    fn a_used_buffer_hashes_as_a_fresh_one() {
        let memory = Memory::default();
        let dearer = HashCost { memory_kib: 256, passes: 2 };
        let fresh = Memory::default().hash(CHEAP, b"one", &[1; 16]).unwrap();
        memory.hash(dearer, b"another", &[2; 16]).unwrap();
        assert_eq!(memory.hash(CHEAP, b"one", &[1; 16]).unwrap(), fresh);
        assert_eq!(memory.lock().len(), 1, "the same buffer all along");
    }

    fn resident_mib() -> u64 {
        let text = std::fs::read_to_string("/proc/self/statm").unwrap();
        (text.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok()).unwrap() * 4096) >> 20
    }

    /// Four threads hash at the same time, twice, as blocking threads do over an evening, and stay.
    fn resident_after(work: impl Fn() + Sync) -> (u64, u64) {
        let before = resident_mib();
        let barrier = Barrier::new(5);
        let after = std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..2 {
                        barrier.wait();
                        work();
                    }
                    barrier.wait();
                    barrier.wait();
                });
            }
            for _ in 0..3 {
                barrier.wait();
            }
            let after = resident_mib();
            barrier.wait();
            after
        });
        (before, after)
    }

    #[test]
    fn memory_goes_back_to_the_machine() {
        let cost = HashCost { memory_kib: 19 * 1024, passes: 1 };
        let memory = Memory::default();
        let (before, after) = resident_after(|| {
            memory.hash(cost, b"correct horse", &[7; 16]).unwrap();
            memory.give_back();
        });
        assert!(after < before + 19, "{before} MiB before, {after} MiB after");
        let argon = Argon2::new(Algorithm::Argon2id, Version::V0x13, params(cost).unwrap());
        let (before, after) = resident_after(|| drop(argon.hash_password_with_salt(b"correct horse", &[7; 16])));
        assert!(after >= before + 19, "the control: {before} MiB before, {after} MiB after");
    }
}
