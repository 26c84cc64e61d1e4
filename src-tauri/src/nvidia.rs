//! WebKitGTK shows a black window with NVIDIA's own driver unless one of its renderers is
//! switched off. Only there: elsewhere the switch makes everything slower.

use std::path::Path;

const SWITCH: &str = "WEBKIT_DISABLE_DMABUF_RENDERER";

/// Call first thing in `main`.
#[expect(unsafe_code, reason = "setting an environment variable is only sound before other threads exist, as here")]
pub fn work_around_black_window() {
    if Path::new("/proc/driver/nvidia/version").exists() && std::env::var_os(SWITCH).is_none() {
        // SAFETY: called as the first statement of `main`, so this is the only thread.
        unsafe { std::env::set_var(SWITCH, "1") };
    }
}
