//! How often one person may press play. Each press leaves an address that is remembered for six
//! hours, so without a brake one person could fill the memory.

use domain::{Code, Failure, UserId};
use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};
use tokio::time::Instant;

/// A person who looks for a film presses play some times in a row.
const AT_ONCE: u32 = 60;
/// A player that heals itself asks less often.
const ONE_MORE_AFTER: Duration = Duration::from_secs(1);

/// For each person, when they would have all presses back.
#[derive(Debug, Default)]
pub struct PlayBrake(Mutex<HashMap<UserId, Instant>>);

impl PlayBrake {
    /// # Errors
    /// `too_many_attempts` with the time to wait.
    pub fn press(&self, user: &UserId) -> Result<(), Failure> {
        let now = Instant::now();
        let mut full_at = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        full_at.retain(|_, at| *at > now);
        let then = full_at.get(user).copied().unwrap_or(now) + ONE_MORE_AFTER;
        let ahead = then.duration_since(now);
        let most = ONE_MORE_AFTER * AT_ONCE;
        if ahead > most {
            return Err(Failure::of(Code::TooManyAttempts).retry_after(ahead.saturating_sub(most)));
        }
        full_at.insert(user.clone(), then);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn presses_come_back_with_time_and_each_person_has_their_own() {
        let brake = PlayBrake::default();
        let (one, two) = (UserId::from_random([1; 16]), UserId::from_random([2; 16]));
        for _ in 0..AT_ONCE {
            brake.press(&one).unwrap();
        }
        let refused = brake.press(&one).unwrap_err();
        assert_eq!((refused.code, refused.retry_after), (Code::TooManyAttempts, Some(ONE_MORE_AFTER)));
        brake.press(&two).unwrap();
        tokio::time::advance(ONE_MORE_AFTER).await;
        brake.press(&one).unwrap();
        assert!(brake.press(&one).is_err());
        tokio::time::advance(ONE_MORE_AFTER * AT_ONCE).await;
        brake.press(&two).unwrap();
        assert_eq!(brake.0.lock().unwrap().len(), 1, "who has all presses back is forgotten");
    }
}
