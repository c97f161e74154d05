#!/bin/sh
# Two hosts in two network namespaces, joined by a cable: the server and profile-run on one, Locust's workers on the other.
# One of them is killed in a wave where asked for. The namespaces are the caller's own and go with it; no root is needed.
#
#   two-hosts.sh PROGRAM LOCUST-BIN FOLDER [worker|run]     which is killed in the third wave, if any
set -eu
program=$1 bin=$2 folder=$3 kills=${4-}
root=$(cd "$(dirname "$0")/../.." && pwd)

if [ -z "${TWO_HOSTS-}" ]; then
    TWO_HOSTS=1 exec unshare --map-root-user --net --mount --pid --fork --kill-child --mount-proc sh "$0" "$@"
fi

PATH=$bin:$PATH
mount -t tmpfs none /run
ip link set lo up
ip netns add other
ip link add cable type veth peer name cable netns other
ip address add 10.77.0.1/24 dev cable
ip link set cable up
ip -n other address add 10.77.0.2/24 dev cable
ip -n other link set cable up
ip -n other link set lo up

"$program" --engine locust --remote-workers 2 --target 10.77.0.1:2525 --allow-remote \
    --load sequential,churn --budget 45s --rest 3s --passes measure --ledger off --out "$folder/run" \
    -- php "$root/fixtures/smtp-server/bin/console" smtp:serve --host 10.77.0.1 --port 2525 -v >"$folder/said" 2>&1 &
run=$!
# What it prints is pasted on the other host.
command=
while [ -z "$command" ]; do
    kill -0 "$run" 2>/dev/null || { cat "$folder/said" >&2; exit 1; }
    sleep 0.2
    command=$(sed -n 's/^ *\(PROFILE_RUN_FLEET=.*\)$/\1/p' "$folder/said" | head -1)
done
for worker in 1 2; do
    ip netns exec other sh -c "exec env $command" >"$folder/worker-$worker" 2>&1 &
    eval "worker_$worker=$!"
done
if [ -n "$kills" ]; then
    until grep -q '"event":"wave_begin".*"wave":3' "$folder/run/journal.jsonl" 2>/dev/null; do
        kill -0 "$run" 2>/dev/null || { cat "$folder/said" >&2; exit 1; }
        sleep 0.05
    done
    # shellcheck disable=SC2154 # set above
    [ "$kills" = run ] && victim=$run || victim=$worker_1
    kill -9 "$victim"
fi
code=0
wait "$run" || code=$?
echo "$code" >"$folder/code"
# The other host's workers end with the master.
left=0
for second in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15; do
    left=$(ps ax -o args | grep -c '[l]ocust -f' || true)
    [ "$left" != 0 ] || break
    sleep 1
done
echo "$left" >"$folder/left"
