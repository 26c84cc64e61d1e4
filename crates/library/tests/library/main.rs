//! Folders, disks and scans from outside.

mod disks;
mod house;
mod scans;
