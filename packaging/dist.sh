#!/bin/sh
# Builds a release into dist/: an archive with the static program, man pages, completions and licences, and its checksum.
# Equal sources and an equal Rust give equal bytes: times are the newest commit's (or SOURCE_DATE_EPOCH), owners are nobody's.
set -eu
umask 022
cd "$(dirname "$0")/.."
version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)
time=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}
name=profile-run-$version-$(uname -m)-linux

sh packaging/static.sh
program=target/static/profile-run
folder=target/static/package
rm -rf "$folder"
mkdir -p "$folder/man" "$folder/completions" dist
cp "$program" LICENSE-APACHE LICENSE-MIT NOTICES.md README.md CHANGELOG.md "$folder"
"$program" man --out "$folder/man"
"$program" completions bash >"$folder/completions/profile-run.bash"
"$program" completions zsh >"$folder/completions/_profile-run"
"$program" completions fish >"$folder/completions/profile-run.fish"

tar --create --format=ustar --sort=name --owner=0 --group=0 --numeric-owner --mode=u=rwX,go=rX --mtime="@$time" \
    --directory target/static --transform "s|^package|$name|" package | gzip -9n >"dist/$name.tar.gz"
(cd dist && sha256sum ./*.tar.gz | sed 's| \./| |' >SHA256SUMS)
cat dist/SHA256SUMS
