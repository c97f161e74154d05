#!/usr/bin/env bash
# One comment on the pull request, found again by its marker and updated. Whoever may not write (a pull request from a fork
# has a token that only reads) loses the comment and nothing else.
#
# In: NAME, FOLDER, REPORT_URL, PULL_REQUEST, HEAD_REPOSITORY, GITHUB_REPOSITORY, GH_TOKEN, RUNNER_TEMP; the program gh.
set -uo pipefail
if [ "${HEAD_REPOSITORY:-}" != "$GITHUB_REPOSITORY" ]; then
    echo "::notice title=profile-run::no comment: a pull request from a fork may not write; the job's summary has it all"
    exit 0
fi
marker="<!-- profile-run: $NAME -->"
body=$RUNNER_TEMP/profile-run-comment.md
{
    echo "$marker"
    # A comment holds 65,536 characters.
    head -c 60000 "$FOLDER/summary.md"
    if [ -n "${REPORT_URL:-}" ]; then
        printf '\n[The whole report](%s)\n' "$REPORT_URL"
    fi
} >"$body"
comments="repos/$GITHUB_REPOSITORY/issues/$PULL_REQUEST/comments"
ours=".[] | select(.body | startswith(\"$marker\")) | .id"
if ! ids=$(gh api --paginate "$comments" --jq "$ours"); then
    echo "::warning title=profile-run::the comments of the pull request could not be read"
    exit 0
fi
id=$(printf '%s\n' "$ids" | head -n 1)
if [ -n "$id" ]; then
    gh api --method PATCH "repos/$GITHUB_REPOSITORY/issues/comments/$id" --field "body=@$body" --silent
else
    gh api --method POST "$comments" --field "body=@$body" --silent
fi || echo "::warning title=profile-run::the comment could not be written; the job needs the permission pull-requests: write"
