#!/bin/sh
# Builds dist/pacserve_VERSION_ARCHITECTURE.deb for the Debian that this runs on.  Needs no root.
#
#   tools/deb.sh        (in the checkout; tools/system-packages.sh deb installs what it needs)
set -eu

# shellcheck source=/dev/null
. /etc/os-release
# "~": the package of a newer Debian is an upgrade, and so is the same version in an archive.
version=$(sed -n 's/^__version__ = "\(.*\)"$/\1/p' pacserve/__init__.py)-1~${ID}${VERSION_ID:?no version of this Debian is known}
work=build/deb
source=$work/pacserve

rm -rf "$work"
mkdir -p "$source" dist
# Without git, since a release is built as well.
tar -c --exclude=__pycache__ pacserve contrib docs man tools packaging Makefile README.md CHANGELOG.md SECURITY.md LICENSE ./*.cfg ./*.toml ./*.txt |
    tar -x -C "$source"
mv "$source/packaging/debian" "$source/debian"
cat >"$source/debian/changelog" <<END
pacserve ($version) unstable; urgency=medium

  * /usr/share/doc/pacserve/CHANGELOG.md says what is new.

 -- $(sed -n 's/^Maintainer: //p' packaging/debian/control)  $(date -R)
END
(cd "$source" && dpkg-buildpackage --build=binary --no-sign) >"$work/log" 2>&1 || {
    tail -n 30 "$work/log" >&2
    echo "Stopped: the package could not be built; all that was said is in $work/log." >&2
    exit 1
}
mv "$work"/pacserve_*.deb dist/
echo "dist/pacserve_${version}_$(dpkg --print-architecture).deb"
