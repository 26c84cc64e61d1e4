#!/bin/sh
# The first process of a machine in namespaces of its own: puts its file system together, enters it
# and becomes its init. Every mount here goes with the namespace.
#
#   boot.sh BASE FOLDER PROGRAM [ARG…]
set -e
base=$1 folder=$2
shift 2
mount --make-rprivate /
mount -t overlay overlay -o "lowerdir=$base,upperdir=$folder/upper,workdir=$folder/work" "$folder/root"
cd "$folder/root"
mount -t proc proc proc
mount -t sysfs sysfs sys
mount -t tmpfs -o mode=0755 tmpfs run
mount -t tmpfs -o mode=0755 tmpfs dev
for device in null zero full random urandom tty; do
	: >"dev/$device"
	mount --bind "/dev/$device" "dev/$device"
done
mkdir dev/pts dev/shm
mount -t devpts -o newinstance,ptmxmode=0666 devpts dev/pts
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
ip link set lo up
mkdir -p old
pivot_root . old
umount -l /old
# As on a machine of its own: what is mounted later is seen by services that run already.
mount --make-rshared /
# The variable tells systemd that the kernel is not its own.
exec env -i container=loge-test PATH=/usr/sbin:/usr/bin:/sbin:/bin "$@"
