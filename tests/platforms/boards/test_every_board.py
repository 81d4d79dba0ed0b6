"""Every board and variant with every shipped model, down to RTLIL, without any tool."""

import re
import subprocess
import sys

import pytest

from gateformer.gateware.compiler.program import Program
from gateformer.gateware.plan.hw_config import HwConfig
from gateformer.model.contract.artifact import open_model, shipped_models
from gateformer.model.contract.random_model import random_model
from gateformer.model.support.errors import UserError
from gateformer.platforms.boards.board import board
from gateformer.platforms.boards.target import PROCESSOR
from gateformer.platforms.sizes.sizing import choose_sizes
from gateformer.platforms.support import verilog
from tests.support.no_core import leave_out_the_core
from tests.support.own_boards import OWN_BOARDS, write_board

from .pins import expected_pins, located, ports
from .test_board import TARGETS

SMALLEST = {("ulx3s", "12F"), ("tang-nano-9k", None)}
SMALLER = {
    *SMALLEST,
    ("cora-z7", None),
    ("arty-a7-35", None),
    ("tang-primer-20k", None),
    ("ulx3s", "25F"),
    ("ulx3s", "45F"),
}
TOO_SMALL = {
    "shakespeare-115k": SMALLEST,
    "shakespeare-115k-2t": {*SMALLEST, ("tang-primer-20k", None)},
    "shakespeare-zybo": SMALLER,
    "stories-zybo": SMALLER,
}
"""Boards whose block memories do not hold a model; its gateware elaborates all the same."""
FAST = {("zybo", None): "shakespeare-115k", ("ulx3s", "25F"): "shakespeare-115k-2t"}
"""Shipped models that elaborate in the fast tests: those that take ten seconds, not thirty."""
SLOW = {("kv260", None): "stories-zybo", ("tang-primer-20k", None): "shakespeare-zybo"}
"""One for each of the other families in the slow tests; what is around a core is tested for every
board, without it."""
PROCESSORS = {("xc7", PROCESSOR): ["PS7"], ("xcup", PROCESSOR): ["PS8"]}
TINY = "random:n_layers=1,d_model=8,n_heads=2,d_ff=16,ctx_len=6,vocab_size=11"


@pytest.fixture(autouse=True)
def no_yosys(monkeypatch):
    monkeypatch.setattr(verilog, "verilog_text", lambda rtlil: "")


@pytest.fixture
def no_core(monkeypatch):
    """Of tests of what is around it; :func:`test_elaborates` and
    :func:`test_the_core_of_every_family` have it."""
    leave_out_the_core(monkeypatch)


@pytest.fixture(scope="module")
def program():
    return Program(random_model(TINY), HwConfig(2, 4, 4))


def every_target_with_a_model():
    """Every board with every shipped model: each family and model once in the fast or the slow
    tests; the rest are of those that no one waits for."""
    found = []
    for target in TARGETS:
        for model in shipped_models():
            marks = [pytest.mark.slow, pytest.mark.full_size]
            if FAST.get(target) == model:
                marks = []
            elif SLOW.get(target) == model:
                marks = [pytest.mark.slow]
            found.append(pytest.param(*target, model, marks=marks))
    return found


@pytest.mark.parametrize(("name", "variant", "model"), every_target_with_a_model())
@pytest.mark.slow_but("zybo-*")
def test_elaborates(name, variant, model):
    target = board(name, variant)
    artifact = open_model(model)
    if (name, variant) in TOO_SMALL[model]:
        with pytest.raises(UserError, match=f"^the model does not fit {target.label}: it needs "):
            choose_sizes(artifact.model, target)
        sizes = HwConfig(2, 8, 8)
    else:
        sizes = choose_sizes(artifact.model, target)
    program = Program(artifact.model, sizes)
    top = target.build_top(program, target.default_clock_mhz, **target.top_options(artifact.name))
    assert abs(float(top.clock_mhz) / target.default_clock_mhz - 1) <= 1e-3
    plan = target.build_platform(target.toolchains[0]).prepare(top, "top")
    assert "module \\top\n" in plan.files["top.il"]


@pytest.mark.parametrize(("name", "variant"), TARGETS)
@pytest.mark.parametrize("clock_mhz", [33.75])
def test_every_toolchain_with_another_clock(name, variant, clock_mhz, program, no_core):
    target = board(name, variant)
    top = target.build_top(program, clock_mhz)
    for toolchain in target.toolchains:
        platform = target.build_platform(toolchain)
        files = platform.prepare(top, "top").files
        assert "build_top.sh" in files
        # clock, lights, both ends of the console or the processor are there and bound
        assert located(files) == expected_pins(platform, target)
        assert set(located(files)) == set(ports(files["top.il"]))
        found = re.findall(r"cell \\(PS\d) ", files["top.il"])
        assert found == PROCESSORS.get((target.family.name, target.console), [])


