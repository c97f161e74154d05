#!/bin/sh
# An apt of its own for another Debian suite, or another processor: it knows no installed package, so that it fetches
# whatever a package needs, and it installs nothing on this machine. Writes the path of its APT_CONFIG.
#
#   suite-apt.sh SUITE FOLDER ARCHITECTURE     (ARCHITECTURE: amd64, arm64)
#
# The mirror is the one that this machine's own apt uses. Exits 3 where there is none, or it has no such suite.
set -eu
suite=$1
apt=$2
mirror=$(apt-get indextargets --format '$(SITE) $(RELEASE)' 'Created-By: Packages' 2>/dev/null |
    awk '$2 ~ /^(bullseye|bookworm|trixie|forky|sid|oldoldstable|oldstable|stable|testing|unstable)$/ { print $1; exit }')
[ -n "$mirror" ] || { echo "no Debian mirror among this machine's apt sources" >&2; exit 3; }

mkdir -p "$apt/etc/apt.conf.d" "$apt/etc/preferences.d" "$apt/etc/sources.list.d" \
    "$apt/state/lists/partial" "$apt/cache/archives/partial" "$apt/log"
: > "$apt/status"
keys=/usr/share/keyrings/debian-archive-keyring.gpg
{
    echo "deb [signed-by=$keys] $mirror $suite main"
    case $suite in
    sid | forky) ;;
    experimental) echo "deb [signed-by=$keys] $mirror sid main" ;;
    *) echo "deb [signed-by=$keys] $mirror-security $suite-security main" ;;
    esac
} > "$apt/etc/sources.list"
cat > "$apt/apt.conf" <<CONF
Dir::Etc "$apt/etc";
Dir::State "$apt/state";
Dir::State::status "$apt/status";
Dir::Cache "$apt/cache";
Dir::Log "$apt/log";
APT::Architecture "$3";
APT::Architectures { "$3"; };
APT::Install-Recommends "false";
APT::Sandbox::User "root";
Acquire::Languages "none";
Acquire::Check-Valid-Until "false";
CONF
APT_CONFIG=$apt/apt.conf apt-get -qq update >&2 || { echo "apt cannot read $suite for $3" >&2; exit 3; }
echo "$apt/apt.conf"
