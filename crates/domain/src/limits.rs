//! What one loge may take from the machine.

/// Limits of one loge. The defaults are the promise of the house: 512 MB and half a core.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct LogeLimits {
    /// Hard memory limit in bytes; swap is never added on top.
    pub memory_bytes: u64,
    /// Thousandths of one CPU: 500 is half a core.
    pub cpu_millis: u32,
    /// Processes and threads.
    pub pids: u32,
}

impl LogeLimits {
    pub const DEFAULT: Self = Self { memory_bytes: 512 << 20, cpu_millis: 500, pids: 128 };

    /// The house loge probes and makes posters for everyone, one job at a time.
    pub const HOUSE: Self = Self { memory_bytes: 1 << 30, cpu_millis: 1000, pids: 128 };

    /// Refuses limits under which a worker cannot live or that no machine of ours has.
    pub fn checked(self) -> Result<Self, BadLimits> {
        if !(64 << 20..=64 << 30).contains(&self.memory_bytes) {
            return Err(BadLimits::Memory);
        }
        if !(100..=64_000).contains(&self.cpu_millis) {
            return Err(BadLimits::Cpu);
        }
        if !(16..=4096).contains(&self.pids) {
            return Err(BadLimits::Pids);
        }
        Ok(self)
    }

    pub fn cpus(self) -> f64 {
        f64::from(self.cpu_millis) / 1000.0
    }
}

impl Default for LogeLimits {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// A limit outside what a loge can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadLimits {
    #[error("memory lies between 64 MiB and 64 GiB")]
    Memory,
    #[error("CPU lies between 0.1 and 64 cores")]
    Cpu,
    #[error("the process limit lies between 16 and 4096")]
    Pids,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_refuse_the_impossible() {
        assert_eq!(LogeLimits::DEFAULT.checked(), Ok(LogeLimits::DEFAULT));
        assert_eq!(LogeLimits { memory_bytes: 1, ..LogeLimits::DEFAULT }.checked(), Err(BadLimits::Memory));
        assert_eq!(LogeLimits { cpu_millis: 0, ..LogeLimits::DEFAULT }.checked(), Err(BadLimits::Cpu));
        assert_eq!(LogeLimits { pids: 1, ..LogeLimits::DEFAULT }.checked(), Err(BadLimits::Pids));
    }
}
