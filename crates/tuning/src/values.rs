//! The values Loge recommends, each in one place. `deploy/tuning/*.sh` hold the same ones; a test
//! runs them beside [`apply`](crate::apply()) and compares.

/// Lets reads pass writes. bfq costs an old processor more than it gives an SSD.
pub const SSD_SCHEDULER: &str = "mq-deadline";
/// An NVMe drive has queues of its own.
pub const NVME_SCHEDULER: &str = "none";
/// Covers about a second of a film per jump of the head.
pub const HDD_READ_AHEAD_KB: u64 = 1024;
/// The kernel's own value, below which an SSD gets needlessly small requests.
pub const SSD_READ_AHEAD_KB: u64 = 128;

pub const QUEUE: &str = "fq_codel";
/// Queues that share fairly between connections; each may stay.
pub const FAIR_QUEUES: &[&str] = &["fq_codel", "fq", "cake"];
pub const CONGESTION: &str = "bbr";
pub const SLOW_START_AFTER_IDLE: &str = "0";
/// What the worker asks for on the socket to the gateway.
pub const SOCKET_SEND_BUFFER_BYTES: u64 = 524_288;
/// Least, first and most bytes that a TCP connection has on its way.
pub const TCP_SEND_BUFFERS: &str = "4096 16384 4194304";
pub const TCP_SEND_BUFFER_MOST_BYTES: u64 = 4_194_304;

/// For swap on a disk.
pub const SWAPPINESS_DISK: u64 = 10;
/// For swap in compressed memory.
pub const SWAPPINESS_COMPRESSED: u64 = 100;
pub const CACHE_PRESSURE: u64 = 50;
/// Unwritten bytes at which the kernel begins to write.
pub const DIRTY_BACKGROUND_BYTES: u64 = 64 << 20;
/// Unwritten bytes at which programs have to wait.
pub const DIRTY_BYTES: u64 = 256 << 20;
/// Machines with at most this much memory gain from zram.
pub const ZRAM_BELOW_BYTES: u64 = 8 << 30;

/// Governors that follow the load, best first.
pub const GOVERNORS: &[&str] = &["schedutil", "ondemand"];

pub const WATCHES: u64 = 524_288;
pub const WATCH_INSTANCES: u64 = 512;
pub const WATCH_EVENTS: u64 = 65_536;
pub const OPEN_FILES_IN_ALL: u64 = 262_144;
/// The hard limit of one process below which viewers may be turned away.
pub const OPEN_FILES: u64 = 4096;

/// Every sysctl that is looked at.
pub const SYSCTLS: &[&str] = &[
    "net.core.default_qdisc",
    "net.ipv4.tcp_congestion_control",
    "net.ipv4.tcp_slow_start_after_idle",
    "net.core.wmem_max",
    "net.ipv4.tcp_wmem",
    "vm.swappiness",
    "vm.vfs_cache_pressure",
    "vm.dirty_background_bytes",
    "vm.dirty_background_ratio",
    "vm.dirty_bytes",
    "vm.dirty_ratio",
    "fs.inotify.max_user_watches",
    "fs.inotify.max_user_instances",
    "fs.inotify.max_queued_events",
    "fs.file-max",
];
