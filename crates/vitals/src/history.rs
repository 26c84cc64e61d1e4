//! Past samples at three resolutions, all in memory and all bounded.

use crate::sample::Sample;
use base::UnixMs;
use std::{
    collections::{HashMap, VecDeque},
    time::Duration,
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HistoryRange {
    /// The last five minutes, every sample.
    Live,
    /// One hour in steps of ten seconds.
    Hour,
    /// One day in steps of two minutes.
    Day,
}

impl HistoryRange {
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "live" => Some(Self::Live),
            "1h" => Some(Self::Hour),
            "24h" => Some(Self::Day),
            _ => None,
        }
    }
}

/// Averages over one step, except the disk, which is the last value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct HistoryPoint {
    pub at: UnixMs,
    pub cpu_percent: f32,
    pub memory_bytes: u64,
    pub temperature_c: Option<f32>,
    pub net_rx_bps: u64,
    pub net_tx_bps: u64,
    pub disk_free_bytes: u64,
}

struct Ring {
    step: Duration,
    keep: usize,
    points: VecDeque<HistoryPoint>,
    gathering: Vec<HistoryPoint>,
}

impl Ring {
    fn new(step: Duration, span: Duration) -> Self {
        let keep = (span.as_millis() / step.as_millis().max(1)) as usize;
        Self { step, keep, points: VecDeque::new(), gathering: Vec::new() }
    }

    fn push(&mut self, point: HistoryPoint) {
        self.gathering.push(point);
        let began = self.gathering[0].at;
        // A clock that jumped back must not hold a step open for ever: its length is bounded too.
        let full = point.at.since(began) + 1 >= self.step.as_millis() as u64 || self.gathering.len() >= 600;
        if full {
            self.points.push_back(average(&self.gathering));
            self.gathering.clear();
            while self.points.len() > self.keep {
                self.points.pop_front();
            }
        }
    }
}

fn average(points: &[HistoryPoint]) -> HistoryPoint {
    let n = points.len() as f32;
    let mean = |f: fn(&HistoryPoint) -> u64| {
        (points.iter().map(|p| u128::from(f(p))).sum::<u128>() / points.len() as u128) as u64
    };
    let heat: Vec<f32> = points.iter().filter_map(|p| p.temperature_c).collect();
    let last = points[points.len() - 1];
    HistoryPoint {
        at: last.at,
        cpu_percent: points.iter().map(|p| p.cpu_percent).sum::<f32>() / n,
        memory_bytes: mean(|p| p.memory_bytes),
        temperature_c: (!heat.is_empty()).then(|| heat.iter().sum::<f32>() / heat.len() as f32),
        net_rx_bps: mean(|p| p.net_rx_bps),
        net_tx_bps: mean(|p| p.net_tx_bps),
        disk_free_bytes: last.disk_free_bytes,
    }
}

/// All three resolutions, filled at the same time.
pub struct Rings {
    live: Ring,
    hour: Ring,
    day: Ring,
}

impl Rings {
    pub fn new(interval: Duration) -> Self {
        const MINUTE: u64 = 60;
        Self {
            live: Ring::new(interval, Duration::from_secs(5 * MINUTE)),
            hour: Ring::new(interval.max(Duration::from_secs(10)), Duration::from_secs(60 * MINUTE)),
            day: Ring::new(Duration::from_secs(2 * MINUTE), Duration::from_secs(24 * 60 * MINUTE)),
        }
    }

    pub fn push(&mut self, sample: &Sample) {
        let point = HistoryPoint {
            at: sample.at,
            cpu_percent: sample.cpu_percent,
            memory_bytes: sample.memory.used_bytes,
            temperature_c: sample.temperature.celsius(),
            net_rx_bps: sample.network.rx_bps,
            net_tx_bps: sample.network.tx_bps,
            disk_free_bytes: sample.disks.first().map_or(0, |d| d.free_bytes),
        };
        self.add(point);
    }

