#!/bin/sh
# The embedded server in containers of the real engines, judged from outside, beside the same server without one: equal
# verdicts, equal leaking figures, the container's limits in the report, nothing left. Needs root, Debian's docker.io,
# docker-compose, podman, runc and debootstrap, php with Xdebug, and rights to mount.
#
#   containers.sh [FOLDER]     (FOLDER: where the image's root and the engines' files are; a fresh one if absent)
#
# PROFILE_RUN: the program (target/release/profile-run); BUDGET: of each run (120s);
# FAULTS: which (none session socket);
# ULIMITS: more --ulimit options for podman, which raises limits where it may.
set -eu
here=$(cd "$(dirname "$0")/../.." && pwd)
program=${PROFILE_RUN:-$here/target/release/profile-run}
folder=${1:-$(mktemp -d)}
budget=${BUDGET:-120s}
image=profile-run-truth
app=$here/fixtures/smtp-server
serve="php bin/console smtp:serve --host 0.0.0.0"
failed=0
engine=

say() {
    echo "$*"
}

wrong() {
    echo "WRONG: $*"
    failed=1
}

pod() {
    podman --root "$folder/podman/root" --runroot "$folder/podman/run" --cgroup-manager cgroupfs --runtime runc "$@"
}

end() {
    docker rmi -f $image >/dev/null 2>&1 || true
    docker network rm profile-run-truth_default >/dev/null 2>&1 || true
    pod rmi -af >/dev/null 2>&1 || true
    if [ -n "$engine" ]; then
        kill "$engine" && while kill -0 "$engine" 2>/dev/null; do sleep 0.1; done
    fi
    # What the engines mount of themselves.
    for mounted in $(awk -v at="$folder/" 'index($2, at) == 1 { print $2 }' /proc/mounts | sort -r); do
        umount "$mounted" || true
    done
}
trap end EXIT
trap 'exit 130' INT TERM

if ! docker info >/dev/null 2>&1; then
    mkdir -p "$folder/docker"
    setsid dockerd --data-root "$folder/docker/data" --exec-root "$folder/docker/exec" \
        --pidfile "$folder/docker/pid" >"$folder/docker/log" 2>&1 </dev/null &
    for _ in $(seq 100); do
        docker info >/dev/null 2>&1 && break
        sleep 0.2
    done
    engine=$(cat "$folder/docker/pid")
fi
[ -d "$folder/root/usr" ] ||
    debootstrap --variant=minbase --include=php-cli,php-xdebug bookworm "$folder/root" >"$folder/debootstrap.log"
tar -C "$folder/root" -c . | docker import --change 'WORKDIR /app' - $image >/dev/null
tar -C "$folder/root" -c . | pod import --change 'WORKDIR /app' - $image >/dev/null
mkdir -p "$folder/profile-run-truth"
cat >"$folder/profile-run-truth/compose.yaml" <<YAML
services:
  smtp:
    image: $image
    command: $serve
    volumes: ["$app:/app:ro"]
    mem_limit: 128m
    ulimits: {nofile: 64}
YAML

# What a run said: its verdict, and what leaks.
told() {
    php -r '$r = json_decode(file_get_contents($argv[1]), true);
        $leaks = array_filter($r["findings"], fn ($f) => $f["state"] === "leak");
        echo $r["verdict"], ":", implode(",", array_unique(array_column($leaks, "metric"))), PHP_EOL;' "$1/result.json"
}

# Its limits: of descriptors and memory.
limits() {
    sed -n 's/.*"event":"ready".*"descriptor_limit":\([0-9]*\).*"memory_limit":\([0-9]*\).*/\1 \2/p' "$1/journal.jsonl" | head -1
}

# Network namespaces that an engine keeps by a name.
networks() {
    ls /run/netns 2>/dev/null | wc -l
}
before=$(networks)

