//! The engine's own news: whether it is there, and what becomes of containers with our label.

use super::{News, docker::DockerRuntime, docker_body::LABEL_INSTALL};
use bollard::{Docker, query_parameters::EventsOptionsBuilder};
use domain::InstallId;
use futures_util::{Stream, StreamExt};
use std::{collections::HashMap, pin::Pin, time::Duration};
use tokio::{
    sync::mpsc,
    time::{sleep, timeout},
};
use tracing::{info, warn};

/// An engine that answers at all answers this.
const PING: Duration = Duration::from_secs(2);
/// An engine that hangs keeps its connections open and says nothing: it is asked every so often.
const PING_EVERY: Duration = Duration::from_secs(10);
/// One missed answer may be the machine's; so many in a row are the engine's.
const MISSES: usize = 3;
/// How often an engine that is away is looked for; one connect to a Unix socket each.
const AWAY_POLL: Duration = Duration::from_millis(500);

/// Never ends by itself.
pub async fn tell(engine: &DockerRuntime, install: &InstallId, news: &mpsc::Sender<News>) {
    let mut away = false;
    loop {
        let listening = match engine.engine().await {
            Ok(docker) => listen(&docker, install).await.map(|events| (docker, events)),
            Err(_) => None,
        };
        if let Some((docker, mut events)) = listening {
            if std::mem::take(&mut away) {
                // What the owner reads about it is true again, and it may be another engine.
                let _ = engine.examine().await;
                info!("the container engine is back");
                let _ = news.send(News::Back).await;
            }
            let heard = async {
                while let Some(()) = events.next().await {
                    let _ = news.send(News::Changed).await;
                }
            };
            tokio::select! {
                () = heard => {}
                () = falls_silent(|| answers(&docker)) => {}
            }
        }
        engine.line.hang_up().await;
        if !std::mem::replace(&mut away, true) {
            // The owner reads from now on what is wrong.
            match engine.examine().await {
                Ok(()) => away = false,
                Err(e) => warn!("the container engine went away: {e}"),
            }
        }
        sleep(AWAY_POLL).await;
    }
}

async fn answers(docker: &Docker) -> bool {
    timeout(PING, docker.ping()).await.is_ok_and(|answer| answer.is_ok())
}

/// Ends when `answers` was asked in vain so often in a row.
async fn falls_silent<F: Future<Output = bool>>(answers: impl Fn() -> F) {
    loop {
        sleep(PING_EVERY).await;
        let mut missed = 0;
        while missed < MISSES && !answers().await {
            missed += 1;
        }
        if missed == MISSES {
            return;
        }
    }
}

/// One `()` for each piece of news; ends when the connection does. `None` when nobody answers.
/// What an event says is not believed: it only says when to look.
async fn listen(docker: &Docker, install: &InstallId) -> Option<Pin<Box<dyn Stream<Item = ()> + Send>>> {
    answers(docker).await.then_some(())?;
    let filters = HashMap::from([
        ("type", vec!["container".to_owned()]),
        ("label", vec![format!("{LABEL_INSTALL}={install}")]),
        ("event", ["create", "die", "oom", "destroy", "rename", "update"].map(str::to_owned).to_vec()),
    ]);
    let options = EventsOptionsBuilder::new().filters(&filters).build();
    let events = docker.events(Some(options));
    Some(Box::pin(events.take_while(|event| std::future::ready(event.is_ok())).map(drop)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[tokio::test(start_paused = true)]
    async fn one_missed_answer_is_nothing_and_three_in_a_row_are_silence() {
        let asked = AtomicUsize::new(0);
        // Answers, misses twice, answers, and then no more.
        let silent_from = 4;
        let answers = || {
            let n = asked.fetch_add(1, Ordering::Relaxed);
            std::future::ready(n < silent_from && n != 1 && n != 2)
        };
        falls_silent(answers).await;
        assert_eq!(asked.load(Ordering::Relaxed), silent_from + MISSES);
    }
}
