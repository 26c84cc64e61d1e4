//! What the owner sees and steers.

pub mod alerts;
pub mod audit;
pub mod backups;
pub mod cache;
pub mod capacity;
pub mod containers;
pub mod folders;
pub mod images;
pub mod invites;
pub mod jobs;
pub mod logs;
pub mod names;
pub mod night_shift;
pub mod quarantine;
pub mod renditions;
pub mod runtime;
pub mod sessions;
pub mod settings;
pub mod streams;
pub mod users;
pub mod vitals;

use crate::routes::Routes;

pub fn routes(routes: Routes) -> Routes {
    let routes = users::routes(routes);
    let routes = invites::routes(routes);
    let routes = sessions::routes(routes);
    let routes = streams::routes(routes);
    let routes = containers::routes(routes);
    let routes = vitals::routes(routes);
    let routes = capacity::routes(routes);
    let routes = jobs::routes(routes);
    let routes = renditions::routes(routes);
    let routes = night_shift::routes(routes);
    let routes = cache::routes(routes);
    let routes = alerts::routes(routes);
    let routes = audit::routes(routes);
    let routes = logs::routes(routes);
    let routes = settings::routes(routes);
    let routes = names::routes(routes);
    let routes = backups::routes(routes);
    let routes = folders::routes(routes);
    let routes = quarantine::routes(routes);
    let routes = images::routes(routes);
    runtime::routes(routes)
}
