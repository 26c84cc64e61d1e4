//! A real file system that really runs full: a tmpfs, where this machine lets a test mount one.

use crate::subject::Subject;
use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::Command,
};

struct Mounted(PathBuf);

impl Mounted {
    #[expect(clippy::disallowed_methods, reason = "a test mounts its own disk")]
    fn new(at: &Path, bytes: u32) -> Option<Self> {
        fs::create_dir_all(at).unwrap();
        let size = format!("size={bytes}");
        let done = Command::new("mount").args(["-t", "tmpfs", "-o", &size, "none"]).arg(at).output();
        done.is_ok_and(|o| o.status.success()).then(|| Self(at.to_owned()))
    }
}

impl Drop for Mounted {
    #[expect(clippy::disallowed_methods, reason = "a test unmounts its own disk")]
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).output();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_was_full_for_a_while_costs_no_acknowledged_write() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("disk");
    let Some(mounted) = Mounted::new(&folder, 3 << 20) else {
        eprintln!("skipped: this machine does not let a test mount a tmpfs");
        return;
    };
    let file = folder.join("loge.db");
    for twin in [false, true] {
        let file = if twin { folder.join("twin.db") } else { file.clone() };
        let subject = if twin { Subject::twin(&file).await } else { Subject::loge(&file).await };
        let (mut acknowledged, mut refused, mut n) = (Vec::new(), 0, 0);
        for round in 0..4 {
            // Fills the disk to its last byte, and keeps it full until some writes were refused.
            let filler = folder.join("filler");
            let mut fill = fs::File::create(&filler).unwrap();
            while fill.write_all(&[0; 4096]).is_ok() {}
            let until = refused + 20;
            for _ in 0..1500 {
                if refused >= until {
                    break;
                }
                n += 1;
                if subject.write(n).await { acknowledged.push(n) } else { refused += 1 }
            }
            drop(fill);
            fs::remove_file(&filler).unwrap();
            for _ in 0..20 {
                n += 1;
                let whole = subject.write(n).await;
                assert!(whole || twin, "round {round}: there is room again");
                if whole {
                    acknowledged.push(n);
                }
            }
        }
        let mut lost = 0;
        for n in &acknowledged {
            lost += u32::from(!subject.reads(*n).await);
        }
        let risen = subject.after_a_kill(&file, &dir.path().join("risen")).await;
        for n in &acknowledged {
            lost += u32::from(!risen.reads(*n).await);
        }
        risen.close().await;
        subject.close().await;
        // The twin says yes to everything after its first failure.
        assert!(refused >= if twin { 1 } else { 20 }, "the disk was never full");
        // The twin is the control: on the same disk the driver's pool alone loses rows.
        assert_eq!(lost > 0, twin, "{lost} of {} lost", acknowledged.len());
    }
    drop(mounted);
}
