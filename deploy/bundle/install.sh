#!/bin/sh
# Installs warpcore from this bundle, without a network: sh install.sh [FOLDER]   (a virtual environment; /opt/warpcore)
# PYTHON names the interpreter, python3 by default. `make bundle` has made the bundle.
set -eu
folder=${1:-/opt/warpcore}
python=${PYTHON:-python3}
cd "$(dirname "$0")"

made_for=$(cat made-for)
here=$("$python" made_for.py)
if [ "$here" != "$made_for" ]; then
    echo "this bundle is for $made_for, and $python is $here: name another one (PYTHON=…), or make the bundle there" >&2
    exit 78
fi
if ! sha256sum --check --quiet SHA256SUMS; then
    echo "the bundle is not whole: copy it again" >&2
    exit 1
fi
if ! "$python" -m venv "$folder"; then
    echo "no virtual environment at $folder: install the venv module of $python, or name another folder" >&2
    exit 1
fi
pip_here="-m pip install --quiet --disable-pip-version-check --no-index --find-links ."
"$folder/bin/python" $pip_here --upgrade -r requirements.txt
# Over another release, older or newer, or the same one built again: pip leaves alone what satisfies a requirement.
"$folder/bin/python" $pip_here --force-reinstall --no-deps warpcore
"$folder/bin/warpcore" --version
