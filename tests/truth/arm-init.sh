#!/bin/busybox sh
# What the emulated machine of arm.sh does, as its first process: it writes each answer as a line of its own to the serial
# console, TRUTH what PHP says of itself, WATCH what profile-run reads out of it, TESTS how the tests of the heap ended.
/bin/busybox --install -s /bin
export PATH=/usr/bin:/bin HOME=/tmp TMPDIR=/tmp
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
mount -t tmpfs tmp /tmp
ip link set lo up
cd /tmp
exec >/dev/console 2>&1

echo "KERNEL $(uname -rm), pages of $(awk '/KernelPageSize/ { print $2; exit }' /proc/self/smaps) KiB"
echo "PHP $(php -n -r 'echo PHP_VERSION;')"
for case in array static closure list fiber; do
    mkfifo lines
    : >answers
    php -n /fixtures/heap/leaks.php "$case" 1000 <lines >answers &
    php=$!
    # Open until it was read: the script ends with its input.
    exec 3>lines
    echo >&3
    until [ "$(wc -l <answers)" = 1 ]; do sleep 0.2; done
    echo "TRUTH $case $(cat answers)"
    # The answer comes just before it waits.
    for _ in $(seq 20); do
        reading=$(profile-run watch --heap --once --json --pid "$php" 2>&1)
        case $reading in
        *'"status":"busy"'*) sleep 0.5 ;;
        *) break ;;
        esac
    done
    echo "WATCH $case $reading"
    exec 3>&-
    wait "$php"
    rm lines answers
done

# The one that is left out compiles a program, and there is no compiler here; nothing in it depends on the processor.
it heap:: --test-threads 1 --skip a_php_with_threads_is_refused_by_that_name && ended=0 || ended=$?
echo "TESTS $ended"
poweroff -f
