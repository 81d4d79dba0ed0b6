"""The IP core of a model in external memory: its masters, and its testbench with a memory."""

import re
import shutil
import subprocess

import pytest
import yaml

from gateformer.gateware.compiler.program import Program
from gateformer.gateware.host.register_documents import document, header
from gateformer.gateware.host.streamed_registers import STREAMED_REGISTERS
from gateformer.gateware.memory.bus import MemoryShape
from gateformer.gateware.plan.hw_config import HwConfig
from gateformer.gateware.streamed.program import StreamedProgram
from gateformer.model.contract.artifact import open_model
from gateformer.model.contract.decoder.reference import DecoderReference
from gateformer.model.contract.decoder.sampling import DecoderSettings
from gateformer.platforms.boards.board import board
from gateformer.platforms.host.image_file import HEADER_BYTES, IMAGE_FILE, read_header
from gateformer.platforms.ip import testbench
from gateformer.platforms.ip.export import export_ip
from gateformer.platforms.ip.lint import WAIVERS
from gateformer.platforms.ip.memory_verilog import memory_base
from gateformer.platforms.ip.readme import FILES
from gateformer.platforms.ip.testbench_verilog import CELLS, TESTBENCH
from gateformer.platforms.ip.verilog import TOP
from tests.platforms.ip.test_tools import lint_options, needs, run, sources

SPEC = (
    "random:n_layers=1,d_model=6,n_heads=2,n_kv_heads=1,head_dim=4,d_ff=7,ctx_len=4,"
    "vocab_size=11,positions=rotary,activation=silu,gated=1,seed=3"
)
MEMORY = MemoryShape(ports=2, data_bytes=8, burst_beats=4)
BUILD_ID = 0x1234ABCD
CHANNELS = {
    "AR": "ADDR LEN SIZE BURST VALID READY CACHE PROT",
    "AW": "ADDR LEN SIZE BURST VALID READY CACHE PROT",
    "R": "DATA RESP LAST VALID READY",
    "W": "DATA STRB LAST VALID READY",
    "B": "RESP VALID READY",
}
"""IHI 0022, A2.2 to A2.6, without IDs, locks, QoS, regions and users."""
INPUTS = {"ARREADY", "AWREADY", "WREADY", "RDATA", "RRESP", "RLAST", "RVALID", "BRESP", "BVALID"}


@pytest.fixture(scope="module")
def artifact():
    return open_model(SPEC, imported=True)


@pytest.fixture(scope="module")
def program(artifact):
    return StreamedProgram(artifact.model, MEMORY)


@pytest.fixture(scope="module")
def exports(artifact, program, tmp_path_factory):
    """Directory of an export, by board or None, made once."""
    made = {}

    def export(name=None):
        if name not in made:
            directory = tmp_path_factory.mktemp("streamed") / "ip"
            target = None if name is None else board(name)
            paths = export_ip(artifact, program, directory, 100.0, BUILD_ID, board=target)
            absent = CELLS if name is None else WAIVERS
            assert paths == [directory / each for each in FILES if each != absent]
            made[name] = directory
        return made[name]

    return export


def ports(directory) -> dict[str, tuple[str, int]]:
    """(direction, width) by name, of the module in the Verilog."""
    text = (directory / f"{TOP}.v").read_text()
    wrapper = text[text.index(f"module {TOP} (") : text.index("endmodule")]
    found = re.findall(
        r"^    (input |output) wire +(?:\[(\d+):0\] )?(\w+),?$", wrapper, re.MULTILINE
    )
    return {name: (way.strip(), int(high or 0) + 1) for way, high, name in found}


@pytest.mark.slow
def test_every_port_of_the_memory_is_a_master(exports):
    found = ports(exports())
    roles = {f"{channel}{name}" for channel, names in CHANNELS.items() for name in names.split()}
    masters = [name for name in found if name.startswith("M")]
    assert set(masters) == {f"M{port:02d}_AXI_{role}" for port in (0, 1) for role in roles}
    for name in masters:
        role = name.partition("_AXI_")[2]
        assert found[name][0] == ("input" if role in INPUTS else "output"), name
    widths = {"ARADDR": 32, "ARSIZE": 3, "ARBURST": 2, "RDATA": 64, "WSTRB": 8, "RRESP": 2}
    for role, width in widths.items():
        assert found[f"M01_AXI_{role}"][1] == width