    fn add(&mut self, point: HistoryPoint) {
        // The live ring keeps every sample whatever the clock says.
        self.live.points.push_back(point);
        while self.live.points.len() > self.live.keep {
            self.live.points.pop_front();
        }
        self.hour.push(point);
        self.day.push(point);
    }

    /// Days until the data disk is full at the pace of the last day.
    pub fn days_to_full(&self) -> Option<f64> {
        let (first, last) = (self.day.points.front()?, self.day.points.back()?);
        forecast(first, last)
    }

    /// The step between points, and the points, oldest first.
    pub fn range(&self, range: HistoryRange) -> (Duration, Vec<HistoryPoint>) {
        let ring = match range {
            HistoryRange::Live => &self.live,
            HistoryRange::Hour => &self.hour,
            HistoryRange::Day => &self.day,
        };
        (ring.step, ring.points.iter().copied().collect())
    }
}

/// A first scan fills a disk quickly and then no more: less than this says nothing of the days to come.
const FORECAST_MS: u64 = 23 * 3_600_000;
const DAY_MS: f64 = 86_400_000.0;
/// Farther away than this is no news.
const FORECAST_DAYS: f64 = 365.0;

fn forecast(first: &HistoryPoint, last: &HistoryPoint) -> Option<f64> {
    let span_ms = last.at.since(first.at);
    let used = first.disk_free_bytes.checked_sub(last.disk_free_bytes).filter(|used| *used > 0)?;
    let days = last.disk_free_bytes as f64 / used as f64 * (span_ms as f64 / DAY_MS);
    (span_ms >= FORECAST_MS && days <= FORECAST_DAYS).then_some(days)
}

/// What one loge takes, as it was measured outside.
#[derive(Debug, Clone, PartialEq)]
pub struct LogeUse {
    /// The tenant's id, or `house`.
    pub tenant: String,
    /// Of one core.
    pub cpu_percent: f64,
    pub memory_bytes: u64,
}

/// The rings of every loge that was seen within a day.
pub struct LogeRings {
    interval: Duration,
    rings: HashMap<String, (UnixMs, Rings)>,
}

/// More tenants than any household has.
const MOST_LOGES: usize = 64;

impl LogeRings {
    pub fn new(interval: Duration) -> Self {
        Self { interval, rings: HashMap::new() }
    }

    pub fn push(&mut self, at: UnixMs, loges: &[LogeUse]) {
        const DAY_MS: u64 = 86_400_000;
        self.rings.retain(|_, (seen, _)| at.since(*seen) < DAY_MS);
        for loge in loges {
            if self.rings.len() >= MOST_LOGES && !self.rings.contains_key(&loge.tenant) {
                continue;
            }
            let fresh = || (at, Rings::new(self.interval));
            let (seen, rings) = self.rings.entry(loge.tenant.clone()).or_insert_with(fresh);
            *seen = at;
            rings.add(HistoryPoint {
                at,
                cpu_percent: loge.cpu_percent as f32,
                memory_bytes: loge.memory_bytes,
                temperature_c: None,
                net_rx_bps: 0,
                net_tx_bps: 0,
                disk_free_bytes: 0,
            });
        }
    }

