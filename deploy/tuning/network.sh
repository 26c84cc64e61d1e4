#!/bin/sh
# The network of a PC that serves films. The readable form of what `loge-server tune-host --apply`
# sets in this area: the same values, set at once and until the next restart. `tune-host` also keeps
# them over a restart and takes them back (`--undo`).
#
# For PCs and virtual machines. In a container the kernel belongs to the host: run it there.
# Usage: sudo sh network.sh
set -eu

# Tests set this to a copy of a machine's files.
root=${TUNE_ROOT:-}

# Writes a value only where it changes something, and says so.
set_value() {
    if [ -e "$1" ] && [ "$(cat "$1")" != "$2" ]; then
        echo "${1#"$root"}: $2"
        echo "$2" >"$1"
    fi
}

ipv4=$root/proc/sys/net/ipv4
core=$root/proc/sys/net/core

# A queue that shares fairly between connections: one download no longer delays everyone's films. It
# applies to cards brought up from now on.
case $(cat "$core/default_qdisc") in
    fq_codel | fq | cake) ;;
    # Some kernels do not have it; the rest of this file is worth doing all the same.
    *) set_value "$core/default_qdisc" fq_codel || echo "this kernel has no fq_codel" ;;
esac

# A packet lost on Wi-Fi or outside the house does not halve the speed of a film. The kernel loads bbr
# when it is chosen.
release=$(cat "$root/proc/sys/kernel/osrelease")
if grep -qw bbr "$ipv4/tcp_available_congestion_control" \
    || grep -qs '/tcp_bbr\.ko' "$root/lib/modules/$release/modules.dep"; then
    set_value "$ipv4/tcp_congestion_control" bbr
fi

# Players load in bursts. After a pause a connection resumes at its previous speed.
set_value "$ipv4/tcp_slow_start_after_idle" 0

# A container hands films to the server in pieces of up to 512 kB; smaller pieces cost more CPU.
if [ "$(cat "$core/wmem_max")" -lt 524288 ]; then
    set_value "$core/wmem_max" 524288
fi

# Lets a connection carry 100 Mbit/s to a viewer 100 ms away. The kernel chooses less only where there
# is little memory.
if [ "$(cut -f 3 "$ipv4/tcp_wmem")" -lt 4194304 ]; then
    set_value "$ipv4/tcp_wmem" "4096 16384 4194304"
fi

# Advice, since it depends on the card:
# - A link at 100 Mbit/s is too narrow for eight films in HD. A cable with all four pairs (Cat 5e or
#   better) and a gigabit port at the other end make it 1000.
# - Intel cards with the driver e1000 or e1000e, and only where the kernel's log says "Detected
#   Hardware Unit Hang": ethtool -K CARD tso off gso off
# - A PC that sleeps at night is woken from a phone after: ethtool -s CARD wol g
