#!/bin/sh
# Installs, on Debian and its kin, what is missing of the tools that a demo or the tests run.
#
#   install-tools.sh demo      a C linker for cargo, php, Xdebug
#   install-tools.sh test      these, and what the tests compare with, count or look through
#   install-tools.sh truth     these, and Node, Java and Revolt for small servers in them, and an emulated machine for 64-bit ARM
#   install-tools.sh bench     these, and peers that only a bench runs
#   install-tools.sh dist      these, and what makes and tries packages and other systems
#
# Does nothing where all is there. Otherwise it uses apt-get, as root or through sudo; where neither
# works it prints the line to run and exits 1.
set -eu

PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin

has() { command -v "$1" >/dev/null 2>&1; }
php_has() { has php && php -m 2>/dev/null | grep -qix "$1"; }

cross() { has aarch64-linux-gnu-gcc || echo gcc-aarch64-linux-gnu libc6-dev-arm64-cross; }

# What tests/truth/arm.sh runs: an emulated machine, what packs its system, what builds a kernel.
emulated() {
    has qemu-system-aarch64 || echo qemu-system-arm
    has cpio || echo cpio
    has make || echo make
    has xz || echo xz-utils
    has flex || echo flex
    has bison || echo bison
    has bc || echo bc
}

# What tests/truth/containers.sh runs: the engines and what makes an image's root.
containers() {
    has dockerd || echo docker.io
    has docker-compose || echo docker-compose
    has podman || echo podman
    has runc || echo runc
    has debootstrap || echo debootstrap
}

# One word a package that is missing.
missing() {
    has cc || echo gcc libc6-dev
    has php || echo php-cli
    php_has xdebug || echo php-xdebug
    [ "$1" != demo ] || return 0
    has smtp-source || echo postfix
    has valgrind || echo valgrind
    has chromium || has chromium-browser || has google-chrome || echo chromium
    { python3 -c 'import aiosmtpd' || /usr/bin/python3 -c 'import aiosmtpd'; } 2>/dev/null || echo python3-aiosmtpd
    /usr/bin/python3 -c 'import jsonschema' 2>/dev/null || echo python3-jsonschema
    python3 -c 'import ensurepip' 2>/dev/null || echo python3-venv
    has tmux || echo tmux
    has lsof || echo lsof
    has ps || echo procps
    has jq || echo jq
    has git || echo git
    has unshare || echo util-linux
    has strace || echo strace
    has protoc || echo protobuf-compiler
    has openssl || echo openssl
    [ "$1" != truth ] || { has ip || echo iproute2; has node || echo nodejs; has javac || echo default-jdk-headless; cross; emulated; containers; }
    [ "$1" != dist ] || { has debootstrap || echo debootstrap; has busybox || echo busybox-static; has composer || echo composer; cross; has qemu-aarch64-static || echo qemu-user-static; }
    has groff || echo groff-base
    has npm || { [ -d target/peers/package ] && [ -d target/peers/axe ]; } || echo npm
}

