#!/bin/sh
# Builds the program with the C library in it: one file that runs on every Linux of this processor, of whatever C library, and in
# an image that has nothing else. Equal sources and an equal Rust give equal bytes, wherever they lie.
#
#   static.sh [FOLDER]       FOLDER/profile-run is written (target/static)
set -eu
cd "$(dirname "$0")/.."
folder=${1:-target/static}
target=$(rustc -vV | sed -n 's/^host: //p')
home=${CARGO_HOME:-$HOME/.cargo}
# Paths of this machine stand in the texts of panics; cargo and rustc have no other way to leave them out. Of two that fit a path
# the last is taken, and Cargo's folder may lie below this one.
# getrandom asks the loader whether the C library has the call, and there is no loader; an empty root has no /dev/urandom either.
export RUSTFLAGS="-C target-feature=+crt-static -C strip=symbols --cfg getrandom_backend=\"linux_getrandom\" \
    --remap-path-prefix=$PWD=/profile-run --remap-path-prefix=$home=/cargo"
# With --target these flags are not for the build's own programs, which may be linked as the system likes.
${CARGO:-cargo} build --release --locked --bin profile-run --target "$target" --target-dir target/static
mkdir -p "$folder"
cp "target/static/$target/release/profile-run" "$folder/profile-run"
