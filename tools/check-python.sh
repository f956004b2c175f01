#!/bin/sh
# Prints the version of PYTHON, and fails where it is none that pacserve runs with.
set -eu

PYTHON=${PYTHON:-python3}

version=$("$PYTHON" -c 'import sys; print("%d.%d.%d" % sys.version_info[:3])') || {
    echo "There is no working Python at PYTHON=$PYTHON. Name one of version 3.11 or newer: make PYTHON=/path/to/python3 ..." >&2
    exit 1
}
"$PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
    echo "pacserve needs Python 3.11 or newer, and $PYTHON is $version. Name another: make PYTHON=/path/to/python3 ..." >&2
    exit 1
}
echo "$version"
