//! The room through its public door, with scripted workers in place of real ones: what happens
//! when they behave, when they do not, and when they cannot be started.

mod evil;
mod faults;
mod house;
mod lending;
mod life;
mod manners;
mod walls;
