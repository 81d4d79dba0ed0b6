"""Ports and streams for a board: what is tried, what bounds it, and which one is chosen."""

import argparse
import dataclasses
import json

import pytest

from gateformer.model.contract.artifact import open_model
from gateformer.platforms.boards import external_memory
from gateformer.platforms.boards.board import board
from gateformer.platforms.sizes import fit
from gateformer.platforms.sizes.streamed import search
from gateformer.platforms.sizes.streamed.program import SizedStreamedProgram

MODEL = "random:norm=rms,positions=rotary,gated=1,vocab_size=20,d_model=24,n_heads=2,n_layers=1,"
MODEL += "d_ff=30,ctx_len=12"

WIDE = "random:norm=rms,positions=rotary,gated=1,vocab_size=20,d_model=192,n_heads=2,n_layers=1,"
WIDE += "d_ff=2048,ctx_len=12"
"""Whose matrices take far longer than the pipelines behind the lanes."""


@pytest.fixture(scope="module")
def found():
    return search.search(open_model(MODEL, imported=True).model, board("zybo-z7-20"))


def test_choices_grow_until_they_do_not_fit(found):
    for ports in (1, 2, 4):
        own = sorted((c for c in found if c.shape.ports == ports), key=lambda c: c.streams)
        assert [c.streams for c in own] == [*range(1, len(own) + 1)]
        assert [c.fits for c in own[:-1]] == [True] * (len(own) - 1)
        assert len(own) == 8 or "sites" in own[-1].exceeded
        assert {c.lanes for c in own} == {8 * ports}
        sites = [c.need.sites for c in own]
        assert sites == sorted(sites)


def test_the_best_is_the_fastest_that_fits(found):
    chosen = search.best(found)
    assert chosen.fits
    assert chosen.tokens_per_second == max(c.tokens_per_second for c in found if c.fits)
    assert chosen.streams > 1


def test_what_bounds_a_pass():
    memory = board("zybo").memory
    program = SizedStreamedProgram(open_model(MODEL, imported=True).model, memory.shape, 2)
    cycles, bound = search.pass_cycles(program, memory, 100.0, 5)
    assert (cycles, bound) == (program.cycles(5), search.LANES)
    slow = dataclasses.replace(memory, bytes_per_s=memory.bytes_per_s / 100)
    cycles, bound = search.pass_cycles(program, slow, 100.0, 5)
    assert bound == search.MEMORY
    # 7.8 us from one refresh of 0.26 us to the next
    rate = 0.75 * slow.bytes_per_s / 100e6 * (1 - 0.26 / 7.8)
    assert cycles == pytest.approx(program.bytes_per_pass(5) / rate)


def test_a_port_that_takes_less_than_the_memory_gives_is_named():
    memory = board("zybo").memory
    model = open_model(WIDE, imported=True).model
    shape = dataclasses.replace(memory.shape, ports=1)
    assert memory.usable > shape.word_bytes * 100e6
    program = SizedStreamedProgram(model, shape, 1)
    assert search.pass_cycles(program, memory, 100.0, 5)[1] == search.PORTS
    slow = dataclasses.replace(memory, bytes_per_s=memory.bytes_per_s / 4)
    assert search.pass_cycles(program, slow, 100.0, 5)[1] == search.MEMORY


def test_keys_and_values_of_many_streams_do_not_fit_a_small_memory(monkeypatch):
    monkeypatch.setattr(external_memory, "BOOT_BYTES", 0)
    target = board("zybo-z7-20")
    model = open_model(MODEL, imported=True).model
    need = SizedStreamedProgram(model, target.memory.shape, 2).facts.memory_bytes
    size = target.memory.size - target.memory.room + need - 1
    small = dataclasses.replace(target, memory=dataclasses.replace(target.memory, size=size))
    one, two = search.choices(model, small, ports=[target.memory.shape])
    assert one.fits and two.exceeded == (search.MEMORY,)


def test_an_image_that_the_boot_code_cannot_load():
    target = board("zybo-z7-20")
    model = open_model(MODEL, imported=True).model
    facts = SizedStreamedProgram(model, target.memory.shape, 1).facts
    less = target.memory.loadable - facts.image_bytes
    for more, exceeded in ((0, ()), (1, (search.MEMORY,))):
        memory = dataclasses.replace(target.memory, size=target.memory.size - less - more)
        small = dataclasses.replace(target, memory=memory)
        (found,) = search.choices(model, small, ports=[memory.shape], streams=[1])
        assert found.exceeded == exceeded


def test_streams_of_a_build():
    model = open_model(MODEL, imported=True).model
    assert search.streams_that_fit(model, board("zybo-z7-20"), 100.0) == 2
    assert search.streams_that_fit(model, board("sim"), 100.0) == 1
    target = board("zybo")
    budget = dataclasses.replace(target.budget, lut=target.budget.lut // 3)
    assert search.streams_that_fit(model, dataclasses.replace(target, budget=budget), 100.0) == 1


@pytest.mark.parametrize("context", [16, 4000])
def test_a_model_that_no_sizes_on_chip_fit_is_searched_for_as_it_is_built(context, capsys):
    """Its bits fit the block memories and no core with them; or they are more than there are."""
    model = MODEL.replace("d_model=24,n_heads=2,n_layers=1", "d_model=112,n_heads=4,n_layers=2")
    model = model.replace("vocab_size=20", "vocab_size=512").replace("d_ff=30", "d_ff=128")
    model = model.replace("ctx_len=12", f"ctx_len={context}")
    arguments = argparse.Namespace(
        model=model, streams=None, cores=None, json=None, no_picture=True
    )
    assert fit._one_board(arguments, board("zybo")) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "--streams" in said and "import it with" not in said


def test_what_the_command_prints_and_writes(tmp_path, capsys):
    path = tmp_path / "found.json"
    artifact, target = open_model(MODEL, imported=True), board("zybo")
    assert fit._streamed(argparse.Namespace(json=str(path)), artifact, target) == 0
    said = " ".join(capsys.readouterr().out.split())
    document = json.loads(path.read_text())
    (chosen,) = [choice for choice in document["choices"] if choice["chosen"]]
    assert f"--streams {chosen['streams']}" in said and document["why"] in said
    assert "DDR3L" in said and "bound" in said and "LUT sites" in said