left() {
    for kind in "docker ps -aq --filter label=profile-run" "pod ps -aq --filter label=profile-run"; do
        for id in $($kind); do
            wrong "$1: a container is left"
            ${kind%% *} rm -f "$id" >/dev/null
        done
    done
    [ "$(networks)" = "$before" ] || { wrong "$1: a network namespace is left"; before=$(networks); }
    if pgrep -f 'smtp:serve --host 0.0.0.0' >/dev/null; then wrong "$1: a process is left"; fi
}

judge() {
    name=$1 out=$2
    shift 2
    rm -rf "$out"
    "$program" --quiet --load sequential --budget "$budget" --passes measure --out "$out" "$@" \
        >"$out.log" 2>&1 || true
    [ -f "$out/result.json" ] || { wrong "$name: no result"; cat "$out.log"; return; }
    say "$name: $(told "$out") limits $(limits "$out")"
}

bounded="-m 128m --ulimit nofile=64:64 -v $app:/app:ro"
# A profile, and every way to end.
out=$folder/out-profile
rm -rf "$out"
# shellcheck disable=SC2086 # words
"$program" --quiet --load smoke --passes profile --out "$out" -- docker run $bounded $image $serve >"$out.log" 2>&1 || true
grep -q '"complete": true' "$out/result.json" || wrong "the profile is not whole"
left profile
# shellcheck disable=SC2086 # words
for signal in INT KILL; do
    for after in 0.5 2 6; do
        for client in docker podman; do
            out=$folder/out-end
            rm -rf "$out"
            words=docker
            [ $client = podman ] && words="podman --root $folder/podman/root --runroot $folder/podman/run --cgroup-manager cgroupfs --runtime runc"
            # shellcheck disable=SC2086 # words
            "$program" --quiet --load sequential --passes measure --out "$out" -- $words run $bounded ${ULIMITS-} $image $serve \
                >"$out.log" 2>&1 &
            run=$!
            sleep $after
            kill -"$signal" "$run"
            wait "$run" || true
            # After a kill it is the watchdog that clears away.
            for _ in $(seq 200); do
                pgrep -f "^profile-run-watchdog --watchdog $run-" >/dev/null || break
                sleep 0.1
            done
            left "$signal after $after s, $client"
        done
    done
done

for fault in ${FAULTS-none session socket}; do
    # A leak of sockets meets 64 descriptors long before it is proven: one each 20 sessions, and 1,024 of them.
    bound=$bounded planted=$fault limit=64
    if [ $fault = socket ]; then
        bound="-m 128m --ulimit nofile=1024:1024 -v $app:/app:ro" planted=socket:20 limit=1024
    fi
    # shellcheck disable=SC2086 # words
    judge "$fault" "$folder/out-$fault" --env SMTP_FAULT=$planted --cwd "$app" -- \
        sh -c "ulimit -n $limit && exec $serve"
    truth=$(told "$folder/out-$fault")
    # shellcheck disable=SC2086 # words
    for client in docker docker-compose podman; do
        out=$folder/out-$fault-$client
        case $client in
        docker) judge "$fault, docker run" "$out" -- docker run -it $bound -e SMTP_FAULT=$planted $image $serve ;;
        docker-compose)
            # Its limits stand in the file.
            [ $fault = socket ] && continue
            judge "$fault, docker-compose run" "$out" --env SMTP_FAULT=$planted -- \
                docker-compose -f "$folder/profile-run-truth/compose.yaml" run smtp
            ;;
        podman)
            judge "$fault, podman run" "$out" -- podman --root "$folder/podman/root" --runroot "$folder/podman/run" \
                --cgroup-manager cgroupfs --runtime runc run $bound ${ULIMITS-} -e SMTP_FAULT=$planted $image $serve
            ;;
        esac
        [ "$(told "$out")" = "$truth" ] || wrong "$fault, $client: $(told "$out") instead of $truth"
        [ $fault = socket ] || [ "$(limits "$out")" = "64 134217728" ] || wrong "$fault, $client: its limits are not told"
        left "$fault, $client"
    done
done

[ $failed = 0 ] && say "containers hold"
exit $failed
