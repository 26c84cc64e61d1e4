//! What ffprobe does not say of a file, added to its answer: whether a key is missing, whether its
//! tracks are compressed once more, and when its last packet comes where the headers cannot be
//! believed.

use crate::{
    extent,
    probe_json::{ADDED, MAX_CHAPTERS},
    walk::{self, Locks},
};
use serde_json::{Value, json};

/// ffprobe's answer about a file of `size` bytes, with what was read besides. What is no answer of
/// its kind stays as it is.
pub fn added_to(answer: Vec<u8>, locks: Locks, size: u64, mut read: impl FnMut(u64, &mut [u8]) -> usize) -> Vec<u8> {
    let Ok(Value::Object(mut root)) = serde_json::from_slice(&answer) else { return answer };
    let Some(format) = root.get("format").and_then(Value::as_object) else { return answer };
    let number = |name: &str| format.get(name).and_then(Value::as_str).and_then(|text| text.parse::<f64>().ok());
    let start_s = number("start_time").unwrap_or(0.0).max(0.0);
    let length_s = number("duration").map(|end_s| if end_s > start_s { end_s - start_s } else { end_s });
    let is_cut = extent::declared_length(size, &mut read).is_some_and(|declared| extent::is_cut(declared, size));
    let is_doubtful = is_cut || length_s.is_none_or(|length_s| walk::is_absurd(size, length_s));
    let end_s = if is_doubtful { walk::last_packet_ms(size, read).map(|ms| ms as f64 / 1000.0) } else { None };
    if let Some(chapters) = root.get_mut("chapters").and_then(Value::as_array_mut) {
        chapters.truncate(MAX_CHAPTERS);
    }
    let added = json!({
        "protected": locks.protected,
        "compressed": locks.compressed,
        "end_s": end_s,
        // A file that says how long it is and holds no packet is not whole yet.
        "empty": is_cut && end_s.is_none(),
    });
    root.insert(ADDED.to_owned(), added);
    serde_json::to_vec(&Value::Object(root)).unwrap_or(answer)
}
