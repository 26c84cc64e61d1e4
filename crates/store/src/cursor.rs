//! Where a page ended, as text that means nothing to anybody else. It names the last row by all
//! it is sorted by, so rows that come or go meanwhile neither repeat nor hide others.

use crate::error::StoreError;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Serialize, de::DeserializeOwned};

const MAX_LEN: usize = 4096;

pub(crate) fn write(place: &impl Serialize) -> Option<String> {
    serde_json::to_vec(place).ok().map(|json| URL_SAFE_NO_PAD.encode(json))
}

pub(crate) fn read<T: DeserializeOwned>(text: &str) -> Result<T, StoreError> {
    if text.len() > MAX_LEN {
        return Err(StoreError::BadCursor);
    }
    let json = URL_SAFE_NO_PAD.decode(text).map_err(|_| StoreError::BadCursor)?;
    serde_json::from_slice(&json).map_err(|_| StoreError::BadCursor)
}
