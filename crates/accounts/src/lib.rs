//! Who somebody is, and for how long.
//!
//! Owns: passwords and their hashes, sign-ins, access and refresh tokens, stream tickets,
//! invitations, the setup code, and the brakes on guessing.
//! Promises: a password is hashed off the async threads, two at once at most; a sign-in that is
//! ended is refused by the next request; a wrong name costs what a wrong password costs; nothing
//! secret is stored or logged in a form that could be used.
//! Never here: cookies and headers, SQL, rights to libraries.

mod accounts;
mod argon;
mod device;
mod keys;
mod passwords;
mod people;
mod sessions;
mod setup;
mod signing;
mod throttle;
mod tickets;
mod tokens;

pub use accounts::{Accounts, OpenAccountsError, Peer, Principal, SignedIn};
pub use device::{Device, DeviceSecret, read_device_secret};
pub use keys::KeyError;
pub use passwords::HashCost;
pub use sessions::{ACCESS_TOKEN_MS, REFRESH_GRACE_MS, SESSION_MAX_MS, check_person};
pub use tickets::{TICKET_MAX_MS, TicketClaims};
