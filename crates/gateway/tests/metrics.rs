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
}
