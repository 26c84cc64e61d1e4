//! SQLite's own file calls, some of which fail on demand: the system's calls with a layer that a
//! full or a broken disk would put there. It becomes the default of this test program, so that
//! the store opens its files through it without knowing.

#![expect(unsafe_code, reason = "SQLite takes tables of C functions")]

use libsqlite3_sys::{
    SQLITE_FULL, SQLITE_IOERR_FSYNC, SQLITE_IOERR_TRUNCATE, SQLITE_IOERR_WRITE, SQLITE_OK, sqlite3_file,
    sqlite3_filename, sqlite3_int64, sqlite3_io_methods, sqlite3_vfs, sqlite3_vfs_find, sqlite3_vfs_register,
};
use std::{
    collections::HashMap,
    ffi::{CStr, c_int, c_void},
    path::Path,
    sync::{Arc, LazyLock, Mutex, OnceLock},
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Call {
    Write,
    Sync,
    Truncate,
}

/// What the failing call answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Errno {
    NoSpace,
    Io,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lasts {
    /// Only this one call fails.
    Once,
    /// It and all that follow, until [`Disk::heal`].
    Until,
}

#[derive(Debug, Clone, Copy)]
struct Fault {
    call: Call,
    errno: Errno,
    lasts: Lasts,
    /// Calls that still work.
    left: u32,
}

#[derive(Default)]
struct State {
    fault: Option<Fault>,
    failed: u32,
}

/// The disk under one folder.
#[derive(Clone)]
pub struct Disk(Arc<Mutex<State>>);

impl Disk {
    /// Everything opened below `folder` from now on goes through this disk.
    pub fn under(folder: &Path) -> Self {
        install();
        let disk = Self(Arc::default());
        DISKS.lock().unwrap().push((folder.to_str().unwrap().to_owned(), disk.clone()));
        disk
    }

    /// Lets the `n`th call of this kind fail, counted from 1.
    pub fn fail(&self, n: u32, call: Call, errno: Errno, lasts: Lasts) {
        *self.0.lock().unwrap() = State { fault: Some(Fault { call, errno, lasts, left: n - 1 }), failed: 0 };
    }

    /// Returns how many calls failed since [`Disk::fail`]; none fails any more.
    pub fn heal(&self) -> u32 {
        let mut state = self.0.lock().unwrap();
        state.fault = None;
        state.failed
    }

    fn strikes(&self, call: Call) -> Option<Errno> {
        let mut state = self.0.lock().unwrap();
        let fault = state.fault.as_mut().filter(|f| f.call == call)?;
        if fault.left > 0 {
            fault.left -= 1;
            return None;
        }
        let (errno, lasts) = (fault.errno, fault.lasts);
        if lasts == Lasts::Once {
            state.fault = None;
        }
        state.failed += 1;
        Some(errno)
    }
}

static DISKS: Mutex<Vec<(String, Disk)>> = Mutex::new(Vec::new());
/// By the address of SQLite's file object: its disk, and the system's own calls for it.
static FILES: LazyLock<Mutex<HashMap<usize, (Disk, sqlite3_io_methods)>>> = LazyLock::new(Mutex::default);
/// The layer over each of the system's tables (files with and without locks have their own), by address.
static LAYERS: LazyLock<Mutex<HashMap<usize, usize>>> = LazyLock::new(Mutex::default);
/// Address of the system's table.
static SYSTEM: OnceLock<usize> = OnceLock::new();

fn install() {
    SYSTEM.get_or_init(|| {
        // SAFETY: the default table exists for the life of the process, and so does its copy.
        unsafe {
            let system = sqlite3_vfs_find(std::ptr::null());
            let mut layer = *system;
            layer.zName = c"faulty".as_ptr();
            layer.pNext = std::ptr::null_mut();
            layer.xOpen = Some(open);
            assert_eq!(sqlite3_vfs_register(Box::leak(Box::new(layer)), 1), SQLITE_OK);
            system as usize
        }
    });
}

fn file_of(file: *mut sqlite3_file) -> (Disk, sqlite3_io_methods) {
    FILES.lock().unwrap().get(&(file as usize)).cloned().expect("opened by this layer")
}

unsafe extern "C" fn open(
    _: *mut sqlite3_vfs,
    name: sqlite3_filename,
    file: *mut sqlite3_file,
    flags: c_int,
    out: *mut c_int,
) -> c_int {
    // SAFETY: SQLite hands over what its own table takes; `file` is filled in by that call.
    unsafe {
        let vfs = *SYSTEM.get().expect("installed") as *mut sqlite3_vfs;
        let done = (*vfs).xOpen.unwrap()(vfs, name, file, flags, out);
        if done != SQLITE_OK || name.is_null() || (*file).pMethods.is_null() {
            return done;
        }
        let path = CStr::from_ptr(name).to_string_lossy();
        let disk = DISKS.lock().unwrap().iter().find(|(folder, _)| path.starts_with(folder)).map(|(_, d)| d.clone());
        if let Some(disk) = disk {
            let system = *(*file).pMethods;
            let layer = *LAYERS.lock().unwrap().entry((*file).pMethods as usize).or_insert_with(|| {
                let layer = sqlite3_io_methods {
                    xWrite: Some(write),
                    xSync: Some(sync),
                    xTruncate: Some(truncate),
                    xClose: Some(close),
                    ..system
                };
                Box::leak(Box::new(layer)) as *const sqlite3_io_methods as usize
            });
            FILES.lock().unwrap().insert(file as usize, (disk, system));
            (*file).pMethods = layer as *const sqlite3_io_methods;
        }
        done
    }
}

unsafe extern "C" fn write(file: *mut sqlite3_file, bytes: *const c_void, len: c_int, at: sqlite3_int64) -> c_int {
    let (disk, system) = file_of(file);
    let system = system.xWrite.unwrap();
    match disk.strikes(Call::Write) {
        // SAFETY: passed on as it came.
        None => unsafe { system(file, bytes, len, at) },
        Some(errno) => {
            // As the system does it: half is there before the room ends.
            // SAFETY: a shorter length of the same buffer.
            unsafe { system(file, bytes, len / 2, at) };
            match errno {
                Errno::NoSpace => SQLITE_FULL,
                Errno::Io => SQLITE_IOERR_WRITE,
            }
        }
    }
}

unsafe extern "C" fn sync(file: *mut sqlite3_file, flags: c_int) -> c_int {
    let (disk, system) = file_of(file);
    match disk.strikes(Call::Sync) {
        // SAFETY: passed on as it came.
        None => unsafe { system.xSync.unwrap()(file, flags) },
        Some(_) => SQLITE_IOERR_FSYNC,
    }
}

unsafe extern "C" fn truncate(file: *mut sqlite3_file, size: sqlite3_int64) -> c_int {
    let (disk, system) = file_of(file);
    match disk.strikes(Call::Truncate) {
        // SAFETY: passed on as it came.
        None => unsafe { system.xTruncate.unwrap()(file, size) },
        Some(_) => SQLITE_IOERR_TRUNCATE,
    }
}

unsafe extern "C" fn close(file: *mut sqlite3_file) -> c_int {
    let (_, system) = FILES.lock().unwrap().remove(&(file as usize)).expect("opened by this layer");
    // SAFETY: passed on as it came.
    unsafe { system.xClose.unwrap()(file) }
}
