"""The exported IP core: its Verilog generates the reference's tokens over AXI4-Lite."""

import random
import re
import subprocess
import types

import pytest
import yaml

from gateformer.gateware.host.base_registers import REGISTERS
from gateformer.gateware.host.register_documents import document, header
from gateformer.model.contract.reference import Reference
from gateformer.model.contract.sampling import SamplingSettings
from gateformer.model.support.errors import UserError
from gateformer.platforms.boards.board import board, boards
from gateformer.platforms.families.family import Resources
from gateformer.platforms.host.image_file import IMAGE_FILE
from gateformer.platforms.ip.export import check_directory, export_board_ip, export_ip
from gateformer.platforms.ip.fusesoc import fusesoc_core
from gateformer.platforms.ip.lint import WAIVERS
from gateformer.platforms.ip.readme import FILES
from gateformer.platforms.ip.testbench_verilog import CELLS, TESTBENCH
from gateformer.platforms.ip.verilog import CLOCK, RESET, STATUS, TOP, bus_ports
from gateformer.platforms.ip.vivado import tcl_escaped
from gateformer.platforms.support import cpp_compiler, yosys
from tests.gateware.host.test_hosted_core import generate
from tests.support.axi_driver import AxiDriver
from tests.support.host_bench import Host
from tests.support.verilog_bench import VerilogBench

BUILD_ID = 0x1234ABCD
AXI4_LITE = (
    *("ACLK", "ARESETN", "AWADDR", "AWPROT", "AWVALID", "AWREADY"),
    *("WDATA", "WSTRB", "WVALID", "WREADY", "BRESP", "BVALID", "BREADY"),
    *("ARADDR", "ARPROT", "ARVALID", "ARREADY", "RDATA", "RRESP", "RVALID", "RREADY"),
)
"""IHI 0022, table B1-1."""
ONCHIP = set(FILES) - {IMAGE_FILE}
"""What may be in an export of a model in its own memories."""
RESOURCES = Resources(lut=1234, ff=567, bram=2.5, dsp=8, detail={})


@pytest.fixture(scope="module")
def portable(artifact, program, tmp_path_factory):
    """An export without a board."""
    directory = tmp_path_factory.mktemp("portable") / "ip"
    paths = export_ip(artifact, program, directory, 100.0, BUILD_ID)
    assert paths == [directory / name for name in FILES if name in ONCHIP - {CELLS}]
    return directory


@pytest.fixture(scope="module")
def for_zybo(artifact, program, tmp_path_factory):
    directory = tmp_path_factory.mktemp("zybo") / "ip"
    export_ip(
        artifact, program, directory, 125.0, BUILD_ID, board=board("zybo"), resources=RESOURCES
    )
    return directory


def test_the_files_are_all_there(portable, for_zybo):
    for directory, absent in ((portable, CELLS), (for_zybo, WAIVERS)):
        assert {path.name for path in directory.iterdir()} == ONCHIP - {absent}


def test_the_verilog_generates_the_reference_tokens(artifact, portable):
    """Driver and checker of the AXI4-Lite slave, on the Verilog instead of the Amaranth source."""
    ports = [(CLOCK, 1, True), (RESET, 1, True)]
    ports += [(name, width, is_input) for name, _, width, is_input in bus_ports()]
    ports += [(name, 1, False) for name in STATUS]
    bench = VerilogBench((portable / f"{TOP}.v").read_text(), TOP, ports, CLOCK)
    axi_ports = {
        name.removeprefix("S_AXI_").lower(): port for name, port in vars(bench.ports).items()
    }
    axi = AxiDriver(types.SimpleNamespace(**axi_ports), seed=5, stall=0.2)
    bench.set(getattr(bench.ports, RESET), 1)
    model = artifact.model
    rng = random.Random(4)
    # Hot, so that small differences of the logits change tokens.
    runs = [
        (
            [rng.randrange(11) for _ in range(rng.randint(1, 3))],
            3,
            SamplingSettings.from_user(
                temperature=3, top_k=top_k, seed=seed, logit_scale=model.logit_scale, vocab_size=11
            ),
        )
        for seed, top_k in enumerate([0, 5, 0, 0, 0])
    ]
    runs.append(([10], 9, SamplingSettings()))
    done = []

    async def scenario(ctx):
        host = Host(ctx, axi)
        assert await host.value("BUILD_ID") == BUILD_ID
        assert await host.value("CLOCK_KHZ") == 100_000
        for prompt, count, settings in runs:
            tokens = await generate(host, prompt, count, settings)
            assert tokens == list(Reference(model).generate(prompt, count, settings))
        assert ctx.get(bench.ports.context_full) == 1
        # S_AXI_ARESETN forgets a run under way.
        await host.push([1, 2])
        await host.control("start")
        assert ctx.get(bench.ports.busy) == 1
        ctx.set(bench.ports.S_AXI_ARESETN, 0)
        await ctx.tick()
        ctx.set(bench.ports.S_AXI_ARESETN, 1)
        assert ctx.get(bench.ports.busy) == ctx.get(bench.ports.context_full) == 0
        assert await host.value("GENERATE_COUNT") == 1
        done.append(True)

    axi.add_to(bench)
    bench.add_testbench(scenario)
    bench.run()
    assert done


