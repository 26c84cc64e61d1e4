#!/bin/sh
# Memory, processor and limits of a PC that serves films. The readable form of what
# `loge-server tune-host --apply` sets in these areas: the same values, set at once and until the next
# restart. `tune-host` also keeps them over a restart and takes them back (`--undo`).
#
# For PCs and virtual machines. In a container the kernel belongs to the host: run it there.
# Usage: sudo sh memory.sh
set -eu

# Tests set this to a copy of a machine's files.
root=${TUNE_ROOT:-}
vm=$root/proc/sys/vm

set_value() {
    echo "${1#"$root"}: $2"
    echo "$2" >"$1"
}

# Writes a number only where there is less.
at_least() {
    if [ -e "$1" ] && [ "$(cat "$1")" -lt "$2" ]; then set_value "$1" "$2"; fi
}

# Swap on a disk is slow: films that were read once are dropped before programs are swapped out. Swap in
# compressed memory (zram, zswap) is fast: idle pages may go there early. Without swap it does not
# matter.
swaps=$(sed 1d "$root/proc/swaps")
zswap=$(cat "$root/sys/module/zswap/parameters/enabled" 2>/dev/null || echo N)
case $swaps:$zswap in
    :*) ;;
    */zram* | *:Y) at_least "$vm/swappiness" 100 ;;
    *) if [ "$(cat "$vm/swappiness")" -gt 10 ]; then set_value "$vm/swappiness" 10; fi ;;
esac

# Names and dates of films stay in memory while films stream through it; scans touch the disk less.
# 0 would keep them until memory is full.
pressure=$(cat "$vm/vfs_cache_pressure")
if [ "$pressure" -gt 50 ] || [ "$pressure" = 0 ]; then set_value "$vm/vfs_cache_pressure" 50; fi

# Bytes that wait to be written. The kernel's 10 and 20 % of memory are gigabytes on today's machines:
# a large copy fills them, and then the database waits. The kernel sets the percentage to 0 by itself.
memory_kb=$(sed -n 's/^MemTotal: *\([0-9]*\) kB$/\1/p' "$root/proc/meminfo")
dirty() {
    now=$(cat "$vm/$1_bytes")
    if [ "$now" = 0 ]; then now=$((memory_kb * 1024 / 100 * $(cat "$vm/$1_ratio"))); fi
    if [ "$now" -gt "$2" ]; then set_value "$vm/$1_bytes" "$2"; fi
}
dirty dirty_background 67108864
dirty dirty 268435456

# The clock follows the load: full speed within milliseconds when an encode starts, little heat and
# noise while nobody watches. intel_pstate and amd-pstate-epp do that under the name of powersave.
# performance stays: it may be set on purpose. On a laptop the power profile decides, in a virtual
# machine the host.
is_laptop=no
for supply in "$root"/sys/class/power_supply/*; do
    if [ "$(cat "$supply/type" 2>/dev/null)" = Battery ] && [ "$(cat "$supply/scope" 2>/dev/null)" != Device ]; then
        is_laptop=yes
    fi
done
for policy in "$root"/sys/devices/system/cpu/cpufreq/policy*; do
    [ -e "$policy/scaling_governor" ] && [ "$is_laptop" = no ] || continue
    case $(cat "$policy/scaling_governor"):$(cat "$policy/scaling_driver") in
        schedutil:* | ondemand:* | performance:* | powersave:intel_pstate | powersave:amd-pstate-epp) continue ;;
    esac
    for governor in schedutil ondemand; do
        if grep -qw "$governor" "$policy/scaling_available_governors"; then
            set_value "$policy/scaling_governor" "$governor"
            break
        fi
    done
done

# Each folder of a library takes a watch, by which a new film is noticed at once; a desktop uses most
# of the usual 128 instances by itself; a large copy brings many events.
at_least "$root/proc/sys/fs/inotify/max_user_watches" 524288
at_least "$root/proc/sys/fs/inotify/max_user_instances" 512
at_least "$root/proc/sys/fs/inotify/max_queued_events" 65536

# Each stream uses several descriptors in two processes.
at_least "$root/proc/sys/fs/file-max" 262144

# Advice: with less than 4096 open files for one process (ulimit -Hn), put LimitNOFILE=65536 into the
# unit of the service. With up to 8 GB of memory and no zram: apt install zram-tools.
