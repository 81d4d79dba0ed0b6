"""A model in external memory: the driver loads its image into the simulation's, and runs it."""

from gateformer.platforms.host.driver import Accelerator
from tests.support.imported.small_accelerator import reference_text
from tests.support.imported.small_streamed import image, program, simulated_registers

from .image_bench import (
    PROMPT,
    Ports,
    generates,
    read_register,
    write_register,
)


def test_text_is_the_references_after_loading(accelerator, memory, weights):
    reported = []
    accelerator.load_image(
        weights, memory, ports=Ports(memory), progress=lambda *now: reported.append(now)
    )
    assert reported[-1] == (len(image()), len(image()))
    for given in ((0, 0, 1, None), (1.3, 5, 7, 0.9)):
        temperature, top_k, seed, top_p = given
        text = accelerator.generate("the cat", 3, temperature, top_k, seed, top_p=top_p)
        assert "".join(text) == reference_text("the cat", 3, *given)
    assert generates(accelerator)
    # another program finds the image there
    assert generates(Accelerator(simulated_registers(), timeout=60))


def test_info_names_memory_image_and_waits(accelerator, memory, weights):
    facts = program().facts
    expected = (
        f"image in external memory: {facts.image_bytes:,} bytes, {facts.memory_bytes:,} with keys "
        "and values, 2 ports of 8 bytes, bursts of 4; "
    )
    write_register("IMAGE_ADDRESS", value=0)
    before = Accelerator(simulated_registers(), timeout=60).info()
    assert not before.image.verified and f"{expected}not loaded" in str(before).splitlines()[-1]
    accelerator.load_image(weights, memory, ports=Ports(memory))
    assert accelerator.info().image.verified
    assert list(accelerator.generate(PROMPT, 3))
    run = accelerator.last_run
    assert 0 < run.stalls < run.cycles
    # before another one resets the core
    saturations = read_register("SATURATIONS")["value"]
    after = str(Accelerator(simulated_registers(), timeout=60).info()).splitlines()[-1]
    assert after == (
        f"{expected}verified, the last run waited for the memory in {run.stalls / run.cycles:.1%} "
        f"of its cycles and limited {saturations:,} numbers"
    )


def test_bench_shows_waits_for_the_memory(loaded):
    bench = loaded.bench(PROMPT, 4)
    assert 0 < bench.prompt_stalls < bench.prompt_cycles
    assert 0 < bench.generated_stalls < bench.generated_cycles
    assert bench.waiting_cycles >= 0
    assert str(bench).count("% of its cycles") == 2
