#!/bin/sh
# Cargo for 64-bit ARM, by Debian's cross compiler: debug builds with the C library in them, in target/arm64. It takes Rust's
# library for that processor, which rustup is asked for where it is there.
#
#   arm64.sh build --bin profile-run      any command of cargo that takes a target
set -eu
cd "$(dirname "$0")/.."
triple=aarch64-unknown-linux-gnu
if command -v rustup >/dev/null; then rustup target list --installed | grep -qx "$triple" || rustup target add "$triple"; fi
command -v aarch64-linux-gnu-gcc >/dev/null || {
    echo "there is no aarch64-linux-gnu-gcc: apt-get install gcc-aarch64-linux-gnu libc6-dev-arm64-cross" >&2
    exit 2
}
export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER=aarch64-linux-gnu-gcc CC_aarch64_unknown_linux_gnu=aarch64-linux-gnu-gcc
export RUSTFLAGS="-C target-feature=+crt-static"
exec "${CARGO:-cargo}" "$@" --locked --target "$triple" --target-dir target/arm64
