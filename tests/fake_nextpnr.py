"""Programs that stand for nextpnr-ecp5 and ecppack in tests of the flow."""

import json

from .test_placed import ECP5_LOG, ECP5_REPORT

NEXTPNR = """#!/bin/sh
if [ "$1" = --version ]; then
    echo '"nextpnr-ecp5" -- Next Generation Place and Route (Version nextpnr-9.9)' >&2
    exit
fi
echo "$@" >> {directory}/runs
cp {directory}/top.tim {directory}/top.report.json . || exit 7
# a directory for a seed holds what is different with it
[ "$1" != --seed ] || [ ! -d {directory}/$2 ] || cp {directory}/$2/top.* .
echo 'Info: Routing..'
! grep -q FAIL top.tim
"""
PACKER = """#!/bin/sh
if [ "$1" = --version ]; then
    echo 'Project Trellis ecppack Version 1.4-9-gabc'
    exit
fi
echo bits > top.bit
"""


def install(directory, monkeypatch):
    """Put them into ``directory``, with what they leave, and name them in the environment."""
    directory.mkdir()
    for name, text in {"nextpnr-ecp5": NEXTPNR, "ecppack": PACKER}.items():
        tool = directory / name
        tool.write_text(text.format(directory=directory))
        tool.chmod(0o755)
        monkeypatch.setenv(name.upper().replace("-", "_"), str(tool))
    (directory / "top.tim").write_text(ECP5_LOG)
    (directory / "top.report.json").write_text(json.dumps(ECP5_REPORT))
    return directory
