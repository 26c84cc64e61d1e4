//! The calls, one file per resource.

pub mod admin;
pub mod ahead;
pub mod auth;
pub mod events;
pub mod hls;
pub mod houses;
pub mod libraries;
pub mod me;
pub mod next;
pub mod play;
pub mod playability;
pub mod prepare;
pub mod progress;
pub mod storyboards;
pub mod stream;
pub mod subtitles;
pub mod titles;

use crate::routes::Routes;

/// Every route of the house.
pub fn all() -> Routes {
    let routes = Routes::new();
    let routes = houses::routes(routes);
    let routes = auth::routes(routes);
    let routes = me::routes(routes);
    let routes = libraries::routes(routes);
    let routes = titles::routes(routes);
    let routes = play::routes(routes);
    let routes = playability::routes(routes);
    let routes = prepare::routes(routes);
    let routes = progress::routes(routes);
    let routes = stream::routes(routes);
    let routes = subtitles::routes(routes);
    let routes = storyboards::routes(routes);
    let routes = hls::routes(routes);
    let routes = events::routes(routes);
    admin::routes(routes)
}
