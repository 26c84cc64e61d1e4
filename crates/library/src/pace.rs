//! How hard background work presses while people watch. Pure, but for asking who does.

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

/// Asks how many people watch now.
type Viewers = Box<dyn Fn() -> u32 + Send + Sync>;

/// Cloning shares it.
#[derive(Clone, Default)]
pub(crate) struct Pace(Arc<OnceLock<Viewers>>);

/// No rest is longer, so that the end of watching is noticed soon.
const LONGEST_REST: Duration = Duration::from_secs(10);

impl Pace {
    pub(crate) fn yield_to(&self, viewers: impl Fn() -> u32 + Send + Sync + 'static) {
        // The first one stays: there is one house.
        let _ = self.0.set(Box::new(viewers));
    }

    /// Returns how long to leave the disk and the processor to viewers after work that took so long.
    pub(crate) fn rest_after(&self, took: Duration) -> Duration {
        rest(took, self.0.get().map_or(0, |viewers| viewers()))
    }
}

/// Leaves a quarter of the time to background work while people watch.
fn rest(took: Duration, viewers: u32) -> Duration {
    if viewers == 0 { Duration::ZERO } else { (took * 3).min(LONGEST_REST) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_rests_while_people_watch_and_never_for_long() {
        let (second, hour) = (Duration::from_secs(1), Duration::from_secs(3600));
        assert_eq!((rest(second, 0), rest(second, 1), rest(hour, 9)), (Duration::ZERO, 3 * second, LONGEST_REST));
        let pace = Pace::default();
        assert_eq!(pace.rest_after(second), Duration::ZERO);
        pace.yield_to(|| 2);
        assert_eq!(pace.rest_after(second), 3 * second);
    }
}
