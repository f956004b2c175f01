#!/bin/sh
# Makes .venv with this working tree installed in it (editable, so that changes take effect at once), and does nothing if it is up to date.
#
#   PYTHON=python3 tools/venv.sh run|test
set -eu

purpose=${1:?run or test}
PYTHON=${PYTHON:-python3}
venv=.venv
state=$venv/pacserve-setup

version=$(PYTHON="$PYTHON" tools/check-python.sh)

# An environment is useless after a change of the interpreter, or of the folder, which is written into the scripts.
place="Python $version in $PWD"
# A checksum of the requirements.
wanted=$(cat setup.cfg pyproject.toml | cksum)

if [ "$(sed -n 1p $state 2>/dev/null)" != "$place" ]; then
    # An environment made by hand is taken over; only one made by this script is emptied first.
    clear=
    [ ! -e $state ] || clear=--clear
    "$PYTHON" -m venv ${clear:+"$clear"} $venv
    echo "$place" >$state
fi
# An environment for the tests is enough to run pacserve, too.
if grep -qxF -e "test $wanted" -e "$purpose $wanted" $state; then
    exit
fi
echo "Installing pacserve and what it needs into $venv; the first time takes a minute." >&2
case $purpose in
    run) what='.' ;;
    test) what='.[test]' ;;
esac
$venv/bin/python -m pip install --quiet --disable-pip-version-check --use-pep517 --editable "$what" || {
    echo "Stopped: pip could not install it. The first time needs a way to the Python package index (pypi.org; https_proxy is used if it is set)." >&2
    exit 1
}
printf '%s\n' "$place" "$purpose $wanted" >$state
