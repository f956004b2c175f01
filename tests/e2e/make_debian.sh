#!/bin/sh
# Makes a folder with a new Debian for the end-to-end tests; does nothing when the folder is there and complete.
#
#   tests/e2e/make_debian.sh bookworm|trixie DIRECTORY [PACKAGES]        (as root; DEBIAN_MIRROR names another archive)
#
# PACKAGES, with commas, come beside what is essential; without them it is a Debian that boots.
set -eu

release=${1:?bookworm or trixie} directory=${2:?the folder to make}
packages=${3:-dbus,sudo,systemd,systemd-sysv}
mirror=${DEBIAN_MIRROR:-http://deb.debian.org/debian}
complete=$directory/.complete

# Tests that run at once wait for each other here.
exec 9>"$directory.lock"
flock 9
[ ! -e "$complete" ] || exit 0
[ "$(id -u)" -eq 0 ] || {
    echo 'Making a Debian folder needs root (chroot, device nodes).' >&2
    exit 1
}
command -v debootstrap >/dev/null || {
    echo 'debootstrap is missing: install the package of that name.' >&2
    exit 1
}
# What an interrupted run left.  No file system is ever mounted in here.
rm -rf --one-file-system "$directory"
mkdir -p "$directory"
echo "Making Debian $release in $directory from $mirror; this takes a minute or two." >&2
debootstrap --variant=minbase --include="ca-certificates,$packages" "$release" "$directory" "$mirror" >"$directory.log" 2>&1 || {
    tail -n 5 "$directory.log" >&2
    echo "Debian $release could not be made. Is $mirror within reach? DEBIAN_MIRROR names another archive; all that was said is in $directory.log" >&2
    exit 1
}
rm -rf "$directory/var/cache/apt/archives" "$directory.log"
# debootstrap makes no such file, and every installed Debian has it.
printf '127.0.0.1 localhost\n::1 localhost\n' >"$directory/etc/hosts"
touch "$complete"