@pytest.mark.parametrize("name", ["zybo", "kv260", "ulx3s", "tang-nano-9k"])
def test_the_core_of_every_family(name, program):
    """Whole, by every toolchain; what is around it, every board has in the other tests."""
    target = board(name)
    top = target.build_top(program, target.default_clock_mhz)
    for toolchain in target.toolchains:
        files = target.build_platform(toolchain).prepare(top, "top").files
        assert "\nmodule \\top\n" in files["top.il"] and ".engine" in files["top.il"]


@pytest.mark.parametrize(
    ("name", "variant"),
    [pytest.param(*target, marks=() if target in FAST else pytest.mark.slow) for target in TARGETS],
)
def test_two_cores_of_two_streams(name, variant):
    target = board(name, variant)
    both = Program(random_model(TINY), HwConfig(2, 4, 4, streams=2, cores=2))
    top = target.build_top(both, target.default_clock_mhz)
    files = target.build_platform(target.toolchains[0]).prepare(top, "top").files
    assert ".core.core.shared.engine" in files["top.il"]
    assert ".core.core1.shared.engine" in files["top.il"]


@pytest.mark.parametrize("name", ["zybo", "kv260", "ulx3s"])
def test_every_part_that_is_constructed_is_in_the_design(name):
    """In a process of its own: amaranth warns when a forgotten one is collected, at any time."""
    code = f"""if True:
        import gc
        from gateformer.gateware.compiler.program import Program
        from gateformer.gateware.plan.hw_config import HwConfig
        from gateformer.model.contract.random_model import random_model
        from gateformer.platforms.boards.board import board

        target = board("{name}")
        program = Program(random_model("{TINY}"), HwConfig(2, 4, 4))
        top = target.build_top(program, target.default_clock_mhz)
        platform = target.build_platform(target.toolchains[0])
        platform.writes_verilog = False
        platform.prepare(top, "top")
        del top, program, platform
        gc.collect()
    """
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (process.returncode, process.stderr) == (0, "")


@pytest.mark.parametrize("name", OWN_BOARDS)
def test_own_boards(name, tmp_path, program, no_core):
    """Platforms of amaranth-boards in a file of a user's, as ``build.py`` takes them."""
    target = board(write_board(tmp_path, name))
    assert choose_sizes(program.model, target).rows
    options = target.top_options("shakespeare-115k")
    for toolchain in target.toolchains:
        top = target.build_top(program, target.default_clock_mhz, **options)
        platform = target.build_platform(toolchain)
        files = platform.prepare(top, "top", nextpnr_opts="--freq 25").files
        assert "build_top.sh" in files
        assert located(files) == expected_pins(platform, target)
        assert set(located(files)) == set(ports(files["top.il"]))


def test_the_console_s_settings_are_part_of_the_build_id(program):
    target = board("ulx3s")
    ids = {
        target.build_top(program, 85.0, **options).build_id
        for options in ({}, {"name": "other"}, {"baud": 9600})
    }
    assert len(ids) == 3


def test_a_baud_rate_that_the_clock_cannot_make(program):
    with pytest.raises(UserError) as error:
        board("ulx3s").build_top(program, 85.0, baud=50_000_000)
    assert str(error.value) == (
        "a clock of 85000000 Hz cannot make 50000000 baud; the nearest rate is 21250000 baud"
    )


@pytest.mark.parametrize(("name", "mhz"), [("ulx3s", 25), ("tang-nano-9k", 27)])
def test_the_oscillator_s_own_frequency_needs_no_pll(name, mhz, program, no_core):
    top = board(name).build_top(program, float(mhz))
    assert top.clock_mhz == mhz
    plan = board(name).build_platform("nextpnr").prepare(top, "top")
    assert "EHXPLLL" not in plan.files["top.il"] and "rPLL" not in plan.files["top.il"]


@pytest.mark.parametrize("variant", ["12F", "25F", "45F", "85F"])
def test_the_ulx3s_holds_the_esp32_s_gpio0_high(variant, program, no_core):
    """Else the ESP32's first firmware takes the board back after a second or two."""
    target = board("ulx3s", variant)
    files = target.build_platform("nextpnr").prepare(target.build_top(program, 85.0), "top").files
    lpf = files["top.lpf"] if isinstance(files["top.lpf"], str) else files["top.lpf"].decode()
    assert 'LOCATE COMP "wifi_gpio0_0__io" SITE "L2";' in lpf
    module = re.search(r"^module \\top\.wifi_gpio0_0\n(.*?)^end\n", files["top.il"], re.M | re.S)[1]
    assert "connect \\o$1 1'1\n" in module and "connect \\oe 1'1\n" in module
