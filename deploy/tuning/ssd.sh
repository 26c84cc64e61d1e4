#!/bin/sh
# Disks of a PC that serves films. The readable form of what `loge-server tune-host --apply` sets in
# this area: the same values, set at once and until the next restart. `tune-host` also keeps them
# over a restart and takes them back (`--undo`).
#
# For a real PC. The disks of a virtual machine or a container belong to the host: run it there.
# Usage: sudo sh ssd.sh
set -eu

# Tests set this to a copy of a machine's files.
root=${TUNE_ROOT:-}
has_ssd=no

# Writes a value only where it changes something, and says so.
set_value() {
    echo "${1#"$root"}: $2"
    echo "$2" >"$1"
}

for disk in "$root"/sys/block/sd* "$root"/sys/block/nvme* "$root"/sys/block/dm-* "$root"/sys/block/md*; do
    [ -e "$disk/queue/rotational" ] || continue
    # USB sticks and memory cards are not tuned.
    [ "$(cat "$disk/removable")" = 0 ] || continue
    rotates=$(cat "$disk/queue/rotational")

    # The order of requests. On an SSD, mq-deadline lets the reads of viewers pass the writes of scans
    # and encodes at little processor time (bfq takes more of that than an SSD gains). An NVMe drive
    # orders requests itself. A hard disk keeps what the kernel chose, and so do LVM, LUKS and
    # RAID, which only pass requests on.
    case $disk in
        */nvme*) scheduler=none ;;
        */sd*) scheduler=mq-deadline ;;
        *) scheduler= ;;
    esac
    if [ "$rotates" = 0 ] && [ -n "$scheduler" ]; then
        case $(cat "$disk/queue/scheduler") in
            *"[$scheduler]"*) ;;
            *"$scheduler"*) set_value "$disk/queue/scheduler" "$scheduler" ;;
        esac
    fi

    # Reading ahead. Several films on one hard disk make its head jump, and each jump costs as much time
    # as reading a megabyte. An SSD has no head to move; the kernel's 128 kB are enough.
    if [ "$rotates" = 1 ]; then read_ahead_kb=1024; else read_ahead_kb=128; fi
    if [ "$(cat "$disk/queue/read_ahead_kb")" -lt "$read_ahead_kb" ]; then
        set_value "$disk/queue/read_ahead_kb" "$read_ahead_kb"
    fi

    if [ "$rotates" = 0 ] && [ "$(cat "$disk/queue/discard_max_bytes")" -gt 0 ]; then has_ssd=yes; fi
done

# An SSD that learns once a week what is free keeps its write speed.
if [ "$has_ssd" = yes ] && [ -z "$root" ] && command -v systemctl >/dev/null; then
    systemctl enable --now fstrim.timer
fi

# Advice, since /etc/fstab is yours: add noatime to the options of the file systems with films.
# Recording when a film was last read wakes the disk and writes to it for nothing.
