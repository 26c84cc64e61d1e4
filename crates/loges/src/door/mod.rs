//! The door to a container engine: what may speak to the engine is root on that machine, so a
//! server in a container is not given the engine's socket but this one. The door lets through what
//! [`crate::runtime::docker`] asks for and nothing else, and only for containers of its own house.
//!
//! Deciding is in [`verbs`] and [`form`], both pure; [`house`] finds out whose door this is.
//! Costs: one question to the engine ahead of every verb on a container, three ahead of a create.

mod engine;
mod form;
mod house;
mod serve;
mod verbs;

pub use house::Whose;
pub use serve::{Door, DoorError, knock};

/// Put by the door on everything that is made through it; what does not carry it is not touched.
pub const LABEL_DOOR: &str = "loge.door";
/// Marks the container of a server: `loge.role=server`.
pub const LABEL_ROLE: (&str, &str) = ("loge.role", "server");

/// Why a request does not pass. The words are for the server's log and its owner.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("the engine door lets no {method} {path} through")]
    Verb { method: String, path: String },
    #[error("the engine door does not take {name} in the address of this request")]
    Query { name: String },
    #[error("the engine door does not know this container as one of its house")]
    Foreign,
    #[error("the engine door does not understand this request: {reason}")]
    Body { reason: String },
    #[error("the engine door makes no container with this {field}")]
    Form { field: String },
    #[error("the engine door shows {path} to no loge: a loge gets what its server has read-only, and its own socket")]
    Mount { path: String },
    #[error("the engine door makes no container of {image}, which is no worker image")]
    Image { image: String },
    #[error("the engine door cannot tell what this house may show: {reason}")]
    House { reason: String },
}
