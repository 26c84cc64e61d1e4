//! Limits, hit for real. Last of all, because each leaves the machine a little out of breath.

use crate::{
    Site, Verdicts,
    raw::{self, End, fork, in_child, kill, wait},
};
use rustix::process::{Resource, getrlimit};
use std::{fs::File, io::Write, time::Duration};

const GROUP: &str = "limits";
const PATIENCE: Duration = Duration::from_secs(60);
const MIB: usize = 1 << 20;

pub fn all(site: &Site, verdicts: &mut Verdicts) {
    for (name, resource, most) in [
        ("dumps core", Resource::Core, 0),
        ("locks much memory", Resource::Memlock, 64 << 10),
        ("opens more than 512 files", Resource::Nofile, 512),
        ("writes larger files than 64 MiB", Resource::Fsize, 64 << 20),
        ("fills message queues", Resource::Msgqueue, 0),
    ] {
        let limit = getrlimit(resource);
        let highest = limit.current.max(limit.maximum);
        let above = limit.current.is_none_or(|n| n > most) || limit.maximum.is_none_or(|n| n > most);
        verdicts.add(GROUP, name, above, format!("{highest:?}"));
    }
    let mut child = |name: &str, work: &dyn Fn() -> bool| {
        let end = in_child(PATIENCE, || u8::from(!work()));
        verdicts.add(GROUP, name, end == End::Code(0), format!("{end:?}"));
    };
    child("50 MiB of memory", &|| touch(50 * MIB));
    child("600 MiB of memory", &|| touch(600 * MIB));
    child("600 descriptors", &|| (0..600).map(|_| File::open("/dev/null")).collect::<Result<Vec<_>, _>>().is_ok());
    child("20 files in work", &|| files(site, 20));
    child("2000 files in work", &|| files(site, 2000));
    child("a file of 1 MiB in work", &|| fill(site, 1));
    child("a file of 80 MiB in work", &|| fill(site, 80));
    // The limit ends a writer before it can tidy up.
    let _ = std::fs::remove_file(site.work.join("large"));
    verdicts_of_processes(verdicts, 20);
    verdicts_of_processes(verdicts, 200);
}

/// Every page of it, so that it is there for real.
fn touch(bytes: usize) -> bool {
    let mut block: Vec<u8> = Vec::new();
    if block.try_reserve_exact(bytes).is_err() {
        return false;
    }
    block.resize(bytes, 1);
    std::hint::black_box(&block).iter().step_by(4096).all(|byte| *byte == 1)
}

fn files(site: &Site, most: usize) -> bool {
    let path = |n: usize| site.work.join(format!("file-{n}"));
    let made = (0..most).take_while(|n| File::create(path(*n)).is_ok()).count();
    for n in 0..made {
        let _ = std::fs::remove_file(path(n));
    }
    made == most
}

fn fill(site: &Site, mib: usize) -> bool {
    let path = site.work.join("large");
    let block = vec![1_u8; MIB];
    let filled = File::create(&path).and_then(|mut file| (0..mib).try_for_each(|_| file.write_all(&block)));
    let _ = std::fs::remove_file(&path);
    filled.is_ok()
}

fn verdicts_of_processes(verdicts: &mut Verdicts, most: usize) {
    let mut children = Vec::new();
    let mut why = 0;
    while children.len() < most {
        match fork() {
            Ok(None) => {
                std::thread::sleep(PATIENCE);
                raw::end(0)
            }
            Ok(Some(pid)) => children.push(pid),
            Err(error) => {
                why = error;
                break;
            }
        }
    }
    let made = children.len();
    for child in children {
        let _ = kill(child, libc::SIGKILL);
        let _ = wait(child, PATIENCE);
    }
    verdicts.add(GROUP, format!("{most} processes"), made == most, format!("{made}, then error {why}"));
}
