#!/bin/sh
# What a release promises: the same bytes wherever it is built; it runs where nothing else is, and with the PHP of other
# Debians. Takes root, debootstrap, busybox-static, dpkg and the network; exits 1 at the first promise that is not kept.
#
#   test.sh [CASE...]        bytes, empty, no_c_library, debian, deb, composer_package, arm64 (all)
#
# ROOTS=FOLDER keeps the systems that were made (target/roots); SUITES="bullseye bookworm trixie" are the Debians.
set -eu
cd "$(dirname "$0")/.."
here=$PWD
roots=${ROOTS:-$here/target/roots}
suites=${SUITES:-bullseye bookworm trixie}
until_decided='--passes measure --load sequential --budget 15m'
mkdir -p "$roots"
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
scratch=$(mktemp -d)
server=
mounted=
clean_up() {
    [ -z "$server" ] || kill "$server" 2>/dev/null || true
    [ -z "$mounted" ] || umount "$mounted" || true
    rm -rf "$scratch"
}
trap clean_up EXIT
trap 'exit 130' INT TERM

fail() {
    echo "NOT KEPT: $*" >&2
    exit 1
}

# Runs a command and wants an exit code of it.
wants() {
    code=$1
    shift
    got=0
    "$@" >"$scratch/out" 2>&1 || got=$?
    [ "$got" = "$code" ] || { cat "$scratch/out" >&2; fail "exit code $got in place of $code: $*"; }
}

archive() { ls dist/profile-run-*-linux.tar.gz; }

unpacked() {
    (cd dist && sha256sum --quiet --check SHA256SUMS) || fail "the checksum"
    mkdir -p "$scratch/release"
    tar -xzf "$(archive)" --strip-components=1 -C "$scratch/release"
    program=$scratch/release/profile-run
    version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)
}

# The server to be loaded, outside of any root; its port in $port.
serve() {
    php fixtures/smtp-server/bin/console smtp:serve --port 0 >"$scratch/server.log" 2>&1 &
    server=$!
    for _ in $(seq 100); do
        port=$(sed -n 's/.*listening on 127\.0\.0\.1:\([0-9]*\).*/\1/p' "$scratch/server.log")
        [ -z "$port" ] || return 0
        sleep 0.1
    done
    fail "the server of the test does not start: $(cat "$scratch/server.log")"
}

# The commands that need no server here, in a root.
without_a_server() {
    root=$1
    [ -n "$server" ] || serve
    mkdir -p "$root/tmp"
    cp "$program" "$root/profile-run"
    cp fixtures/profiles/callgrind/manual.out "$root/tmp/manual.out"
    rm -rf "$root/tmp/leak" "$root/tmp/clean"
    cp -r fixtures/runs/leak fixtures/runs/clean "$root/tmp"
    for host in 127.0.0.1 localhost; do
        wants 0 chroot "$root" /profile-run load -s 5 -m 100 -l 1000 "$host:$port"
    done
    wants 0 chroot "$root" /profile-run analyze /tmp/manual.out
    wants 0 chroot "$root" /profile-run report /tmp/leak
    wants 0 chroot "$root" /profile-run report /tmp/clean
    grep -q profile-run-result "$root/tmp/leak/report.html" || fail "no report in $root"
    wants 1 chroot "$root" /profile-run compare /tmp/clean /tmp/leak
    wants 2 chroot "$root" /profile-run load no-such-name.invalid:25
}

# This folder and another one, with Cargo's own below it, as a container has them.
bytes() {
    folder=$scratch/a/deeper/folder
    mkdir -p "$folder"
    git ls-files -z | tar --null --files-from=- --create | tar -x -C "$folder"
    mkdir "$folder/target"
    ln -s "${CARGO_HOME:-$HOME/.cargo}" "$folder/target/cargo"
    (cd "$folder" && CARGO_HOME=$folder/target/cargo SOURCE_DATE_EPOCH=$(cd "$here" && git log -1 --format=%ct) sh packaging/dist.sh)
    cmp "$(archive)" "$folder/$(archive)" || fail "two builds differ"
    ! grep -qaF "$here" "$program" || fail "the program names the folder of its build"
}

empty() {
    mkdir "$scratch/empty"
    without_a_server "$scratch/empty"
}

# No C library, and a shell that is not the usual one.
no_c_library() {
    program_of=$(command -v busybox) || fail "there is no busybox here: apt-get install busybox-static"
    root=$scratch/busybox
    mkdir -p "$root/bin" "$root/etc"
    cp "$program_of" "$root/bin/busybox"
    ln -s busybox "$root/bin/sh"
    # Names that the system's own C library would load a plugin for.
    echo 'hosts: mymachines files' >"$root/etc/nsswitch.conf"
    echo '127.0.0.1 mail.test' >"$root/etc/hosts"
    without_a_server "$root"
    wants 0 chroot "$root" /bin/sh -c "/profile-run load -m 10 mail.test:$port"
}

# A Debian with its PHP; its folder in $root.
system() {
    root=$roots/$1
    [ ! -x "$root/usr/bin/php" ] || return 0
    rm -rf "$root"
    debootstrap --variant=minbase --include=php-cli,php-xdebug "$1" "$root" >"$scratch/debootstrap" 2>&1 ||
        { tail "$scratch/debootstrap" >&2; fail "debootstrap $1"; }
}

