"""Runs of a core that reads its model from external memory: disturbed, aborted, in error."""

import numpy as np
import pytest

from gateformer.gateware.memory.bus import Response
from gateformer.model.contract.decoder.sampling import DecoderSettings
from gateformer.platforms.host.driver import Accelerator
from tests.support.imported.small_accelerator import BEGIN, artifact, reference_tokens
from tests.support.imported.small_streamed import MEMORY, program, simulated_registers
from tests.support.user_error import message

from .image_bench import (
    PROMPT,
    Ports,
    generates,
    read_register,
    refuses_to_run,
    settle,
    start_a_run,
    write_register,
)


def test_a_copy_that_is_broken_off_leaves_no_image(loaded, memory, weights):
    def break_off(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        loaded.load_image(weights, memory, progress=break_off)
    assert not loaded.info().image.verified
    assert refuses_to_run(loaded)


def test_loading_while_the_core_runs(loaded, memory, weights):
    run = loaded.generate(PROMPT, 20)
    first = next(run)
    assert message(loaded.load_image, weights, memory) == (
        "the simulation: the image can't be loaded while the core is running; read the run to its "
        "end, or close it, first"
    )
    assert [first, *run] == reference_tokens([BEGIN, 40], 20, DecoderSettings())


def test_the_core_refuses_what_would_disturb_a_run(loaded):
    run = loaded.generate(PROMPT, 20)
    next(run)
    before = read_register("IMAGE_ADDRESS")
    write_register("CONTROL", verify=1)
    write_register("IMAGE_ADDRESS", value=0)
    errors = read_register("ERROR")
    assert errors["verify_while_busy"] and errors["settings_locked"]
    assert read_register("IMAGE_ADDRESS") == before
    assert "verify_while_busy (verify while busy or verifying, ignored)" in message(list, run)
    assert generates(loaded)


@pytest.mark.parametrize("response", [Response.SLVERR, Response.DECERR])
@pytest.mark.parametrize("place", ["token", "stream", "keys and values"])
def test_an_error_while_it_generates(loaded, memory, response, place):
    stripe = MEMORY.stripe_bytes
    first = {
        "token": PROMPT[1] * program().token_stripes * stripe,
        "stream": program().first_fixed * stripe,
        "keys and values": program().first_cache * stripe,
    }[place]
    memory.refuse(first, first + stripe - 1, response)
    refusal = message(lambda: list(loaded.generate(PROMPT, 6)))
    assert f"while the core was generating, the memory answered {response.name}: " in refusal
    memory.refuse(0, 0, Response.OKAY)
    assert generates(loaded)  # the image itself is as before


def test_an_error_that_comes_after_an_abort_is_not_the_next_runs(loaded, memory):
    """Words that were under way are answered later."""
    first, size = program().first_cache * MEMORY.stripe_bytes, MEMORY.stripe_bytes
    simulation = simulated_registers().simulation
    for later in range(0, 24, 3):
        memory.refuse(first, first + size - 1, Response.DECERR)
        start_a_run(9)
        while not simulation.get("write0__awvalid"):
            settle(1)
        settle(later)
        write_register("CONTROL", abort=1)
        memory.refuse(0, 0, Response.OKAY)
        start_a_run(1)
        settle(200)
        assert read_register("IMAGE_STATUS")["fault"] == 0, later
        write_register("CONTROL", abort=1)
    assert generates(loaded)


def test_the_image_is_verified_where_it_is(loaded, memory):
    """At another address it is not, and after a reset it is not known where."""
    stripe = MEMORY.stripe_bytes
    write_register("IMAGE_ADDRESS", value=memory.address + stripe)
    assert refuses_to_run(loaded)
    write_register("IMAGE_ADDRESS", value=memory.address)
    assert generates(loaded)
    simulated_registers().reset()
    assert refuses_to_run(loaded)
    write_register("IMAGE_ADDRESS", value=memory.address)
    assert refuses_to_run(loaded)


def aborted_runs(cycles):
    """Start, abort in the middle of bursts, and run again, for each number of cycles."""
    for number in cycles:
        start_a_run(9)
        assert not any(read_register("ERROR").values())
        settle(number)
        write_register("CONTROL", abort=1)
        yield number


def test_a_run_after_one_that_was_aborted_in_a_burst(loaded):
    for number in aborted_runs([0, 1, 2, 7, 33, 150, 777]):
        assert generates(loaded), number


@pytest.mark.slow
def test_a_run_after_any_abort(loaded):
    rng = np.random.default_rng(4)
    for number in aborted_runs(rng.integers(0, 3000, 200).tolist()):
        assert generates(loaded), number


def test_an_image_after_an_abort_in_its_burst(accelerator, memory, weights):
    for cycles in (0, 1, 13, 400):
        accelerator.load_image(weights, memory, ports=Ports(memory))
        write_register("CONTROL", verify=1)
        settle(cycles)
        write_register("CONTROL", abort=1)
        settle(20)
        assert refuses_to_run(accelerator), cycles
        accelerator.load_image(weights, memory, ports=Ports(memory))
        assert generates(accelerator), cycles


def test_a_reset_of_the_fabric_in_a_burst(loaded, memory, weights):
    for cycles in (1, 60, 500):
        start_a_run(9)
        settle(cycles)
        simulation = simulated_registers().simulation
        simulation.set("reset", 1)
        simulation.step(5)
        simulation.set("reset", 0)
        simulation.step(5)
        again = Accelerator(simulated_registers(), artifact(), timeout=60)
        assert not again.info().image.verified
        assert "is not in the memory; load it" in message(lambda a=again: list(a.generate([1], 1)))
        again.load_image(weights, memory, ports=Ports(memory))
        assert generates(again)
