#!/usr/bin/env bash
# A run inside GitHub Actions: annotations in the log, the job's summary, outputs for the steps that follow. It ends with 0
# whatever the verdict is, so that the report is kept; the code is an output.
#
# In: COMMAND, ARGS, BASELINE, NAME, BINARY; GITHUB_OUTPUT, GITHUB_STEP_SUMMARY, RUNNER_TEMP.
set -uo pipefail
profile_run=${BINARY:-$RUNNER_TEMP/profile-run/bin/profile-run}
folder=$RUNNER_TEMP/profile-run-$NAME
rm -rf "$folder"
# Options and command are the workflow's own words, read as its shell would.
eval "args=(${ARGS:-})"
eval "command=($COMMAND)"
if [ -n "${BASELINE:-}" ]; then
    if [ -e "$BASELINE" ]; then
        args+=(--baseline "$BASELINE")
    else
        echo "::warning title=profile-run::there is no baseline at $BASELINE, so nothing is compared"
    fi
fi
"$profile_run" --out "$folder" --export junit,sarif,github,metrics,plot "${args[@]}" -- "${command[@]}"
code=$?
{
    echo "exit-code=$code"
    if [ -d "$folder" ]; then
        echo "folder=$folder"
    fi
    if [ -f "$folder/report.html" ]; then
        # The artifact is called after its file.
        cp "$folder/report.html" "$RUNNER_TEMP/$NAME.html"
        echo "report=$RUNNER_TEMP/$NAME.html"
    fi
} >>"$GITHUB_OUTPUT"
if [ -f "$folder/annotations.txt" ]; then
    cat "$folder/annotations.txt"
else
    echo "::error title=profile-run::there is no result; profile-run ended with $code"
fi
if [ -f "$folder/summary.md" ]; then
    cat "$folder/summary.md" >>"$GITHUB_STEP_SUMMARY"
fi
