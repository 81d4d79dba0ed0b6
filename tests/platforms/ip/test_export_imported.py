"""The IP core of an imported model: what it is made of, and its testbench in Icarus Verilog."""

import re
import shutil
import subprocess

import pytest

from gateformer.gateware.host.any_core import compile_model
from gateformer.gateware.host.imported_registers import IMPORTED_REGISTERS
from gateformer.gateware.host.register_documents import document, header
from gateformer.gateware.host.registers import register
from gateformer.gateware.plan.hw_config import HwConfig
from gateformer.model.contract.artifact import open_model
from gateformer.model.contract.decoder.reference import DecoderReference
from gateformer.model.contract.decoder.sampling import DecoderSettings
from gateformer.platforms.ip import testbench
from gateformer.platforms.ip.export import export_ip
from gateformer.platforms.ip.testbench_verilog import TESTBENCH
from gateformer.platforms.ip.verilog import TOP

SPEC = (
    "random:n_layers=1,d_model=6,n_heads=2,n_kv_heads=1,head_dim=4,d_ff=7,ctx_len=4,"
    "vocab_size=11,positions=rotary,activation=silu,gated=1,seed=3"
)


@pytest.fixture(scope="module")
def artifact():
    return open_model(SPEC, imported=True)


@pytest.fixture(scope="module")
def exported(artifact, tmp_path_factory):
    directory = tmp_path_factory.mktemp("imported") / "ip"
    program = compile_model(artifact.model, HwConfig(rows=1, cols=1, lanes=4))
    export_ip(artifact, program, directory, 100.0, 0x1234ABCD)
    return directory


def test_registers_are_those_of_imported_models(exported):
    assert (exported / f"{TOP}_regs.h").read_text() == header(IMPORTED_REGISTERS)
    assert (exported / "registers.md").read_text() == document(IMPORTED_REGISTERS)
    script = (exported / "package_ip.tcl").read_text()
    assert "TOP_P" in script and "ENGINE_ROWS" not in script
    assert "with 4 lanes, behind AXI4-Lite" in (exported / "README.md").read_text()


def test_the_steps_ask_for_everything(artifact):
    """Every setting is written, every constant read, tokens are the reference's."""
    program = compile_model(artifact.model, HwConfig(rows=1, cols=1, lanes=4))
    steps = testbench.steps(artifact, program, 1, 100_000)
    names = {entry.offset: entry.name for entry in IMPORTED_REGISTERS}
    written = {names[step.address] for step in steps if step.kind == "WRITE"}
    settings = {entry.name for entry in IMPORTED_REGISTERS if entry.access.value == "read, write"}
    assert written == {*settings, "PROMPT", "CONTROL"}
    read = {names[step.address] for step in steps if step.kind == "READ"}
    assert {"HEADS", "FAMILY", "TOP_P", "SPEC_VERSION", "ARTIFACT_HASH_7"} <= read
    top_p = {s.data for s in steps if s.kind == "WRITE" and names[s.address] == "TOP_P"}
    assert len(top_p) == 2 and max(top_p) == 2**16
    prompt = [s.data for s in steps if s.kind == "WRITE" and names[s.address] == "PROMPT"]
    output = register("OUTPUT", IMPORTED_REGISTERS)
    tokens = [output.unpack(step.data)["token"] for step in steps if step.kind == "TOKEN"]
    greedy = list(
        DecoderReference(artifact.model).generate(prompt[: len(prompt) // 3], 9, DecoderSettings())
    )
    assert tokens[: len(greedy)] == greedy


@pytest.mark.slow
def test_the_testbench_passes(exported):
    if not shutil.which("iverilog"):
        pytest.skip("Icarus Verilog is not installed")
    files = [str(exported / f"{name}.v") for name in (TESTBENCH, TOP)]
    build = ["iverilog", "-g2012", "-s", TESTBENCH, "-o", str(exported / "tb"), *files]
    subprocess.run(build, check=True, capture_output=True)
    result = subprocess.run(
        ["vvp", "-n", str(exported / "tb")], capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stdout
    assert re.search(r"PASS: \d+ steps, [468] tokens equal the reference's", result.stdout)
