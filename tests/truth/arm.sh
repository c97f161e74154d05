#!/bin/sh
# PHP's heap on 64-bit ARM. An emulated machine runs Debian's kernels for that processor, with pages of 4 and of 16 KiB, and
# one with pages of 64 KiB, which Debian has only as source; in it Debian's PHP runs scripts that know their own figures.
# What `watch --heap --once --json` reads is held against them to the byte, and the tests of the heap run there as they are:
# holders, lines that put in and take out, busy processes, layouts that are refused. Exits 1 where something differs, 2 where a
# tool or a package is missing. Takes no root: nothing is mounted here, the system is the kernel's first archive.
#
#   arm.sh [FOLDER]          (FOLDER: where packages and kernels are kept, 500 MB; a fresh one, which is removed, if absent)
#
# KERNELS="arm64 arm64-16k 64k" are the kernels. The last is built, which takes many minutes the first time.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
cd "$here/../.."
project=$PWD
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
trap 'exit 130' INT TERM
kept=${1:-$scratch/kept}
mkdir -p "$kept"
kept=$(cd "$kept" && pwd)

for tool in qemu-system-aarch64 aarch64-linux-gnu-gcc aarch64-linux-gnu-strip apt-get dpkg-deb cpio jq make flex bison bc xz; do
    command -v "$tool" >/dev/null || { echo "there is no $tool here: sh tests/install-tools.sh truth" >&2; exit 2; }
done
missing() { echo "$*" >&2; exit 2; }
packages() {
    [ -n "${APT_CONFIG-}" ] || APT_CONFIG=$(sh "$here/suite-apt.sh" trixie "$scratch/apt" arm64) || exit 2
    export APT_CONFIG
}
# The name that stands behind a package that only points at the newest.
behind() { apt-cache depends "$1" | sed -n 's/.*Depends: \('"$2"'\)$/\1/p' | head -n 1; }
fetch() { (mkdir -p "$scratch/debs" && cd "$scratch/debs" && apt-get -qq download "$1") || missing "$1 cannot be had"; }

