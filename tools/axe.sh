#!/bin/sh
# Prints the path of axe-core, the accessibility checker that the tests of the status page run in the browser.  It is downloaded from npm the
# first time, and only this version with this SHA-512 is accepted.
#
#   tools/axe.sh [FOLDER]
set -eu

version=4.10.2
digest=444de6750ecfdc54527bb7aa096a1e43f67d417aed9e24a3a75c148ede67442dd6229cf9ad20af7baa377ec676682a49b6b663499823c170284cee64e2d108d3
url=https://registry.npmjs.org/axe-core/-/axe-core-$version.tgz

folder=${1:-.venv/axe-core-$version}
script=$folder/axe.min.js
if [ ! -e "$script" ]; then
    mkdir -p "$folder"
    archive=$folder/new.tgz
    trap 'rm -rf "$archive" "$folder/new"' EXIT
    python3 -c 'import shutil, sys, urllib.request
with urllib.request.urlopen(sys.argv[1], timeout=30) as answer, open(sys.argv[2], "wb") as file:
    shutil.copyfileobj(answer, file)' "$url" "$archive" || {
        echo "axe-core $version can't be downloaded from $url" >&2
        exit 1
    }
    echo "$digest  $archive" | sha512sum --check --status || {
        echo "the SHA-512 of $url is not the expected one" >&2
        exit 1
    }
    # Moved into place when it is complete.
    mkdir -p "$folder/new"
    tar -xzf "$archive" -C "$folder/new" --strip-components=1 package/axe.min.js package/LICENSE
    mv "$folder/new/LICENSE" "$folder/new/axe.min.js" "$folder"
fi
echo "$script"
