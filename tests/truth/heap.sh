#!/bin/sh
# The heap census against the PHP of this machine and those of other Debian suites, with 1,000
# censuses of a busy process each. Exits 1 where one of them is told wrong.
#
#   heap.sh [FOLDER]         (FOLDER: where the suites are unpacked and kept; a fresh one if absent)
set -eu
here=$(cd "$(dirname "$0")" && pwd)
cd "$here/../.."
folder=${1:-$(mktemp -d)}
failed=0
for suite in here bullseye trixie sid experimental; do
    # Experimental has no php-cli of its own.
    [ "$suite" = experimental ] && package=php8.5-cli || package=
    # shellcheck disable=SC2086 # none, or one word
    if [ "$suite" = here ]; then
        php=$(command -v php)
    elif ! php=$(sh "$here/php-suites.sh" "$suite" "$folder/$suite" $package); then
        echo "$suite: not to be had, not measured"
        continue
    fi
    version=$("$php" -n -r 'echo PHP_VERSION;')
    tests=heap::
    # The code of PHP 7 is not read, which is said; its figures and the holders that a script names are.
    case $version in
    7.*) tests="heap:: --skip heap::lines" ;;
    esac
    # shellcheck disable=SC2086 # words
    if PROFILE_RUN_TRUTH=1 PROFILE_RUN_PHP=$php cargo test --locked --release --test it -- $tests; then
        echo "$suite: PHP $version holds"
    else
        echo "$suite: PHP $version does NOT hold"
        failed=1
    fi
done
exit $failed
