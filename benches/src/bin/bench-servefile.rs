//! A peer: the file behind axum and tower-http's `ServeFile`, as most Rust servers would do it.
//! Arguments: listen address, file.

use axum::Router;
use tower_http::services::ServeFile;

#[tokio::main(worker_threads = 2)]
async fn main() -> std::io::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let (Some(listen), Some(file)) = (arguments.next(), arguments.next()) else {
        return Err(std::io::Error::other("arguments: LISTEN FILE"));
    };
    let app = Router::new().route_service("/file", ServeFile::new(file));
    axum::serve(tokio::net::TcpListener::bind(listen).await?, app).await
}
