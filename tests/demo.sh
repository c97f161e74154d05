#!/bin/sh
# The main job on the embedded server, and what its exit code means. SMTP_FAULT plants a fault.
#
#   demo.sh PROGRAM BUDGET
#
# Exits 0 where the program said what there was to say: nothing wrong without a fault, whatever it
# found with one.
set -eu
program=$1
budget=$2
here=$(cd "$(dirname "$0")/.." && pwd)
cd "$here"
out=profile-run-out/demo-$(date +%Y%m%d-%H%M%S)-$$

code=0
"$program" --budget "$budget" --out "$out" -- php fixtures/smtp-server/bin/console smtp:serve --port 0 -vvv || code=$?

echo
if [ -f "$out/report.html" ]; then
    echo "report: $here/$out/report.html"
fi
case $code in
0) meaning="nothing leaks, as far as it was tested" ;;
1) meaning="a verdict failed: the server leaks" ;;
2) meaning="it could not run" ;;
3) meaning="the server failed under the load" ;;
4) meaning="not decided" ;;
130) meaning="interrupted" ;;
*) meaning="unknown" ;;
esac
if [ -z "${SMTP_FAULT-}" ]; then
    [ "$code" = 0 ] || echo "exit code $code: $meaning"
    exit "$code"
fi
case $code in
0 | 1 | 3)
    echo "profile-run ended with exit code $code ($meaning)."
    echo "The fault $SMTP_FAULT was planted on purpose, so for this demo that is no error."
    exit 0
    ;;
*)
    echo "profile-run ended with exit code $code ($meaning); the fault $SMTP_FAULT was planted."
    exit "$code"
    ;;
esac
