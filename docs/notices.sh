#!/bin/sh
# Writes NOTICES.md anew: every crate that is built into the program, and the licence texts that
# have to go with it. Needs cargo and jq.
set -eu
cd "$(dirname "$0")/.."
crates=$(cargo tree --locked --edges normal --prefix none --format '{p}|{l}' |
    sed -e 's/ (\*)$//' -e 's/ ([^)]*)|/|/' | grep -v '^profile-run ' | sort -u)
metadata=$(mktemp)
trap 'rm -f "$metadata"' EXIT
cargo metadata --locked --format-version 1 > "$metadata"

# Prints the licence files of one crate that hold the terms it is used under.
texts() {
    folder=$(jq -r --arg name "$1" --arg version "$2" \
        '.packages[] | select(.name == $name and .version == $version) | .manifest_path' "$metadata")
    folder=${folder%/Cargo.toml}
    for file in "$folder"/LICEN[SC]E* "$folder"/COPYING* "$folder"/NOTICE*; do
        [ -f "$file" ] || continue
        case $file in
        *APACHE* | *UNLICENSE*) continue ;;
        esac
        printf '\n```text\n'
        sed -e 's/\r$//' -e 's/[[:space:]]*$//' "$file"
        printf '```\n'
    done
}

{
    cat <<'MD'
# Notices

profile-run itself is under the MIT license or the Apache License 2.0, at your option (LICENSE-MIT, LICENSE-APACHE).

The program is built with the crates below, unmodified. Their source is at `https://crates.io/crates/NAME/VERSION`.
A crate that may be used under Apache-2.0 is used under it (its text is LICENSE-APACHE), one that is in the public
domain by the Unlicense is used so; the texts of the others follow the table.

`inferno` is under the Common Development and Distribution License 1.0, which covers its files and not those of
profile-run. Its source code is at the address above; who passes on the program passes on this notice.

The program of a release (`make static`) has the GNU C Library in it, unmodified, which is under the GNU Lesser General Public
License 2.1 or later. Its source is at `https://sourceware.org/glibc/`, and that of the very one at the distribution that the
release was built on; `make static` links the program anew with another one.

| crate | version | license |
| --- | --- | --- |
MD
    echo "$crates" | sed 's/^\([^ ]*\) v\([^|]*\)|\(.*\)$/| \1 | \2 | \3 |/'
    printf '\n## Texts\n'
    echo "$crates" | while IFS='|' read -r crate license; do
        case $license in
        *"AND"*) ;;
        *Apache-2.0* | *Unlicense*) continue ;;
        esac
        name=${crate% v*}
        printf '\n### %s\n' "$name"
        found=$(texts "$name" "${crate#* v}")
        [ -n "$found" ] || found=$(printf '\nIts package holds no text; its license is %s.\n' "$license")
        echo "$found"
    done
} > NOTICES.md
