#!/bin/sh
# Unpacks the PHP of another Debian suite into a folder, with every library that it needs, and
# writes a `php` launcher there. Nothing is installed on this machine.
#
#   php-suites.sh SUITE FOLDER [PACKAGE...]    (SUITE: bullseye, bookworm, trixie, forky, sid, experimental)
#
# Without packages it is the suite's own php-cli; of experimental one has to be named (php8.5-cli), and what it needs
# comes from sid. Libraries written in PHP are packages as well: they are below tree/usr/share/php.
# The mirror is the one that this machine's own apt uses. Exits 0 with the launcher's path on
# stdout, 3 where the suite or its PHP is not to be had.
set -eu
suite=$1
mkdir -p "$2"
root=$(cd "$2" && pwd)
shift 2
launcher=$root/php
if [ -x "$launcher" ]; then
    echo "$launcher"
    exit 0
fi

apt=$root/apt
APT_CONFIG=$(sh "$(dirname "$0")/suite-apt.sh" "$suite" "$apt" amd64) || exit 3
export APT_CONFIG
case " $*" in
*-cli*) ;;
*)
    own=$(apt-cache depends php-cli 2>/dev/null | sed -n 's/.*Depends: \(php[0-9.]*-cli\).*/\1/p' | head -n 1)
    [ -n "$own" ] || { echo "$suite has no php-cli" >&2; exit 3; }
    set -- "$own" "$@"
    ;;
esac
apt-get -qq --yes --download-only --no-install-recommends install "$@" >&2 ||
    { echo "the packages of $* cannot be had" >&2; exit 3; }
for deb in "$apt"/cache/archives/*.deb; do
    dpkg -x "$deb" "$root/tree"
done
rm -rf "$apt"

binary=$(ls "$root"/tree/usr/bin/php[0-9]*.[0-9] | head -n 1)
loader=$(find "$root/tree" -name 'ld-linux-x86-64.so.2' ! -type d | head -n 1)
loader=$(readlink -f "$loader")
case $loader in
"$root"/*) ;;
*) loader=$(find "$root/tree" -name 'ld-linux-x86-64.so.2' -type f | head -n 1) ;;
esac
libraries=$root/tree/lib/x86_64-linux-gnu:$root/tree/usr/lib/x86_64-linux-gnu
# Started through its own dynamic loader: /proc/PID/exe is then the loader, as it may be in other
# set-ups too, and PHP has to be found among what is mapped.
printf '#!/bin/sh\nexec "%s" --library-path "%s" "%s" "$@"\n' "$loader" "$libraries" "$binary" > "$launcher"
chmod +x "$launcher"
"$launcher" -n -r 'exit(0);' >&2 || { echo "the unpacked PHP of $suite does not run" >&2; rm -f "$launcher"; exit 3; }
echo "$launcher"
