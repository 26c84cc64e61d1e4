//! Processor time that some people's loges leave unused, for the loge that could use more. What a
//! loge has of its own is never touched: only what comes on top is given and taken back.

use std::time::Duration;

/// A loge as it was over the last moment. Everything is in thousandths of a core.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lodger {
    pub own: u32,
    pub lent: u32,
    /// `None` where nobody counts: then it is taken to use all that is its own.
    pub used: Option<u32>,
    /// The share of its time slices in which it was held back, in per cent.
    pub held_back: u32,
    /// For how long it has done with its own; `None` when it never needed more.
    pub content_for: Option<Duration>,
    /// Whether it may be lent to. The house's own work can wait.
    pub borrows: bool,
    /// Somebody has just pressed play or sought: it is about to use what it can get.
    pub expected: bool,
}

/// What a loge that woke up may use before anything is taken back for it.
pub const RESERVE: u32 = 100;
/// Somebody who does with their own for this long needs nothing on top.
pub const KEPT_FOR: Duration = Duration::from_secs(2);
/// Smaller changes are not worth a call to the engine.
const STEP: u32 = 50;
const LEAST: u32 = 100;

impl Lodger {
    /// Whether it would use more if it had more.
    pub fn needs_more(&self) -> bool {
        let Some(used) = self.used else { return false };
        let allowed = self.own.saturating_add(self.lent);
        let uses = |percent: u32| u64::from(used) * 100 >= u64::from(allowed) * u64::from(percent);
        let uses_what_is_lent = self.lent > 0 && u64::from(used) * 100 >= u64::from(self.own) * 85;
        self.borrows && (self.expected || uses_what_is_lent || uses(85) || (self.held_back >= 25 && uses(50)))
    }

    /// Whether it would rather keep what it is lent, or have more.
    pub fn borrows_now(&self) -> bool {
        self.needs_more() || self.stays()
    }

    fn stays(&self) -> bool {
        self.borrows && self.used.is_some() && self.lent > 0 && self.content_for.is_some_and(|t| t < KEPT_FOR)
    }

    /// What it takes of the house, or may take without asking.
    fn holds(&self, borrower: bool, reserve: u32) -> u32 {
        match self.used {
            Some(used) if !borrower => used.saturating_add(reserve).min(self.own),
            _ => self.own,
        }
    }
}

