//! CPU, memory and threads of a process and everything below it, from `/proc`. Costs a few small
//! reads per process and never blocks on a disk.

use crate::words::Usage;
use std::{fs, time::Instant};

/// Remembers the last reading, since CPU time only means something between two of them.
#[derive(Debug, Default)]
pub struct Meter {
    last: Option<(Instant, u64)>,
}

impl Meter {
    /// `None` when the process is gone.
    pub fn read(&mut self, root: u32) -> Option<Usage> {
        let mut sum = Sample::default();
        // Bounded, so that a fork bomb cannot keep us walking.
        let mut todo = vec![root];
        let mut seen = 0;
        while let Some(pid) = todo.pop() {
            seen += 1;
            if seen > 4096 {
                break;
            }
            let Some(sample) = fs::read_to_string(format!("/proc/{pid}/stat")).ok().and_then(|text| parse(&text))
            else {
                if pid == root {
                    return None;
                }
                continue;
            };
            sum.add(&sample);
            for task in fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten() {
                let children = fs::read_to_string(task.path().join("children")).unwrap_or_default();
                todo.extend(children.split_whitespace().filter_map(|pid| pid.parse::<u32>().ok()));
            }
        }
        let now = Instant::now();
        let cpu_percent = match self.last.replace((now, sum.ticks)) {
            Some((then, ticks)) => percent(sum.ticks.saturating_sub(ticks), now.duration_since(then).as_secs_f64()),
            None => 0.0,
        };
        let page = rustix::param::page_size() as u64;
        Some(Usage { cpu_percent, memory_bytes: sum.pages * page, pids: sum.threads, throttled_percent: None })
    }
}

fn percent(ticks: u64, seconds: f64) -> f64 {
    let per_second = rustix::param::clock_ticks_per_second() as f64;
    if seconds > 0.0 { ticks as f64 / per_second / seconds * 100.0 } else { 0.0 }
}

#[derive(Debug, Default, PartialEq)]
struct Sample {
    ticks: u64,
    pages: u64,
    threads: u32,
}

impl Sample {
    fn add(&mut self, other: &Self) {
        self.ticks += other.ticks;
        self.pages += other.pages;
        self.threads += other.threads;
    }
}

/// Fields of `/proc/PID/stat` after the name, which may hold blanks and brackets.
fn parse(stat: &str) -> Option<Sample> {
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let number = |at: usize| fields.get(at)?.parse::<u64>().ok();
    // Counted from field 3 (state): utime 14, stime 15, cutime 16, cstime 17, threads 20, rss 24.
    let ticks = (11..=14).filter_map(number).sum();
    Some(Sample { ticks, threads: u32::try_from(number(17)?).ok()?, pages: number(21)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_with_brackets_do_not_shift_the_fields() {
        let line = "42 (a) b) S 1 42 42 0 -1 4194560 100 0 0 0 7 3 2 1 20 0 4 0 9999 123456 250 18446744073709551615";
        assert_eq!(parse(line), Some(Sample { ticks: 13, pages: 250, threads: 4 }));
        assert_eq!(parse("42 (x"), None);
        assert_eq!(parse("42 (x) S 1"), None);
    }

    #[test]
    fn our_own_process_has_a_size() {
        let mut meter = Meter::default();
        let first = meter.read(std::process::id()).unwrap();
        assert!(first.memory_bytes > 1 << 20 && first.pids >= 1, "{first:?}");
        assert!(meter.read(std::process::id()).unwrap().cpu_percent >= 0.0);
        assert_eq!(meter.read(u32::MAX), None);
    }
}
