//! An engine that answers and cannot build every wall, as one on a kernel without a controller for
//! memory: the same permission is asked for as with process sandboxes. The engine is a script.

use domain::{InstallId, LogeLimits, Tenant, UserId};
use loges::{
    RuntimeChoice,
    link::PeerSlot,
    runtime::{Runtime, RuntimeError, StartSpec, docker::DockerRuntime},
};
use std::path::Path;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{UnixListener, UnixStream},
};

/// Says about itself what a real one says, and makes no container.
async fn answer(mut stream: UnixStream, has_memory_limit: bool) -> std::io::Result<()> {
    let mut asked = Vec::new();
    while !asked.windows(4).any(|end| end == b"\r\n\r\n") {
        if stream.read_buf(&mut asked).await? == 0 {
            return Ok(());
        }
    }
    let head = String::from_utf8_lossy(&asked).into_owned();
    let path = head.split(' ').nth(1).unwrap_or_default();
    let (status, body) = if path.ends_with("/version") {
        ("200 OK", r#"{"Version":"29.1.0","ApiVersion":"1.44","MinAPIVersion":"1.24"}"#.to_owned())
    } else if path.ends_with("/info") {
        let about = serde_json::json!({
            "ServerVersion": "29.1.0",
            "SecurityOptions": ["name=seccomp,profile=builtin"],
            "MemoryLimit": has_memory_limit,
            "CpuCfsQuota": true,
            "PidsLimit": true,
        });
        ("200 OK", about.to_string())
    } else if path.contains("/images/") {
        ("200 OK", r#"{"Id":"sha256:00"}"#.to_owned())
    } else {
        ("404 Not Found", r#"{"message":"there is none"}"#.to_owned())
    };
    let answer = format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(answer.as_bytes()).await
}

fn engine(dir: &Path, has_memory_limit: bool) -> DockerRuntime {
    let socket = dir.join("engine.sock");
    let listener = UnixListener::bind(&socket).unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(answer(stream, has_memory_limit));
        }
    });
    let host = format!("unix://{}", socket.display());
    DockerRuntime::new(Some(&host), "loge-worker:latest", RuntimeChoice::Docker).unwrap()
}

fn spec(allows_reduced: bool) -> StartSpec {
    StartSpec {
        install: InstallId::from_random([1; 16]),
        tenant: Tenant::User(UserId::from_random([2; 16])),
        generation: 1,
        spec_hash: String::new(),
        limits: LogeLimits::DEFAULT,
        mounts: Vec::new(),
        chip: None,
        socket: "/nowhere".into(),
        nonce: [0; 32],
        slot: 1,
        allows_reduced,
        peer: PeerSlot::default(),
    }
}

#[tokio::test]
async fn f1_an_engine_that_lacks_a_wall_starts_nothing_without_permission() {
    // With permission, or with all walls, a container is asked for; this engine makes none.
    for (has_memory_limit, allows_reduced) in [(false, false), (false, true), (true, false), (true, true)] {
        let dir = tempfile::tempdir().unwrap();
        let engine = engine(dir.path(), has_memory_limit);
        engine.examine().await.unwrap();
        let outcome = engine.start(spec(allows_reduced)).await.unwrap_err();
        match outcome {
            RuntimeError::WallsMissing { missing } => {
                assert_eq!((missing, has_memory_limit, allows_reduced), (vec!["memory".to_owned()], false, false));
            }
            RuntimeError::Refused { verb: "create a container", .. } => assert!(has_memory_limit || allows_reduced),
            other => panic!("{other}"),
        }
    }
}