# A package of npm's into target/peers/FOLDER: package, folder, what a test does with it.
from_npm() {
    [ ! -d "target/peers/$2" ] || return 0
    # Node brings its own list of certificates; what this machine trusts is trusted too.
    export NODE_EXTRA_CA_CERTS="${NODE_EXTRA_CA_CERTS-/etc/ssl/certs/ca-certificates.crt}"
    rm -rf "target/peers/$2.new" && mkdir -p "target/peers/$2.new"
    (cd "target/peers/$2.new" && timeout 120 npm pack --silent "$1" >/dev/null && tar xzf ./*.tgz --strip-components 1 && rm ./*.tgz) || {
        echo "$1 could not be had from npm, and a test $3" >&2
        exit 1
    }
    mv "target/peers/$2.new" "target/peers/$2"
}

# Locust into a Python of its own. One that was copied from elsewhere does not start, and is made anew.
from_pypi() {
    ! target/peers/locust/bin/locust --version >/dev/null 2>&1 || return 0
    rm -rf target/peers/locust
    { python3 -m venv target/peers/locust && target/peers/locust/bin/pip install --quiet locust; } || {
        echo "locust could not be had from PyPI, and tests load with it" >&2
        exit 1
    }
}

# Readers of profiles, a judge of pages and another load, that Debian does not have.
peers() {
    if [ "$1" != demo ]; then
        from_npm speedscope package "opens its page"
        from_npm axe-core axe "asks it whether everyone can use the report"
        from_pypi
    fi
    if [ "$1" = truth ] && [ ! -x target/peers/revolt/php ]; then
        # An event loop that runs in fibers, which sid has as a package.
        sh tests/truth/php-suites.sh sid target/peers/revolt php-revolt-event-loop >/dev/null ||
            { echo "Revolt could not be had from Debian's sid, and a test of servers with fibers needs it" >&2; exit 1; }
    fi
    if [ "$1" = dist ] && [ ! -x target/peers/bin/cargo-deb ] && ! has cargo-deb; then
        cargo install --quiet --locked cargo-deb --root target/peers
    fi
    [ "$1" = bench ] && [ ! -x target/peers/bin/gprof2dot ] || return 0
    python3 -m venv target/peers && target/peers/bin/pip install --quiet gprof2dot ||
        echo "gprof2dot could not be installed from PyPI: its line will be left out" >&2
}

case ${1-} in
demo | test | truth | bench | dist) ;;
*)
    echo "usage: install-tools.sh demo|test|truth|bench|dist" >&2
    exit 2
    ;;
esac

packages=$(missing "$1" | tr '\n' ' ')
packages=${packages% }
[ -n "$packages" ] || {
    peers "$1"
    exit 0
}

php=$(command -v php || true)
if [ -n "$php" ] && has dpkg && ! dpkg -S "$(readlink -f "$php")" >/dev/null 2>&1; then
    case " $packages " in
    *" php-xdebug "*)
        echo "$php is not a package's, so its Xdebug is none either. Add it with" >&2
        echo "  pecl install xdebug && docker-php-ext-enable xdebug" >&2
        exit 1
        ;;
    esac
fi

# postfix is wanted for smtp-source alone: it is told to configure nothing, and so starts nothing.
preseed='postfix postfix/main_mailer_type select No configuration'
install="DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $packages"

by_hand() {
    echo "missing: $packages. $1 Run as root:" >&2
    case " $packages " in
    *" postfix "*) echo "  echo '$preseed' | debconf-set-selections" >&2 ;;
    esac
    echo "  apt-get update && $install" >&2
    exit 1
}

has apt-get || by_hand "There is no apt-get here to install them with (on another system take its packages of these names)."
if [ "$(id -u)" = 0 ]; then
    root=
elif has sudo && { sudo -n true 2>/dev/null || { [ -t 0 ] && sudo -v; }; }; then
    root=sudo
else
    by_hand "It takes root to install them."
fi

echo "installing $packages"
case " $packages " in
*" postfix "*) echo "$preseed" | $root debconf-set-selections ;;
esac
$root apt-get -qq -o Acquire::Retries=3 update || echo "apt-get update failed; trying with the lists that are there" >&2
# shellcheck disable=SC2086 # one word a package
$root env DEBIAN_FRONTEND=noninteractive apt-get -qq -y --no-install-recommends \
    -o Acquire::Retries=3 -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 install $packages ||
    by_hand "apt-get could not install them."

packages=$(missing "$1" | tr '\n' ' ')
packages=${packages% }
case " $packages " in
"  ") peers "$1" ;;
*" php-xdebug "*)
    echo "php-xdebug is installed, and $(command -v php) does not load it; try: phpenmod -s cli xdebug" >&2
    exit 1
    ;;
*)
    echo "still missing after the installation: $packages" >&2
    exit 1
    ;;
esac
