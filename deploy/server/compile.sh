#!/bin/sh
# Compiles the four programs into /programs, inside the build stage of the Dockerfile beside it.
set -eu
PATH="/opt/node/bin:$PATH"
machine="$(uname -m)"
apt-get update
apt-get install -y --no-install-recommends pkg-config libavformat-dev libavcodec-dev libswscale-dev libavutil-dev
npm ci --no-audit --no-fund --loglevel=error
npm run --silent --workspace ui build
rustup target add "$machine-unknown-linux-musl"
cargo build --release --locked -p loge-server -p loge-frames
# These two run where there is no library at all.
cargo build --release --locked -p loge-worker -p loge-launcher --target "$machine-unknown-linux-musl"
mkdir /programs
cp target/release/loge-server target/release/loge-frames /programs/
cp "target/$machine-unknown-linux-musl/release/loge-worker" "target/$machine-unknown-linux-musl/release/loge-launch" /programs/
