//! The one recorder of the process. Alone in its program, so that no other test counts with it.

mod common;

use common::{house::TestHouse, until_async};

#[tokio::test]
async fn the_gateway_keeps_its_recorder_up_and_counts_no_stranger() {
    let house = TestHouse::start().await;
    let scrape = async || house.call("GET", "/metrics", "authorization: Bearer scrape-me\r\n", None).await.text();
    let figure = async |name: &str| {
        let text = scrape().await;
        let line = text.lines().find_map(|line| line.strip_prefix(name).map(str::to_string));
        line.map_or(0, |line| line.trim().parse::<u64>().unwrap())
    };
    until_async("the first upkeep", async || figure("loge_metrics_upkeep_total ").await > 0).await;
    let known = figure("loge_http_seconds_count ").await;
    for _ in 0..50 {
        assert_eq!(house.call("GET", "/api/v1/me", "", None).await.status, 401);
    }
    let after = figure("loge_http_seconds_count ").await;
    assert!(after < known + 50, "refused strangers are not measured: {known} became {after}");
    for _ in 0..50 {
        let scraped = house.call("GET", "/metrics", "authorization: Bearer scrape-me\r\n", None).await;
        assert_eq!(scraped.status, 200);
    }
    assert!(figure("loge_http_seconds_count ").await >= after + 50, "control: others are");

    let at_rest = figure("loge_server_tasks ").await;
    let tasks: Vec<_> = (0..50).map(|_| tokio::spawn(std::future::pending::<()>())).collect();
    // Connections of earlier requests may end meanwhile.
    assert!(figure("loge_server_tasks ").await > at_rest + 30, "tasks that never end are counted");
    tasks.iter().for_each(tokio::task::JoinHandle::abort);
    until_async("their end", async || figure("loge_server_tasks ").await < at_rest + 20).await;
}
