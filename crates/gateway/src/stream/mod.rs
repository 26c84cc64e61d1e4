//! How film bytes leave the house: worker → Unix stream → pipe → TCP, by `splice`, below an
//! unmodified hyper.
//!
//! hyper never needs to see film bytes. It needs body frames of the right length and an IO
//! object that writes. [`body::RegionBody`] yields slices of a memory region that nobody may
//! read ([`marker`]); [`io::SpliceIo`] recognises their address and moves the real bytes from
//! the connection's current [`source::Source`]. Keep-alive, pipelining, HEAD and parsing all
//! stay hyper's.
//!
//! Promises: exactly the announced bytes or a reset, never zeros and never a clean end that is
//! too short; one connection carries at most one unfinished source; a worker that is late, a
//! viewer that stalls and a right that was taken away each end the connection.
//! Never on these routes: a layer that touches body bytes (compression, digests, buffering).

pub mod body;
pub mod deadline;
pub mod io;
pub mod kept;
pub mod marker;
pub mod pace;
pub mod pipes;
pub mod shelf;
pub mod source;
mod tempo;

pub use body::{PortableBody, RegionBody};
pub use io::{IoLimits, SpliceIo};
pub use pace::{Pace, Wire};
pub use source::{Flow, Lease, Meter, Slot, Source};
