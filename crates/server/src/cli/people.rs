//! People of the house from the command line: the way back in for an owner who lost their
//! password. Whoever can read the data folder owns the house already.

use super::{say, upkeep};
use base::{Bus, Clock, SystemClock};
use clap::Subcommand;
use serde_json::json;
use server::Config;
use std::{io::BufRead, sync::Arc};
use store::AsIs;

#[derive(Debug, Subcommand)]
pub(crate) enum UserVerb {
    /// List the people of the house
    List,
    /// Give a person a new password, read from standard input; all their sign-ins end
    SetPassword { username: String },
}

pub(crate) async fn run(config: &Config, verb: UserVerb, json: bool) -> anyhow::Result<()> {
    let store = upkeep::open(config, AsIs::Exact).await?;
    match verb {
        UserVerb::List => {
            for user in store.users().await? {
                say(&if json {
                    json!({ "id": user.id.as_str(), "username": user.username, "role": user.role.as_str(), "disabled": user.disabled })
                        .to_string()
                } else {
                    let off = if user.disabled { " (switched off)" } else { "" };
                    format!("{}  {}  {}{off}", user.id, user.role, user.username)
                });
            }
        }
        UserVerb::SetPassword { username } => {
            let keys = domain::people::username_keys(&username);
            let Some((user, _)) = store.user_by_keys(&keys).await? else {
                anyhow::bail!("there is nobody called {username}")
            };
            let mut password = String::new();
            std::io::stdin().lock().read_line(&mut password)?;
            let clock: Arc<dyn Clock> = Arc::new(SystemClock);
            let dirs = base::Dirs::open(&config.data_dir)?;
            let accounts = accounts::Accounts::open(store.clone(), clock, Bus::new(), &dirs.keys()).await?;
            accounts.recover_password(&user.id, password.trim_end_matches(['\r', '\n'])).await?;
            say(&if json { json!({ "changed": true }).to_string() } else { format!("{username} has a new password") });
        }
    }
    store.close().await;
    Ok(())
}