@pytest.mark.parametrize(
    ("name", "protocol", "length"), [(None, "AXI4", 8), ("zybo", "AXI3", 4), ("kv260", "AXI4", 8)]
)
@pytest.mark.slow_but("None-*")
def test_the_protocol_is_that_of_the_processors_ports(exports, name, protocol, length):
    directory = exports(name)
    found, text = ports(directory), (directory / f"{TOP}.v").read_text()
    assert found["M00_AXI_ARLEN"][1] == found["M01_AXI_AWLEN"][1] == length
    assert text.count(f"PROTOCOL {protocol},") == 2 and text.count("PROTOCOL AXI4LITE,") == 1
    assert "ASSOCIATED_BUSIF S_AXI:M00_AXI:M01_AXI, ASSOCIATED_RESET S_AXI_ARESETN" in text
    for role in ("ARADDR", "RLAST", "BREADY"):
        assert f'"xilinx.com:interface:aximm:1.0 M01_AXI {role}"' in text
    assert (
        f"`M00_AXI_*` to `M01_AXI_*` are {protocol} masters"
        in (directory / "README.md").read_text()
    )


def test_the_image_is_beside_it(exports, program):
    path = exports() / IMAGE_FILE
    written = read_header(path)
    assert written.checksum == program.checksum
    assert path.stat().st_size == HEADER_BYTES + program.facts.image_bytes
    core = yaml.safe_load((exports() / f"{TOP}.core").read_text())
    files = core["filesets"]["testbench"]["files"]
    assert {IMAGE_FILE: {"file_type": "user", "copyto": IMAGE_FILE}} in files
    readme = (exports() / "README.md").read_text()
    assert f"image of {program.facts.image_bytes:,} bytes" in readme
    assert f"{program.facts.memory_bytes:,} bytes in all" in readme


@pytest.mark.slow
def test_an_export_of_another_core_takes_the_image_away(artifact, program, tmp_path):
    directory = tmp_path / "ip"
    export_ip(artifact, program, directory, 100.0, BUILD_ID)
    trained = open_model("random:n_layers=1,d_model=8,n_heads=2,d_ff=16,ctx_len=6,vocab_size=11")
    export_ip(trained, Program(trained.model, HwConfig(2, 4, 4)), directory, 100.0, BUILD_ID)
    assert not (directory / IMAGE_FILE).exists()
    assert "M00_AXI" not in (directory / f"{TOP}.v").read_text()


def test_registers_are_those_with_an_image(exports):
    assert (exports() / f"{TOP}_regs.h").read_text() == header(STREAMED_REGISTERS)
    assert (exports() / "registers.md").read_text() == document(STREAMED_REGISTERS)


def test_the_packaging_script_has_an_address_space_for_every_master(exports):
    script = (exports("zybo") / "package_ip.tcl").read_text()
    for bus in ("M00_AXI", "M01_AXI"):
        assert f"ipx::associate_bus_interfaces -busif {bus} -clock S_AXI_ACLK $core" in script
        assert f"set space [ipx::add_address_space {bus} $core]" in script
        assert f"master_address_space_ref {bus} [ipx::get_bus_interfaces {bus} " in script
    assert script.count("set_property range 4294967296 $space") == 2
    tkinter = pytest.importorskip("tkinter")
    assert tkinter.Tcl().eval(f"info complete {{{script}}}") == "1"


def test_the_example_names_every_port(exports):
    readme = (exports() / "README.md").read_text()
    instance = re.search(r"```verilog\n(.*?)```", readme, re.DOTALL)[1]
    assert re.findall(r"\.(\w+)\(", instance) == list(ports(exports()))


def test_the_steps(artifact, program):
    """The image is verified after every reset, before a run; tokens are the reference's."""
    steps = testbench.steps(artifact, program, 1, 100_000)
    names = {entry.offset: entry.name for entry in STREAMED_REGISTERS}
    comments = [step.comment for step in steps]
    written = [(names[s.address], s.data) for s in steps if s.kind == "WRITE"]
    assert written.count(("IMAGE_ADDRESS", memory_base(program.facts))) == 2
    assert comments.count("aborted: abort") == 1
    refused = [s for s in steps if s.kind == "READ" and s.comment.endswith(": refused")]
    assert len(refused) == 2 and all(names[s.address] == "ERROR" and s.data for s in refused)
    read = {names[step.address] for step in steps if step.kind == "READ"}
    assert {"MEMORY_SHAPE", "IMAGE_BYTES", "MEMORY_BYTES", "IMAGE_STATUS"} <= read
    prompt = [value for name, value in written if name == "PROMPT"]
    count = next(value for name, value in written if name == "GENERATE_COUNT")
    length = (len(prompt) - 2) // 4  # two refused starts, four runs
    greedy = DecoderReference(artifact.model).generate(
        prompt[1 : 1 + length], count, DecoderSettings()
    )
    taken = [step for step in steps if step.kind == "TOKEN"]
    tokens = [step.data & 0xFFFF for step in taken if step.comment.startswith("greedy")]
    assert tokens == list(greedy)


