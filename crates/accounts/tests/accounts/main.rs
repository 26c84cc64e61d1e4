//! Signing in and everything that can go wrong with it, on a real store and a clock that is
//! moved by hand.

extern crate loge_accounts as accounts;

mod devices;
mod house;
mod people;
mod resets;
mod sign_in;
mod tickets;
mod tokens;