def test_ports_are_those_of_axi4_lite(portable):
    text = (portable / f"{TOP}.v").read_text()
    wrapper = text[text.index(f"module {TOP} (") : text.index("endmodule")]
    names = re.findall(r"^    (?:input |output) wire +(?:\[\d+:0\] )?(\w+),?$", wrapper, re.M)
    assert names == [f"S_AXI_{name}" for name in AXI4_LITE] + ["busy", "context_full"]
    for name in AXI4_LITE[2:]:
        assert f'"xilinx.com:interface:aximm:1.0 S_AXI {name}"' in wrapper
    assert "ASSOCIATED_BUSIF S_AXI, ASSOCIATED_RESET S_AXI_ARESETN" in wrapper
    assert "POLARITY ACTIVE_LOW" in wrapper and "PROTOCOL AXI4LITE" in wrapper
    assert "FREQ_HZ" not in text


def test_yosys_reads_the_verilog_of_a_board_back(for_zybo, tmp_path):
    (tmp_path / "ip.v").write_text((for_zybo / f"{TOP}.v").read_text())
    yosys.run(
        "read_verilog -lib +/xilinx/cells_sim.v\nread_verilog ip.v\n"
        f"hierarchy -check -top {TOP}\nproc\ncheck -assert\n"
        # lanes of the array, and the two multipliers of each row
        "select -assert-count 8 t:DSP48E1\n",
        tmp_path,
    )


def test_fusesoc_core(artifact, portable, for_zybo):
    for directory, targets in (
        (portable, {"default", "sim", "sim_verilator", "lint"}),
        (for_zybo, {"default", "sim", "sim_verilator", "synth"}),
    ):
        used = set()
        text = (directory / f"{TOP}.core").read_text()
        assert text.startswith("CAPI=2:\n")
        core = yaml.safe_load(text)
        assert core["name"] == "gateformer:ip:gateformer:1.0"
        model = artifact.name
        assert core["description"] == f"Accelerator of the language model {model}, build 1234abcd"
        assert set(core["targets"]) == targets
        for fileset in core["filesets"].values():
            for name in fileset["files"]:
                assert (directory / name).is_file()
        for target in core["targets"].values():
            assert target["toplevel"] == (TESTBENCH if "testbench" in target["filesets"] else TOP)
            used |= set(target["filesets"])
        assert used == set(core["filesets"])
    assert core["targets"]["synth"]["flow_options"]["arch"] == "xilinx"


def test_packaging_script(for_zybo):
    """Runs in Tcl with commands of Vivado's that only note their arguments."""
    tkinter = pytest.importorskip("tkinter")
    tcl = tkinter.Tcl()
    calls = []

    def note(*words):
        calls.append(words)
        return f"<{words[-1]}>"

    script = for_zybo / "package_ip.tcl"
    text = script.read_text()
    commands = set(
        re.findall(
            r"(?<![\w:])(ipx::\w+|create_project|add_files|set_property|"
            r"get_property|current_fileset|update_compile_order)\b",
            text,
        )
    )
    tcl.createcommand("note", note)
    tcl.eval("namespace eval ipx {}")
    for command in commands:
        tcl.eval(f"proc {command} args {{ note {command} {{*}}$args }}")
    tcl.eval(f"source {{{script}}}")
    called = [" ".join(words) for words in calls]
    assert "create_project -force -part xc7z010clg400-1 gateformer_packaging" in called[0]
    ranges = [words[1:3] for words in calls if words[:2] == ("set_property", "range")]
    assert ranges == [("range", "4096")]
    assert "was not run with Vivado" in text
    added = [words[1] for words in calls if words[0] == "ipx::add_register"]
    assert added == [entry.name for entry in REGISTERS]
    offsets = [int(w[2], 16) for w in calls if w[:2] == ("set_property", "address_offset")]
    assert offsets == [entry.offset for entry in REGISTERS]
    descriptions = [w[2] for w in calls if w[:2] == ("set_property", "description")]
    assert descriptions[1:] == [entry.description for entry in REGISTERS]


def test_tcl_text_is_inert():
    tkinter = pytest.importorskip("tkinter")
    text = 'a "b" $c [exit] {d \\ e}; # f'
    assert tkinter.Tcl().eval(f'set x "{tcl_escaped(text)}"') == text


