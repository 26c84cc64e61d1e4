//! Judging and tuning at the room's door: on copies of machines, and on this one.

mod cuts;
mod hosts;
mod judging;
mod kernel;
mod scripts;
mod there_and_back;
mod this_machine;
