"""Training by several processes gives what one gives, and leaves what one leaves."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from gateformer.model.contract import artifact
from gateformer.model.support import cli
from gateformer.model.support.errors import UserError
from gateformer.model.support.processes import Processes, joined, processes
from tests.support.checkpoints.train_tiny import TEXT
from tests.support.user_error import no_integer

ROOT = Path(__file__).parents[3]
PROGRAM = ROOT / "tests/support/checkpoints/train_tiny.py"
TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node"]
OPTIONS = ["--preset", "tiny", "--batch", "7", "--corpus", "corpus.txt"]
PROGRAM_THAT_FAILS = """
import os, time
from gateformer.model.support import cli
from gateformer.model.support.errors import UserError

def fail():
    raise UserError("too much")

def main():
    rank = int(os.environ["RANK"])
    {body}

cli.FIRST_FAILS_WITHIN = {patience}
cli.run(main, together=True)
"""
STEPS = ["--float-steps", "12", "--steps", "8", "--fixed-steps", "3"]


@pytest.fixture
def place(tmp_path):
    (tmp_path / "corpus.txt").write_text(TEXT)
    return tmp_path


def start(count: int, place: Path, *options: str, program=PROGRAM) -> subprocess.Popen:
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
    }
    launcher = [*TORCHRUN, str(count)] if count > 1 else [sys.executable]
    return subprocess.Popen(
        [*launcher, str(program), *options],
        cwd=place,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def trained(count: int, place: Path, name: str, *options: str) -> tuple[artifact.Artifact, str]:
    """The artifact and what was said."""
    with start(count, place, *OPTIONS, *STEPS, *options, "--out", f"{name}.st") as process:
        output, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors
    return artifact.load(place / f"{name}.st"), errors + output


def losses(text: str) -> list[float]:
    return [float(number) for number in re.findall(r"loss(?: \(subset\))? (\d+\.\d+)", text)]


@pytest.mark.parametrize("count", [pytest.param(2, marks=pytest.mark.slow), 3])
@pytest.mark.slow
def test_several_processes_train_what_one_trains(place, count):
    """7 windows are no multiple of either count; rounding alone is different."""
    one, said = trained(1, place, "one", "--runs", "a")
    several, said_together = trained(count, place, "several", "--runs", "b")
    assert losses(said_together) == pytest.approx(losses(said), abs=5e-4)
    assert len(losses(said)) >= 6
    for name, weights in one.float_weights.items():
        assert several.float_weights[name] == pytest.approx(weights, abs=1e-4)
    assert several.info["val_loss_int"] == pytest.approx(one.info["val_loss_int"], abs=0.01)
    files = [{re.sub("-.*", "", path.name) for path in (place / d).iterdir()} for d in "ab"]
    assert files[0] == files[1] == {"float", "integer", "fixed"}


@pytest.mark.slow
def test_the_signal_of_torchrun_saves_a_checkpoint_that_any_number_continues(place):
    options = (*OPTIONS, "--float-steps", "100000", "--out", "x.st", "--runs", "runs")
    with start(2, place, *options) as process:
        while "step 250/" not in (line := process.stderr.readline()):
            assert line or process.poll() is None
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=60)
    (message,) = re.findall(r"float: stopped after step (\d+) of 100000; the same command", errors)
    checkpoints = list((place / "runs").iterdir())
    assert len(checkpoints) == 1
    assert torch.load(checkpoints[0], weights_only=True)["step"] == int(message)
    with start(1, place, *options) as process:
        steps = (re.match(r"float step (\d+)/", line) for line in process.stderr)
        step = next(int(found[1]) for found in steps if found)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
    assert 0 < step - int(message) <= 250
    assert process.returncode == cli.INTERRUPTED_STATUS


def test_bad_input_is_said_once(place):
    with start(2, place, *OPTIONS, "--out", "x.st", "--steps", "0") as process:
        _, errors = process.communicate(timeout=60)
    lines = [line for line in errors.splitlines() if line.startswith("error: ")]
    assert lines == [f"error: {no_integer('--steps', 'from 1 to 1000000000', 0)}"]
    assert {path.name for path in place.iterdir()} == {"corpus.txt"}


@pytest.mark.parametrize(
    "body, patience",
    [
        pytest.param("time.sleep(2 * (rank == 0)); fail()", 60, id="all, the first one last"),
        pytest.param("fail() if rank else time.sleep(100)", 1, id="not the first one"),
    ],
)
def test_an_error_is_said_once_whoever_meets_it(place, body, patience):
    """torchrun ends all processes when one has failed."""
    program = place / "program.py"
    program.write_text(PROGRAM_THAT_FAILS.format(body=body, patience=patience))
    with start(2, place, program=program) as process:
        _, errors = process.communicate(timeout=60)
    assert [line for line in errors.splitlines() if "error: " in line] == ["error: too much"]


@pytest.mark.slow
def test_a_batch_smaller_than_the_processes(place):
    """As :func:`test_one_process_alone`, by several."""
    with start(2, place, *OPTIONS[:2], *OPTIONS[4:], "--batch", "1", "--out", "x.st") as process:
        _, errors = process.communicate(timeout=60)
    assert (
        "error: 1 windows of a batch are fewer than the 2 processes; choose a larger --batch, or "
        "fewer processes"
    ) in errors.splitlines()


def test_what_is_done_by_one_process_refuses_more(monkeypatch, capsys):
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", "0")
    with pytest.raises(SystemExit) as stop:
        cli.run(lambda: pytest.fail("was called"))
    assert stop.value.code == 2
    assert capsys.readouterr().err == (
        "error: this is done by one process; start it without torchrun\n"
    )


@pytest.mark.parametrize("rows", [5, 6])
@pytest.mark.parametrize("count", [1, 2, 5])
def test_shares_are_a_batch(rows, count):
    batch = torch.arange(rows * 3).reshape(rows, 3)
    shares = [Processes(rank, count).share(batch) for rank in range(count)]
    together = torch.cat([part for part, _ in shares])
    assert sorted(together.tolist()) == batch.tolist()
    assert sum(share for _, share in shares) == pytest.approx(1)
    assert all(share == len(part) / rows for part, share in shares)


def test_one_process_alone():
    with joined():
        assert processes() == Processes(0, 1)
    assert Processes().first and not Processes(1, 2).first
    assert Processes().any(True) and not Processes().any(False)
    with pytest.raises(UserError, match=r"^2 windows of a batch are fewer than the 3 processes"):
        Processes(0, 3).share(torch.zeros(2, 1))