# The whole main job with that Debian's PHP: sound, with a leak, with workers that have profiles of their own.
debian() {
    for suite in $suites; do
        system "$suite"
        rm -rf "$root/smtp" "$root/runs"
        cp -r fixtures/smtp-server "$root/smtp"
        cp "$program" "$root/usr/local/bin/profile-run"
        mount -t proc proc "$root/proc"
        mounted=$root/proc
        console='php /smtp/bin/console smtp:serve --port 0'
        # All of it; on a busy machine a verdict may stay open. One scenario goes on until it is decided.
        # shellcheck disable=SC2086 # the words of a command
        wants 0 chroot "$root" profile-run --budget 90s --fail-on leak,failed --out /runs/none -- $console
        # shellcheck disable=SC2086
        wants 1 chroot "$root" env SMTP_FAULT=session profile-run $until_decided --out /runs/session -- $console
        has_profiles "$root/runs/none" 1
        # Workers that are replaced: each has a profile of its own, by the library that travels in the program.
        # shellcheck disable=SC2086
        chroot "$root" env SMTP_FAULT=restart:100 profile-run -q --passes profile --load sequential --budget 20s --out /runs/workers -- $console \
            >"$scratch/out" 2>&1 || { cat "$scratch/out" >&2; fail "the profile of workers"; }
        has_profiles "$root/runs/workers" 2
        umount "$mounted"
        mounted=
        echo "$suite: PHP $(chroot "$root" php -n -r 'echo PHP_VERSION;')"
    done
}

# Installed, run and removed in each Debian.
deb() {
    PATH=$PATH:$here/target/peers/bin cargo deb --quiet --no-build --no-strip --output "$scratch/deb"
    for suite in $suites; do
        system "$suite"
        cp "$scratch"/deb/*.deb "$root/tmp/profile-run.deb"
        rm -f "$root/usr/local/bin/profile-run"
        wants 0 chroot "$root" dpkg -i /tmp/profile-run.deb
        wants 0 chroot "$root" profile-run --version
        wants 0 chroot "$root" dpkg -r profile-run
        ! chroot "$root" dpkg -L profile-run >/dev/null 2>&1 || fail "$suite: files are left"
        [ ! -e "$root/usr/bin/profile-run" ] || fail "$suite: the program is left"
    done
}

# By Debian's composer, into the folder of a server, from a path; the program from file://.
composer_package() {
    folder=$scratch/composer
    mkdir -p "$folder"
    cp -r packaging/composer "$folder/package"
    rm -rf "$folder/package/binary"
    cp -r fixtures/smtp-server "$folder/server"
    cat >"$folder/server/composer.json" <<'JSON'
{"repositories": [{"type": "path", "url": "../package"}, {"packagist.org": false}]}
JSON
    cd "$folder/server"
    export COMPOSER_ALLOW_SUPERUSER=1
    wants 0 composer --no-interaction require --dev profile-run/profile-run
    wants 2 vendor/bin/profile-run --version
    mkdir "$folder/damaged"
    cp "$here"/dist/* "$folder/damaged"
    echo damage >>"$(ls "$folder"/damaged/*.tar.gz)"
    wants 2 env PROFILE_RUN_RELEASES="file://$folder/damaged" vendor/bin/profile-run --version
    [ ! -e "$folder/package/binary" ] || fail "a damaged archive left something"
    wants 0 env PROFILE_RUN_RELEASES="file://$here/dist" vendor/bin/profile-run --version
    grep -qx "profile-run $version" "$scratch/out" || fail "the version: $(cat "$scratch/out")"
    # Once is enough; and where PHP has no pcntl.
    wants 2 vendor/bin/profile-run no-such-command
    wants 2 php -d disable_functions=pcntl_exec vendor/bin/profile-run no-such-command
    # shellcheck disable=SC2086
    wants 0 vendor/bin/profile-run $until_decided --out clean -- php bin/console smtp:serve --port 0
    # shellcheck disable=SC2086
    wants 1 env SMTP_FAULT=session vendor/bin/profile-run $until_decided --out leak -- php bin/console smtp:serve --port 0
    cd "$here"
}

# The program for 64-bit ARM is built, and reads profiles to the same bytes as this machine's own. PHP's heap there is
# tests/truth/arm.sh: the emulator of single programs has no /proc of the processes that it runs.
arm64() {
    sh packaging/arm64.sh build --bin profile-run || fail "a build for 64-bit ARM"
    for file in $(find fixtures/profiles/xdebug fixtures/profiles/callgrind -type f -name '*.out*' | sort); do
        "$program" analyze --format json "$file" >"$scratch/own.json" 2>/dev/null && own=0 || own=$?
        qemu-aarch64-static target/arm64/aarch64-unknown-linux-gnu/debug/profile-run \
            analyze --format json "$file" >"$scratch/arm64.json" 2>/dev/null && other=0 || other=$?
        [ "$own" = "$other" ] || fail "$file: exit code $other on ARM, $own here"
        cmp -s "$scratch/own.json" "$scratch/arm64.json" || fail "$file reads otherwise on ARM"
    done
}

has_profiles() {
    files=$(jq '.profile.files | length' "$1/result.json")
    [ "$files" -ge "$2" ] || fail "$files profiles in $1, where $2 processes worked or more"
}

[ "$(id -u)" = 0 ] || { echo "dist-test: it takes root to make systems and to change into them" >&2; exit 2; }
[ $# -gt 0 ] || set -- bytes empty no_c_library debian deb composer_package arm64
sh packaging/dist.sh
unpacked
for case in "$@"; do
    "$case"
    echo "kept: $case"
done
