"""An accelerator whose model is in external memory, and that memory: the simulation's."""

import pytest

from gateformer.gateware.memory.bus import Response
from gateformer.platforms.host.driver import Accelerator
from tests.support.imported.small_accelerator import artifact
from tests.support.imported.small_streamed import MEMORY, simulated_registers, write_weights

from .image_bench import Ports


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    path = tmp_path_factory.mktemp("build") / "weights.bin"
    write_weights(path)
    return path


@pytest.fixture
def memory():
    """Of the simulation: nothing of earlier tests is in it, and all is well with it."""
    found = simulated_registers().memory
    for port in range(MEMORY.ports):
        found.set_width(port, narrow=False)
    found.clean_cache()
    found.refuse(0, 0, Response.OKAY)
    found.write(0, b"\xa5" * found.size)
    return found


@pytest.fixture
def accelerator(memory):
    return Accelerator(simulated_registers(), artifact(), timeout=60)


@pytest.fixture
def loaded(accelerator, memory, weights):
    accelerator.load_image(weights, memory, ports=Ports(memory))
    return accelerator
