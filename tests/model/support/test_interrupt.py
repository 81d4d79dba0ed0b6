"""When an interrupt is raised: after imports, whatever they do with exceptions."""

import subprocess
import sys

import pytest

IMPORTED = """
import signal

for _ in range({presses}):
    signal.raise_signal(signal.SIGINT)
try:
    import fractions, statistics, {missing}
except BaseException as error:
    print("within the import:", type(error).__name__)
    raise RuntimeError from error
print("imported")
"""
SCRIPT = """
import time
from gateformer.model.support.cli import run

def main():
    import imported
    time.sleep(60)

run(main)
"""


@pytest.mark.parametrize("presses", [1, 3, 300])
@pytest.mark.parametrize("missing, said", [("json", "imported"), ("nosuch", "ModuleNotFoundError")])
def test_an_interrupt_within_an_import(tmp_path, missing, said, presses):
    (tmp_path / "imported.py").write_text(IMPORTED.format(missing=missing, presses=presses))
    (tmp_path / "script.py").write_text(SCRIPT)
    process = subprocess.run(
        [sys.executable, "script.py"], cwd=tmp_path, capture_output=True, text=True, timeout=50
    )
    assert process.stdout.split()[-1] == said
    assert (process.stderr, process.returncode) == ("interrupted\n", 130)