    /// As [`Rings::range`]; nothing for a loge that was not seen. What is not about a loge is zero.
    pub fn range(&self, tenant: &str, range: HistoryRange) -> (Duration, Vec<HistoryPoint>) {
        match self.rings.get(tenant) {
            Some((_, rings)) => rings.range(range),
            None => Rings::new(self.interval).range(range),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::{Disk, DiskRole, Memory, Network, ServerUse, Temperature};

    fn sample(at: i64, cpu: f32) -> Sample {
        Sample {
            at: UnixMs(at),
            cpu_percent: cpu,
            cpus: vec![],
            load1: 0.0,
            memory: Memory { total_bytes: 10, used_bytes: 4, available_bytes: 6 },
            temperature: Temperature::NoSensor,
            disks: vec![],
            hanging: vec![],
            network: Network::default(),
            server: ServerUse::default(),
        }
    }

    #[test]
    fn a_day_stays_small_and_averages_are_averages() {
        let mut rings = Rings::new(Duration::from_secs(2));
        for i in 0..43_200 {
            rings.push(&sample(i * 2000, if i % 2 == 0 { 0.0 } else { 100.0 }));
        }
        assert_eq!(rings.range(HistoryRange::Live).1.len(), 150);
        assert_eq!(rings.range(HistoryRange::Hour).1.len(), 360);
        let day = rings.range(HistoryRange::Day).1;
        assert!((600..=720).contains(&day.len()), "{}", day.len());
        assert!(day.iter().all(|p| (p.cpu_percent - 50.0).abs() < 2.0 && p.temperature_c.is_none()));
    }

    #[test]
    fn there_is_no_forecast_before_a_day_of_data() {
        let mut rings = Rings::new(Duration::from_secs(2));
        let disk = |free_bytes| Disk { mount: "/d".into(), role: DiskRole::Data, total_bytes: 1 << 40, free_bytes };
        let day = 720;
        for step in 0_u64..=day {
            let free = 1_000_000 - step * 100;
            let mut now = sample(step.cast_signed() * 120_000, 0.0);
            now.disks = vec![disk(free)];
            // A point of the day ring is two minutes long.
            for second in [0, 119_999] {
                now.at = UnixMs(step.cast_signed() * 120_000 + second);
                rings.push(&now);
            }
            if step < 690 {
                assert_eq!(rings.days_to_full(), None, "after {step} steps");
            }
        }
        let days = rings.days_to_full().unwrap();
        assert!((days - 928_000.0 / 72_000.0).abs() < 0.1, "{days}");
        let point = |at, disk_free_bytes| HistoryPoint { at: UnixMs(at), disk_free_bytes, ..average_of_nothing() };
        assert_eq!(forecast(&point(0, 100), &point(86_400_000, 100)), None, "it is not filling up");
        assert_eq!(forecast(&point(0, 100), &point(86_400_000, 50)), Some(1.0));
        assert_eq!(forecast(&point(0, 1_000_000), &point(86_400_000, 999_999)), None, "in thousands of years");
    }

    fn average_of_nothing() -> HistoryPoint {
        HistoryPoint {
            at: UnixMs(0),
            cpu_percent: 0.0,
            memory_bytes: 0,
            temperature_c: None,
            net_rx_bps: 0,
            net_tx_bps: 0,
            disk_free_bytes: 0,
        }
    }

    #[test]
    fn a_clock_that_jumps_back_only_bends_the_line() {
        let mut rings = Rings::new(Duration::from_secs(2));
        for i in 0..2000 {
            rings.push(&sample(1_000_000 - i * 2000, 1.0));
        }
        assert!(!rings.range(HistoryRange::Hour).1.is_empty());
    }

    #[test]
    fn every_loge_has_a_history_of_its_own_until_it_is_gone_for_a_day() {
        let mut rings = LogeRings::new(Duration::from_secs(2));
        let uses = |tenant: &str, cpu_percent| LogeUse { tenant: tenant.into(), cpu_percent, memory_bytes: 7 };
        for n in 0..10 {
            rings.push(UnixMs(n * 2000), &[uses("ana", 10.0), uses("house", n as f64)]);
        }
        let live = |rings: &LogeRings, tenant| rings.range(tenant, HistoryRange::Live).1;
        assert_eq!(live(&rings, "ana").len(), 10);
        assert!(live(&rings, "ana").iter().all(|p| p.cpu_percent == 10.0 && p.memory_bytes == 7));
        assert_eq!(live(&rings, "house")[9].cpu_percent, 9.0);
        assert_eq!(live(&rings, "bo"), []);
        rings.push(UnixMs(86_400_000 + 18_000), &[uses("house", 1.0)]);
        assert_eq!(live(&rings, "ana"), []);
        for n in 0..100 {
            rings.push(UnixMs(86_420_000), &[uses(&n.to_string(), 1.0)]);
        }
        assert_eq!(rings.rings.len(), MOST_LOGES);
    }
}
