#!/bin/sh
# Makes a folder with Debian 13 and its pacman 7 for the end-to-end tests; does nothing when the folder is there and complete.
#
#   tests/e2e/make_pacman7.sh DIRECTORY        (as root; DEBIAN_MIRROR names another archive)
set -eu

directory=${1:?the folder to make}

"${0%/*}/make_debian.sh" trixie "$directory" gnupg,libarchive-tools,makepkg,pacman-package-manager,zstd
chroot "$directory" pacman --version >/dev/null || {
    echo "pacman does not run in $directory." >&2
    exit 1
}