def test_registers_header_compiles_and_documents_agree(portable, tmp_path):
    assert (portable / "gateformer_regs.h").read_text() == header(REGISTERS)
    assert (portable / "registers.md").read_text() == document(REGISTERS)
    readme = (portable / "README.md").read_text()
    example = re.search(r"```c\n(.*?)```", readme, re.S)[1]
    include, define, *body = example.splitlines()
    program = tmp_path / "main.cc"
    program.write_text(
        f"#include <stdint.h>\n{include}\n{define}\n"
        "void put(uint32_t);\nvoid run(uintptr_t base, const uint16_t *prompt, int prompt_length, "
        "int count) {\n" + "\n".join(body) + "\n}\n"
    )
    command = [*cpp_compiler.find_compiler(), "-Wall", "-Werror", f"-I{portable}", "-c"]
    subprocess.run([*command, str(program), "-o", str(tmp_path / "main.o")], check=True)


def test_readme_and_constraints(portable, for_zybo):
    text = (for_zybo / "README.md").read_text()
    assert "| LUT6 | 1,234 | 17,600 |" in text and "| block memories (36 Kb) | 2.5 | 60 |" in text
    assert "0x1234ABCD" in text and "reads 125000" in text
    for entry in REGISTERS:
        if entry.access.writable:
            assert f"| 0x{entry.offset:03X} | {entry.name} | {entry.access.value} |" in text
    assert "It was not synthesized." in (portable / "README.md").read_text()
    assert "-period 8.000 [get_ports S_AXI_ACLK]" in (for_zybo / "constraints.xdc").read_text()


def test_the_example_names_every_port(portable):
    readme = (portable / "README.md").read_text()
    instance = re.search(r"```verilog\n(.*?)```", readme, re.S)[1]
    named = re.findall(r"\.(\w+)\(", instance)
    assert named == [f"S_AXI_{name}" for name in AXI4_LITE] + ["busy", "context_full"]


def test_a_later_export_replaces_an_earlier_one(artifact, program, portable):
    (portable / CELLS).write_text("of an export for a board")
    export_ip(artifact, program, portable, 100.0, BUILD_ID)
    assert {path.name for path in portable.iterdir()} == ONCHIP - {CELLS}


def test_somebody_elses_directory_is_refused(artifact, program, tmp_path):
    (tmp_path / "mine.v").write_text("module mine; endmodule")
    with pytest.raises(UserError) as error:
        export_ip(artifact, program, tmp_path, 100.0, 1)
    assert str(error.value) == (
        f"{tmp_path} is not empty and no earlier export; move it away or empty it"
    )
    assert [path.name for path in tmp_path.iterdir()] == ["mine.v"]
    with pytest.raises(UserError) as error:
        check_directory(tmp_path / "mine.v")
    assert str(error.value) == (
        f"{tmp_path / 'mine.v'} is a file, where --export ip needs a directory; move it away"
    )
    check_directory(tmp_path / "absent")


def test_an_export_for_the_simulation_is_portable(artifact, program, portable, tmp_path):
    paths = export_board_ip(board("sim"), artifact, program, 100.0, tmp_path / "ip")
    assert paths == [tmp_path / "ip" / name for name in FILES if name in ONCHIP - {CELLS}]
    head, made = ((d / f"{TOP}.v").read_text().split("\n", 1) for d in (tmp_path / "ip", portable))
    assert head[0].startswith(f"// Accelerator of the language model {artifact.name}, build ")
    # the build id is another one; nothing else differs from an export without a board
    ids = [re.search(r"build ([0-9a-f]{8})", text[0])[1] for text in (head, made)]
    assert ids[0] != ids[1] == f"{BUILD_ID:08x}"
    numbers = [f"32'd{int(number, 16)}" for number in ids]
    assert numbers[0] in head[1] and numbers[1] in made[1]
    assert head[1].replace(numbers[0], numbers[1]) == made[1]
    core = yaml.safe_load((tmp_path / "ip" / f"{TOP}.core").read_text())
    assert "lint" in core["targets"]
    assert "The Verilog uses no vendor's primitives." in (tmp_path / "ip/README.md").read_text()


def test_every_board_s_own_export_has_the_targets_that_docs_name(program):
    """docs/ip.md: ``lint`` for sim, ``synth`` for a board, the testbench where there are models."""
    for target in boards().values():
        text = fusesoc_core("x", target.family and target.family.name, portable=not target.family)
        targets = set(yaml.safe_load(text)["targets"]) - {"default"}
        assert targets == ({"synth"} if target.family else {"lint", "sim", "sim_verilator"})
        assert (target.dsp == "generic") == (target.family is None)
