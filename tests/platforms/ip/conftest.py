"""A small model in its own memories, as it is exported."""

import pytest

from gateformer.gateware.compiler.program import Program
from gateformer.gateware.plan.hw_config import HwConfig
from gateformer.model.contract.artifact import open_model

SPEC = "random:n_layers=1,d_model=8,n_heads=2,d_ff=16,ctx_len=6,vocab_size=11,seed=3"


@pytest.fixture(scope="module")
def artifact():
    return open_model(SPEC)


@pytest.fixture(scope="module")
def program(artifact):
    return Program(artifact.model, HwConfig(2, 4, 4))
