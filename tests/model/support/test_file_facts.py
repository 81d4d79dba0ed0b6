"""Whatever a file holds: entries of the wrong kind, and numbers that are none, are one line.

Each reader is given its file with every entry that it uses replaced by what that must not be.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator

import numpy as np
import pytest
import safetensors
import safetensors.numpy

from gateformer.model.contract import artifact
from gateformer.model.contract.random_model import random_model
from gateformer.model.support.errors import UserError
from gateformer.model.support.file_facts import Facts
from tests.support.file_readers import READERS, SPEC, make_artifact
from tests.support.user_error import message

NEVER = [float("nan"), float("inf"), -float("inf")]
WRONG = {
    "integer": [*NEVER, True, "7", 1.5, [], {}, -1, 10**400],
    "number": [*NEVER, True, "7", [], {}, 10**400],
    "positive": [*NEVER, True, "7", [], {}, 10**400, 0, -1],
    "text": [*NEVER, True, 7, [], {}],
    "list": [*NEVER, True, 7, "x", {}],
    "object": [*NEVER, True, 7, "x", []],
    "any": NEVER,
}
"""What an entry of each kind must not be. ``any``: it is kept, not used."""


def places(content, path: list[str]) -> Iterator[list]:
    """Keys of every entry of ``content`` that the path names."""
    if not path:
        yield []
        return
    keys = [path[0]]
    if path[0] == "*":
        keys = [*content] if isinstance(content, dict) else [*range(len(content))]
    for key in keys:
        yield from ([key, *rest] for rest in places(content[key], path[1:]))


def replaced(content, keys: list, value) -> None:
    for key in keys[:-1]:
        content = content[key]
    assert keys[-1] in content or isinstance(content, list)
    content[keys[-1]] = value


@pytest.fixture(scope="module", params=READERS)
def reader(request, tmp_path_factory):
    """(Reader, a good file, its JSON)."""
    reader = READERS[request.param]
    path, found = reader.make(tmp_path_factory.mktemp("files")), []
    reader.change(path, lambda content: found.append(copy.deepcopy(content)))
    return reader, path, found[0]


def test_the_good_file_is_read(reader):
    reader[0].read(reader[1])


def test_every_entry_that_is_used_is_checked(reader):
    reader, path, good = reader
    whole, count = path.read_bytes(), 0
    for name, kind in reader.kinds.items():
        for keys in list(places(good, name.split(".")))[:3]:
            for value in WRONG[kind]:
                reader.change(path, lambda content, k=keys, v=value: replaced(content, k, v))
                said = message(reader.read, path)
                path.write_bytes(whole)
                assert str(path) in said, (keys, value)
                last = f"[{keys[-1]}]" if isinstance(keys[-1], int) else keys[-1]
                known = last in said or name.startswith("config.digits")
                assert known or "n_embd" in said, (said, keys, value)
                count += 1
    assert count >= 5 * len(reader.kinds) or set(reader.kinds.values()) == {"any"}


def test_what_is_no_json(reader):
    reader, path, _ = reader
    if path.suffix != ".json":
        pytest.skip("its JSON lies in a safetensors file")
    whole = path.read_bytes()
    for content in (b"", b"{", b"[]", b"7", b"null", b"\xff", b"[" * 100_000, b'{"a": NaN}'):
        path.write_bytes(content)
        assert str(path) in message(reader.read, path)
    path.write_bytes(whole)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_weights_are_finite(tmp_path, value):
    path = tmp_path / "m.safetensors"
    weights = {"token_embedding": np.full((5, 4), value)}
    artifact.save(path, random_model(SPEC), weights)
    assert message(artifact.load, path) == (
        f"{path}: tensor float.token_embedding holds numbers that are not finite"
    )


@pytest.mark.parametrize("kind", ["float32", "int16", "uint8", "int64", "bool"])
def test_integers_are_of_their_type(tmp_path, kind):
    path = make_artifact(tmp_path)
    with safetensors.safe_open(path, "numpy") as file:
        metadata = file.metadata()
    tensors = safetensors.numpy.load(path.read_bytes())
    for name, array in tensors.items():
        expected = str(array.dtype)
        if expected == kind:
            continue
        safetensors.numpy.save_file({**tensors, name: array.astype(kind)}, path, metadata)
        assert message(artifact.load, path) == (
            f"{path}: tensor {name} must hold {expected}, not {kind}"
        )


def test_long_values_are_cut():
    facts = Facts("f.json", {"a": "x" * 1000, "b": 10**5000})
    assert len(message(facts.integer, "a", 0)) < 150
    assert message(facts.integer, "b", 0, 5) == (
        "f.json: b must be an integer in 0..5, not an integer of thousands of digits"
    )


def test_defaults_are_for_what_is_missing_or_null():
    facts = Facts("f.json", {"a": None})
    for read in (facts.number, facts.text, facts.table):
        assert read("a", default=3) == read("z", default=3) == 3
    assert facts.integer("a", 0, default=3) == 3
    with pytest.raises(
        UserError, match=r"^f\.json: z is missing; add it, or get the file from its source again$"
    ):
        facts.number("z")