# PHP with all that it needs, unpacked; busybox is the rest of the system.
if [ ! -x "$kept/root/usr/bin/php" ]; then
    packages
    php=$(behind php-cli 'php[0-9.]*-cli')
    apt-get -qq --yes --download-only --no-install-recommends install "$php" busybox-static >&2 || missing "$php cannot be had"
    rm -rf "$kept/root"
    mkdir -p "$kept/root"
    for deb in "$scratch"/apt/cache/archives/*.deb; do
        dpkg-deb --fsys-tarfile "$deb" | tar -x --no-same-owner -C "$kept/root"
    done
    (
        cd "$kept/root"
        rm -rf usr/share/doc usr/share/man usr/share/locale
        mkdir -p proc sys dev tmp usr/sbin
        for folder in bin sbin lib; do [ -e "$folder" ] || ln -s "usr/$folder" "$folder"; done
        ln -s "${php%-cli}" usr/bin/php
    )
fi

# Debian's kernel of a flavour, or one of its source with few settings besides the large pages.
kernel() {
    image=$kept/$1.image
    [ ! -f "$image" ] || return 0
    packages
    if [ "$1" != 64k ]; then
        fetch "$(behind "linux-image-$1" 'linux-image-[0-9].*')"
        dpkg-deb --fsys-tarfile "$scratch"/debs/linux-image-*.deb | tar -x --no-same-owner -C "$scratch" ./boot
        mv "$scratch"/boot/vmlinuz-* "$image"
    else
        source=$(behind linux-source 'linux-source-.*')
        fetch "$source"
        mkdir "$scratch/source"
        dpkg-deb --fsys-tarfile "$scratch"/debs/linux-source-*.deb | tar -xO "./usr/src/$source.tar.xz" | xz -dc |
            tar -x --no-same-owner --strip-components=1 -C "$scratch/source" \
                --exclude='*/drivers/gpu/drm/amd/include/*' --exclude='*/Documentation/*/*' --exclude='*/tools/testing/*'
        (
            cd "$scratch/source"
            export ARCH=arm64 CROSS_COMPILE=aarch64-linux-gnu-
            make -s KCONFIG_ALLCONFIG="$here/arm-64k.config" allnoconfig >&2
            grep -qx CONFIG_ARM64_64K_PAGES=y .config
            make -s -j "$(nproc)" Image >&2
        ) || missing "a kernel with pages of 64 KiB could not be built"
        mv "$scratch/source/arch/arm64/boot/Image" "$image"
        rm -rf "$scratch/source"
    fi
    rm -rf "$scratch/debs" "$scratch/boot"
}

sh packaging/arm64.sh build --bin profile-run
program=target/arm64/aarch64-unknown-linux-gnu/debug/profile-run
tests=$(sh packaging/arm64.sh test --no-run --test it --message-format json |
    jq -r 'select(.reason == "compiler-artifact" and .target.name == "it" and .executable != null).executable')
[ -x "$tests" ] || missing "the tests were not built for ARM"

# The tests look for what they run where they were built.
cp -a "$kept/root" "$scratch/root"
aarch64-linux-gnu-strip -o "$scratch/root/usr/bin/profile-run" "$program"
aarch64-linux-gnu-strip -o "$scratch/root/usr/bin/it" "$tests"
mkdir -p "$scratch/root$project/fixtures"
cp -r fixtures/heap fixtures/smtp-server "$scratch/root$project/fixtures/"
ln -s "$project/fixtures" "$scratch/root/fixtures"
cp "$here/arm-init.sh" "$scratch/root/init"
chmod +x "$scratch/root/init"
(cd "$scratch/root" && find . | cpio --quiet -o -H newc -R 0:0 | gzip -1) >"$scratch/system"

failed=0
wrong() {
    echo "WRONG: $*" >&2
    failed=1
}

# A case that the machine ran: what grew, how many the script says that it has of them, how the program names it.
equal() {
    case=$1
    truth=$(sed -n "s/^TRUTH $case //p" "$scratch/console")
    watch=$(sed -n "s/^WATCH $case //p" "$scratch/console")
    # shellcheck disable=SC2016 # jq's variables
    if printf '%s\n%s\n' "$truth" "$watch" | jq -se --arg key "$2" --arg path "$3" --arg what "$4" '
        .[0] as $truth | .[1] as $watch | ($truth.truth[$key] // 1000) as $count |
        def class($name): [$watch.classes[] | select(.name == $name).count] | add;
        $count == 1000 and $watch.heap.status == "ok" and $watch.heap.size == $truth.usage and $watch.heap.peak == $truth.peak
        and $watch.heap.real_size == $truth.real and class("Session") == $count and class("Server") == 1
        and class($what | sub("@.*"; "")) == $count
        and ($watch.holders[0] | .path == $path and .count == $count and .type == $what)' >/dev/null 2>&1; then
        echo "  $case: $(printf '%s' "$truth" | jq -r '"\(.usage) bytes, peak \(.peak), \(.real) of the system"'), $3 holds 1000"
    else
        wrong "$case: PHP says ${truth:-nothing}, profile-run ${watch:-nothing}"
    fi
}

line=$(grep -n "case 'closure'" fixtures/heap/leaks.php | cut -d: -f1)
for kernel in ${KERNELS:-arm64 arm64-16k 64k}; do
    kernel "$kernel"
    # A processor that has all three sizes of pages.
    timeout 3600 qemu-system-aarch64 -M virt -cpu cortex-a76 -m 1536M -nographic -no-reboot -net none \
        -kernel "$image" -initrd "$scratch/system" -append "console=ttyAMA0 quiet panic=-1" </dev/null |
        sed -u 's/\r$//' >"$scratch/console" || true
    grep -E '^(KERNEL|PHP) ' "$scratch/console" || wrong "$kernel: the machine did not start: $(tail -n 20 "$scratch/console")"
    equal array leak '$server{Server}->leak[]' Session
    equal static seen 'Metrics::$seen[]' Session
    equal closure timers '$server{Server}->timers[]' "Closure@leaks.php:$line"
    equal list none '$server{Server}->head{Session}->next…' Session
    equal fiber fibers '$server{Server}->fibers[]' Fiber
    if grep -qx 'TESTS 0' "$scratch/console" && grep -q '^test result: ok\. [1-9]' "$scratch/console"; then
        grep '^test result:' "$scratch/console"
    else
        wrong "$kernel: the tests of the heap: $(sed -n '/^running/,$p' "$scratch/console")"
    fi
done
exit $failed
