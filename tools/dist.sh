#!/bin/sh
# Builds source distribution and wheel into a folder, and checks both.
#
#   PYTHON=.venv/bin/python tools/dist.sh FOLDER
#
# They are made from a copy of what git does not ignore, as it is in this folder: nothing that earlier builds left gets into them.
set -eu

folder=${1:?the folder to build into}
PYTHON=${PYTHON:-.venv/bin/python}

copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
git ls-files --cached --others --exclude-standard -z >"$copy/.names" || {
    echo 'Only a checkout of git can be made into a distribution.' >&2
    exit 1
}
mkdir "$copy/pacserve"
# --parents: with their folders.  A file that was removed and not yet committed is left out.
xargs -0 sh -c 'for name; do [ ! -e "$name" ] || printf "%s\0" "$name"; done' sh <"$copy/.names" | xargs -0 cp --parents -t "$copy/pacserve"

"$PYTHON" -m build --no-isolation --outdir "$copy/made" "$copy/pacserve" >"$copy/log" 2>&1 || {
    cat "$copy/log" >&2
    exit 1
}
"$PYTHON" -m twine --no-color check --strict "$copy"/made/*
"$PYTHON" -m check_wheel_contents "$copy"/made/*.whl
mkdir -p "$folder"
mv "$copy"/made/* "$folder"