/// What each loge is lent from now on, in the same order. Whatever is lent and held together never
/// exceeds what the loges have of their own, nor `ceiling`. What somebody comes to need is taken
/// back at once; more is lent only when `settled` says that nothing was taken back lately.
pub fn lend(lodgers: &[Lodger], ceiling: u32, settled: bool) -> Vec<u32> {
    let borrowers: Vec<bool> = lodgers.iter().map(Lodger::borrows_now).collect();
    let count = borrowers.iter().filter(|b| **b).count();
    let Some(count) = u32::try_from(count).ok().filter(|count| *count > 0) else { return vec![0; lodgers.len()] };
    let all = lodgers.iter().map(|l| l.own).fold(0, u32::saturating_add).min(ceiling);
    let held = |reserve| lodgers.iter().zip(&borrowers).map(|(l, b)| l.holds(*b, reserve)).fold(0, u32::saturating_add);
    let part = all.saturating_sub(held(RESERVE)) / count / STEP * STEP;
    let part = if part < LEAST { 0 } else { part };
    let next = lodgers.iter().zip(&borrowers).map(|(lodger, borrower)| match lodger.lent {
        _ if !borrower => 0,
        lent if lent >= part.saturating_add(2 * LEAST) => part,
        lent if settled && lent.saturating_add(LEAST) <= part => part,
        lent => lent,
    });
    let next: Vec<u32> = next.collect();
    if next.iter().copied().fold(0, u32::saturating_add) <= all.saturating_sub(held(0)) {
        return next;
    }
    // The reserve is used up: everybody is back to their part.
    next.into_iter().map(|lent| lent.min(part)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const CEILING: u32 = 3600;

    fn idle(used: u32) -> Lodger {
        Lodger { own: 500, lent: 0, used: Some(used), held_back: 0, content_for: None, borrows: true, expected: false }
    }
    fn busy(lent: u32) -> Lodger {
        Lodger { used: Some(500 + lent), held_back: 80, lent, content_for: Some(Duration::ZERO), ..idle(0) }
    }
    fn check(lodgers: &[Lodger], settled: bool, expected: &[u32]) {
        assert_eq!(lend(lodgers, CEILING, settled), expected, "{lodgers:?}");
    }

    #[test]
    fn what_the_idle_leave_goes_to_the_busy() {
        check(&[], true, &[]);
        check(&[idle(0), idle(200)], true, &[0, 0]);
        check(&[busy(0)], true, &[0]); // nobody is there to lend
        check(&[busy(0), idle(20)], true, &[350, 0]);
        check(&[busy(0), idle(20), idle(20), idle(20)], true, &[1100, 0, 0, 0]);
        check(&[busy(0), busy(0), idle(0), idle(0)], true, &[400, 400, 0, 0]);
        check(&[busy(0), busy(0)], true, &[0, 0]);
    }

    #[test]
    fn the_machine_is_the_limit_where_it_is_smaller() {
        let seven = [busy(0), idle(0), idle(0), idle(0), idle(0), idle(0), idle(0)];
        assert_eq!(lend(&seven, 1800, true)[0], 700);
        assert_eq!(lend(&seven, 1100, true)[0], 0, "what others may wake up for is left");
        let all_busy = [busy(0); 8];
        assert_eq!(lend(&all_busy, CEILING, true), [0; 8]);
    }

    #[test]
    fn the_house_lends_and_never_borrows_and_who_is_not_counted_does_neither() {
        let house = Lodger { own: 1000, borrows: false, ..idle(0) };
        check(&[Lodger { used: Some(1000), held_back: 100, ..house }, idle(0)], true, &[0, 0]);
        check(&[house, busy(0)], true, &[0, 900]);
        let unknown = Lodger { used: None, lent: 300, ..busy(0) };
        check(&[unknown, idle(0)], true, &[0, 0]);
        check(&[Lodger { lent: 0, ..unknown }, busy(0)], true, &[0, 0]);
    }

    #[test]
    fn contention_takes_back_at_once_and_little_noise_does_not() {
        check(&[busy(350), idle(20)], true, &[350, 0]);
        check(&[busy(350), idle(140)], true, &[350, 0]); // within the reserve
        check(&[busy(350), idle(160)], true, &[200, 0]);
        check(&[busy(350), idle(450)], true, &[0, 0]);
        check(&[busy(350), busy(0)], true, &[0, 0]);
        check(&[busy(1100), busy(0), idle(0), idle(0)], true, &[400, 400, 0, 0]); // fairly, and both
        check(&[busy(1100), busy(0), idle(0), idle(0)], false, &[400, 0, 0, 0]);
    }

    #[test]
    fn who_is_about_to_work_need_not_have_begun() {
        let expected = |lodger: Lodger| Lodger { expected: true, ..lodger };
        check(&[expected(idle(0)), idle(20)], true, &[350, 0]);
        check(&[expected(idle(0)), busy(400)], true, &[0, 0]); // both need all of their own
        check(&[expected(idle(0)), idle(20)], false, &[0, 0]);
        check(&[Lodger { used: None, ..expected(idle(0)) }, idle(0)], true, &[0, 0]);
        check(&[Lodger { borrows: false, ..expected(idle(0)) }, idle(0)], true, &[0, 0]);
    }

    #[test]
    fn more_is_lent_when_it_has_settled() {
        check(&[busy(100), idle(20)], false, &[100, 0]);
        check(&[busy(100), idle(20)], true, &[350, 0]);
        check(&[busy(300), idle(20)], true, &[300, 0]); // too little to speak of
    }

    #[test]
    fn who_is_content_gives_back_after_a_while() {
        let content =
            |secs| Lodger { used: Some(100), held_back: 0, content_for: Some(Duration::from_secs(secs)), ..busy(350) };
        check(&[content(1), idle(20)], true, &[350, 0]);
        check(&[content(2), idle(20)], true, &[0, 0]);
        // Held back for a moment without using much is no need.
        check(&[Lodger { used: Some(100), held_back: 30, ..idle(0) }, idle(0)], true, &[0, 0]);
        check(&[Lodger { used: Some(300), held_back: 30, ..idle(0) }, idle(0)], true, &[400, 0]);
    }

    /// Whoever wakes, works and rests, in whatever order: what is held and lent fits.
    #[test]
    fn the_sum_is_never_above_the_ceiling() {
        let mut chance = 0x9e37_79b9_7f4a_7c15_u64;
        let mut roll = |below: u32| {
            chance ^= chance << 13;
            chance ^= chance >> 7;
            chance ^= chance << 17;
            u32::try_from(chance % u64::from(below)).unwrap()
        };
        let mut lodgers: Vec<Lodger> =
            (0..6).map(|n| Lodger { own: 300 + 100 * n, borrows: n > 0, ..idle(0) }).collect();
        let mut most = 0;
        for _ in 0..50_000 {
            for lodger in &mut lodgers {
                let allowed = lodger.own + lodger.lent;
                lodger.used = (roll(30) > 0).then(|| if roll(2) == 0 { roll(100) } else { roll(allowed + 1) });
                lodger.held_back = roll(101);
                lodger.expected = roll(4) == 0;
                lodger.content_for = Some(Duration::from_millis(u64::from(roll(4000))));
            }
            let next = lend(&lodgers, 2500, roll(2) == 0);
            let sum: u32 = next.iter().sum();
            let all = lodgers.iter().map(|l| l.own).sum::<u32>().min(2500);
            let held: u32 =
                lodgers.iter().map(|l| if l.needs_more() { l.own } else { l.used.unwrap_or(l.own).min(l.own) }).sum();
            assert!(sum == 0 || sum + held <= all, "{sum} + {held} > {all}: {lodgers:?} {next:?}");
            most = most.max(sum);
            for (lodger, lent) in lodgers.iter_mut().zip(next) {
                lodger.lent = lent;
            }
        }
        assert!(most > 1000, "control: {most} was lent at most");
    }
}
