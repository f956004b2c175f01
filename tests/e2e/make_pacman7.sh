#!/bin/sh
# Makes a folder with Debian 13 and its pacman 7 for the end-to-end tests; does nothing when the folder is there and complete.
#
#   tests/e2e/make_pacman7.sh DIRECTORY        (as root; DEBIAN_MIRROR names another archive)
set -eu

directory=${1:?the folder to make}
mirror=${DEBIAN_MIRROR:-http://deb.debian.org/debian}
complete=$directory/.complete

[ ! -e "$complete" ] || exit 0
[ "$(id -u)" -eq 0 ] || {
    echo 'Making a Debian 13 folder needs root (chroot, device nodes).' >&2
    exit 1
}
command -v debootstrap >/dev/null || {
    echo 'debootstrap is missing: install the package of that name.' >&2
    exit 1
}

# What an interrupted run left.  No file system is ever mounted in here.
rm -rf --one-file-system "$directory"
mkdir -p "$directory"
echo "Making Debian 13 in $directory from $mirror; this takes a minute or two." >&2
debootstrap --variant=minbase --include=ca-certificates,gnupg,libarchive-tools,makepkg,pacman-package-manager,zstd \
    trixie "$directory" "$mirror" >"$directory.log" 2>&1 || {
    tail -n 5 "$directory.log" >&2
    echo "Debian 13 could not be made. Is $mirror within reach? DEBIAN_MIRROR names another archive; all that was said is in $directory.log" >&2
    exit 1
}
rm -rf "$directory/var/cache/apt/archives" "$directory.log"
chroot "$directory" pacman --version >/dev/null || {
    echo "pacman does not run in $directory." >&2
    exit 1
}
touch "$complete"