def test_a_large_model_runs_for_few_tokens(artifact, program, monkeypatch):
    monkeypatch.setattr(testbench, "is_large", lambda artifact: True)
    steps = testbench.steps(artifact, program, 1, 100_000)
    assert sum(step.kind == "TOKEN" for step in steps) == 2 * testbench.LARGE_TOKENS


def simulated(directory, work, *options) -> subprocess.CompletedProcess:
    """The testbench in Icarus Verilog, with the image in ``directory``."""
    needs("iverilog", "vvp")
    compiled = run(
        ["iverilog", "-g2012", "-s", TESTBENCH, "-o", work / "tb", *sources(directory)], work
    )
    assert compiled.returncode == 0, compiled.stderr
    return run(["vvp", "-n", work / "tb", *options], directory)


@pytest.mark.parametrize("name", [None, pytest.param("zybo", marks=pytest.mark.slow)])
@pytest.mark.slow
def test_the_testbench_in_icarus_verilog(exports, name, tmp_path):
    done = simulated(exports(name), tmp_path)
    assert done.returncode == 0, done.stdout
    assert re.search(r"PASS: \d+ steps, \d+ tokens equal the reference's", done.stdout)


def copied(directory, work):
    return shutil.copytree(directory, work / "ip")


def damaged_image(directory):
    path = directory / IMAGE_FILE
    content = bytearray(path.read_bytes())
    content[HEADER_BYTES + 100] ^= 1
    path.write_bytes(content)


def replaced(before, after):
    def change(directory):
        for path in (directory / f"{TOP}.v", directory / f"{TESTBENCH}.v"):
            text = path.read_text()
            if before in text:
                path.write_text(text.replace(before, after, 1))
                return
        raise AssertionError(before)

    return change


FAULTS = {
    "a bit of the image": (damaged_image, "address 0e0 gave 00000004"),
    "no image": (
        lambda directory: (directory / IMAGE_FILE).unlink(),
        "FAIL: weights.bin can't be read; start in its directory, or give +image=FILE",
    ),
    "a cut image": (
        lambda directory: (directory / IMAGE_FILE).write_bytes(bytes(HEADER_BYTES + 8)),
        "FAIL: weights.bin has 8 bytes of an image, not ",
    ),
    "beats of another port": (
        replaced(".read0__rdata(M00_AXI_RDATA)", ".read0__rdata(M01_AXI_RDATA)"),
        "address 0e0 gave 00000004",
    ),
    "bursts that are not INCR": (
        replaced(".read1__arburst(M01_AXI_ARBURST)", ".read1__arburst()"),
        "port 1: unknown bits",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_failure_is_told(exports, fault, tmp_path):
    directory = copied(exports(), tmp_path)
    change, message = FAULTS[fault]
    change(directory)
    done = simulated(directory, tmp_path)
    assert done.returncode != 0 and "PASS" not in done.stdout
    assert "FAIL" in done.stdout and message in done.stdout, done.stdout


@pytest.mark.slow
def test_the_image_can_lie_elsewhere(exports, tmp_path):
    directory = copied(exports(), tmp_path)
    shutil.move(directory / IMAGE_FILE, tmp_path / "other.bin")
    done = simulated(directory, tmp_path, f"+image={tmp_path / 'other.bin'}")
    assert done.returncode == 0, done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("name", [None, "zybo"])
def test_the_testbench_in_verilator(exports, name, tmp_path):
    needs("verilator", "make", "g++")
    command = ["verilator", "--binary", "--timing", "-Wno-fatal", "-Wno-lint", "-CFLAGS", "-O0"]
    built = run([*command, "--top-module", TESTBENCH, *sources(exports(name))], tmp_path)
    assert built.returncode == 0, built.stderr
    done = run([tmp_path / "obj_dir" / f"V{TESTBENCH}"], exports(name))
    assert done.returncode == 0 and "PASS" in done.stdout, done.stdout


def test_fusesoc_puts_the_image_where_a_simulation_starts(exports, tmp_path):
    needs("fusesoc")
    options = ["--setup", "--target", "sim", "gateformer:ip:gateformer"]
    done = run(["fusesoc", "--cores-root", exports(), "run", *options], tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    (started,) = tmp_path.glob("build/*/sim")
    assert (started / IMAGE_FILE).read_bytes() == (exports() / IMAGE_FILE).read_bytes()


@pytest.mark.slow
def test_verilator_has_nothing_to_say(exports, tmp_path):
    needs("verilator")
    directory = exports()
    command = ["verilator", "--lint-only", *lint_options(directory), "--top-module", TOP]
    done = run([*command, directory / WAIVERS, directory / f"{TOP}.v"], tmp_path)
    assert done.returncode == 0 and "%Warning" not in done.stderr, done.stderr[:2000]
