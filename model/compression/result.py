"""Figures of one compression run as a JSON file, and the bars that they are held against."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path

from ..contract.config import ModelConfig
from ..support.errors import UserError
from ..support.file_facts import Facts
from ..support.whole_file import write_whole

SCHEMA_VERSION = 1
TEXTS = ("name", "method", "command", "gateware", "torch")
"""Entries of a result's file that are texts."""

GATES = {
    "int8-ptq": (1.02, "INT8 after training, one step per row"),
    "int4-qat": (1.10, "INT4 with training"),
    "ternary-qat": (1.15, "ternary with training, the deployed integers"),
    "pruned-50": (1.05, "half of the weights zero, fine-tuned"),
    "one-head-less": (1.05, "one head of each layer removed, fine-tuned"),
}
"""Largest perplexity relative to the float source, and what it is for."""


@dataclasses.dataclass(frozen=True)
class Losses:
    """Nats per character on one text, of the compressed model and its float source.

    ``left_out`` characters of the text are not in the vocabulary and were dropped.
    """

    text: str
    windows: int
    loss: float
    float_loss: float
    left_out: int = 0

    @property
    def perplexity_ratio(self) -> float:
        """Perplexity of the compressed model by that of the source."""
        return math.exp(self.loss - self.float_loss)


@dataclasses.dataclass(frozen=True)
class Result:
    """What one run of ``gateformer compress`` measured.

    Parameters
    ----------
    name : str, of the run and its file
    method, settings : str and dict, what was done
    command : str
    source : dict with ``name`` and ``sha256``
    losses : list of Losses; the first is the corpus' validation text
    n_bytes, float_bytes : int, of the compressed weights and those of the float source
    agreement : dict: ``greedy``, fraction of equal characters of greedy continuations;
        ``by_position``, the same for each position; ``argmax``, equal first choices on the
        validation text
    gate : str or None, key of :data:`GATES`; None if only some windows were measured
    config : dict or None, ModelConfig of the integer model that the gateware runs or would run
    gateware : str, what the gateware can do with the result
    """

    name: str
    method: str
    settings: dict
    command: str
    source: dict
    losses: list[Losses]
    n_bytes: int
    float_bytes: int
    agreement: dict
    gate: str | None
    config: dict | None
    gateware: str
    torch: str

    @property
    def passed(self) -> bool | None:
        """Whether the gate holds; None without one."""
        if self.gate is None:
            return None
        return self.losses[0].perplexity_ratio <= GATES[self.gate][0]

    def save(self, directory: Path) -> Path:
        """Write ``NAME.json``, complete or not at all; its path. UserError if it cannot."""
        path = directory / f"{self.name}.json"
        facts = {"schema_version": SCHEMA_VERSION, **dataclasses.asdict(self)}
        write_whole(path, json.dumps(facts, indent=1, sort_keys=True) + "\n")
        return path

    @classmethod
    def load(cls, path: Path) -> Result:
        """Inverse of :meth:`save`; UserError if the file is none of this version."""
        try:
            facts = Facts.parse(path, path.read_bytes())
            version = facts.integer("schema_version", 0)
            if version != SCHEMA_VERSION:
                raise facts.refused("schema_version", str(SCHEMA_VERSION), version)
            return cls._of(facts)
        except (OSError, UserError) as error:
            raise UserError(
                f"{path} is no result of schema version {SCHEMA_VERSION} "
                f"({str(error).removeprefix(f'{path}: ')}); "
                "run its gateformer compress command again, or delete it"
            ) from None

    @classmethod
    def _of(cls, facts: Facts) -> Result:
        agreement, source = facts.table("agreement"), facts.table("source")
        positions, losses = agreement.items("by_position"), facts.items("losses")
        config = facts.table("config", default=None)
        if config is not None:
            ModelConfig.from_dict(config.content)
        return cls(
            **{name: facts.text(name) for name in TEXTS},
            **{name: facts.integer(name, 1) for name in ("n_bytes", "float_bytes")},
            settings=facts.table("settings").content,
            source={name: source.text(name) for name in ("name", "sha256")},
            losses=[_losses(losses.table(name)) for name in losses],
            agreement={
                **{name: agreement.number(name) for name in ("greedy", "argmax")},
                "by_position": [positions.number(name) for name in positions],
            },
            gate=_gate(facts),
            config=None if config is None else config.content,
        )


def _losses(facts: Facts) -> Losses:
    return Losses(
        facts.text("text"),
        facts.integer("windows", 1),
        facts.number("loss"),
        facts.number("float_loss"),
        facts.integer("left_out", 0, default=0),
    )


def _gate(facts: Facts) -> str | None:
    gate = facts.text("gate", default=None)
    if gate is not None and gate not in GATES:
        raise facts.refused("gate", f"one of {', '.join(GATES)}", gate)
    return gate


def load_results(directory: Path) -> list[Result]:
    """All results in a directory, by name; UserError if there are none."""
    results = [Result.load(path) for path in sorted(directory.glob("*.json"))]
    if not results:
        raise UserError(f"no results in {directory}; make some with gateformer compress")
    return results
