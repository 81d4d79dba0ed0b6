"""Artifacts: round trip, and the one line for every way a file can be wrong."""

import dataclasses
import hashlib
import json

import numpy as np
import pytest
import safetensors.numpy

from gateformer.model.contract import arith, artifact
from gateformer.model.contract.random_model import random_model
from gateformer.model.support.errors import UserError

SPEC = "random:d_model=6,n_layers=2,d_ff=7,ctx_len=3,vocab_size=5,digits.up_proj=3"


@pytest.fixture(scope="module")
def model():
    return random_model(SPEC)


@pytest.fixture
def path(tmp_path, model):
    path = tmp_path / "tiny.safetensors"
    weights = {"token_embedding": np.full((5, 6), 0.5), "logit_scale": np.float64(2)}
    artifact.save(path, model, weights, {"steps": 3})
    return path


def message(function, *args):
    with pytest.raises(UserError) as error:
        function(*args)
    text = str(error.value)
    assert "\n" not in text
    return text


def rewrite(path, change_tensors=lambda t: None, change_facts=lambda f: None):
    """Save the file again with changed tensors and metadata."""
    content = path.read_bytes()
    size = int.from_bytes(content[:8], "little")
    facts = json.loads(json.loads(content[8 : 8 + size])["__metadata__"]["gateformer"])
    tensors = safetensors.numpy.load(content)
    change_tensors(tensors)
    change_facts(facts)
    safetensors.numpy.save_file(tensors, path, {"gateformer": json.dumps(facts)})


def test_round_trip(path, model):
    loaded = artifact.load(path)
    assert loaded.name == "tiny"
    assert loaded.model.config == model.config
    assert loaded.model.digest == model.digest
    assert loaded.model.scalars() == model.scalars()
    for name, array in model.tensors().items():
        np.testing.assert_array_equal(loaded.model.tensors()[name], array)
    assert loaded.info == {"steps": 3}
    assert loaded.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert sorted(loaded.float_weights) == ["logit_scale", "token_embedding"]
    assert loaded.float_weights["token_embedding"].dtype == np.float32
    assert loaded.float_weights["logit_scale"].shape == ()


def test_without_float_weights(tmp_path, model):
    artifact.save(tmp_path / "bare.safetensors", model)
    loaded = artifact.load(tmp_path / "bare.safetensors")
    assert (loaded.float_weights, loaded.info) == ({}, {})


def test_loaded_artifacts_are_frozen(path):
    with pytest.raises(dataclasses.FrozenInstanceError):
        artifact.load(path).info = {}


def test_same_bytes_every_time(path, tmp_path, model):
    loaded = artifact.load(path)
    again = tmp_path / "again.safetensors"
    artifact.save(again, loaded.model, loaded.float_weights, loaded.info)
    assert again.read_bytes() == path.read_bytes()


def test_weights_are_stored_in_5_trits_per_byte(path):
    tensors = safetensors.numpy.load(path.read_bytes())
    assert tensors["layers.0.q_proj.trits"].shape == (1, 8)
    assert tensors["layers.0.up_proj.trits"].shape == (3, 9)
    assert tensors["layers.0.up_proj.trits"].dtype == np.uint8
    assert "layers.0.up_proj.weight" not in tensors


def test_a_failed_save_leaves_nothing(path, model, monkeypatch):
    before = path.read_bytes()

    def fail(source, destination):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(artifact.os, "replace", fail)
    assert message(artifact.save, path, model) == (
        f"cannot write {path}: No space left on device; free space, or choose another place"
    )
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]
    assert path.read_bytes() == before


def test_missing_directory(tmp_path, model):
    path = tmp_path / "none" / "x.safetensors"
    assert message(artifact.save, path, model) == (
        f"cannot write {path}: No such file or directory; create its directory first"
    )


def test_missing_file(tmp_path):
    path = tmp_path / "none.safetensors"
    assert message(artifact.load, path) == (
        f"{path} does not exist; expected an artifact (.safetensors)"
    )


def test_directory(tmp_path):
    assert message(artifact.load, tmp_path) == f"cannot read {tmp_path}: Is a directory"


@pytest.mark.parametrize("size", [0, 7, 8, 100, 2000, -1])
def test_truncated_file(path, size):
    path.write_bytes(path.read_bytes()[:size])
    assert message(artifact.load, path) == (
        f"{path} is no safetensors file, or it is truncated; of a model in another format "
        "gateformer import makes an artifact"
    )


def test_text_file(path):
    path.write_text("To be, or not to be, that is the question")
    assert message(artifact.load, path) == (
        f"{path} is no safetensors file, or it is truncated; of a model in another format "
        "gateformer import makes an artifact"
    )


@pytest.mark.parametrize(
    "metadata", [None, {"format": "pt"}, {"gateformer": "{"}, {"gateformer": "[]"}]
)
def test_other_safetensors_file(path, metadata):
    safetensors.numpy.save_file({"x": np.zeros(3)}, path, metadata)
    assert message(artifact.load, path) == (
        f"{path} is a safetensors file, but no gateformer artifact; write one with gateformer train"
    )


def test_other_spec_version(path):
    rewrite(path, change_facts=lambda facts: facts.update(spec_version=99))
    assert message(artifact.load, path) == (
        f"{path} has spec version 99, but this program has {arith.SPEC_VERSION} and 2; "
        "train or import the model again"
    )


def test_changed_tensor(path, model):
    def change(tensors):
        gain = tensors["final_norm.gain"] = tensors["final_norm.gain"].copy()
        gain[0] = 1 if gain[0] != 1 else 2

    rewrite(path, change)
    text = message(artifact.load, path)
    assert text.startswith(f"{path} is damaged: its digest is ")
    assert text.endswith(f"…, but it says {model.digest[:16]}…")


def change_float(tensors):
    embedding = tensors["float.token_embedding"] = tensors["float.token_embedding"].copy()
    embedding[2, 3] += 1


@pytest.mark.parametrize("change", [change_float, lambda t: t.pop("float.logit_scale")])
def test_changed_float_weight(path, change):
    rewrite(path, change)
    assert message(artifact.load, path).startswith(f"{path} is damaged: its float digest is ")


def test_older_artifacts_do_not_say_what_their_floats_are(path, model):
    whole = path.read_bytes()
    rewrite(path, change_facts=lambda facts: facts.pop("float_digest"))
    old = artifact.load(path)
    assert old.model.digest == model.digest and len(old.float_weights) == 2
    artifact.save(path, old.model, old.float_weights, old.info)
    assert path.read_bytes() == whole
    rewrite(path, change_float)
    assert "is damaged: its float digest is" in message(artifact.load, path)


def test_changed_scalar(path):
    rewrite(path, change_facts=lambda facts: facts["scalars"].update(logit_scale=0.5))
    assert "is damaged: its digest is" in message(artifact.load, path)


@pytest.mark.parametrize(
    "name, array, text",
    [
        (
            "token_embedding",
            np.full((5, 6), -128, np.int8),
            "token_embedding must hold values in -127..127, but has -128",
        ),
        (
            "final_norm.gain",
            np.zeros(7, np.int8),
            "final_norm.gain must have shape (6,), not (7,)",
        ),
        (
            "layers.0.q_proj.trits",
            np.full((1, 8), 250, np.uint8),
            "layers.0.q_proj.trits: packed trits must be bytes in 0..242, but have 250",
        ),
        (
            "layers.1.up_proj.trits",
            np.zeros((2, 9), np.uint8),
            "layers.1.up_proj.trits must have 3 planes, but has shape (2, 9)",
        ),
        (
            "layers.1.o_proj.trits",
            np.zeros((1, 9), np.uint8),
            "layers.1.o_proj.trits: 36 trits must be packed in 8 bytes, not 9",
        ),
    ],
)
def test_wrong_tensor(path, name, array, text):
    rewrite(path, lambda tensors: tensors.update({name: array}))
    assert message(artifact.load, path) == f"{path}: {text}"


@pytest.mark.parametrize("name", ["layers.0.v_proj.trits", "layers.1.ffn_norm.gain"])
def test_missing_tensor(path, name):
    rewrite(path, lambda tensors: tensors.pop(name))
    assert message(artifact.load, path) == f"{path}: tensor {name} is missing from the model"


def test_missing_facts(path):
    rewrite(path, change_facts=lambda facts: facts.pop("digest"))
    assert message(artifact.load, path) == (
        f"{path}: digest is missing; add it, or get the file from its source again"
    )


def test_open_model_by_path_and_specification(path, model):
    assert artifact.open_model(str(path)).info == {"steps": 3}
    opened = artifact.open_model(SPEC)
    assert (opened.name, opened.sha256, opened.float_weights) == (SPEC, "", {})
    assert opened.model.digest == model.digest


def test_shipped_models(path, monkeypatch):
    monkeypatch.setattr(artifact, "SHIPPED", path.parent)
    assert artifact.shipped_models() == ["tiny"]
    assert artifact.open_model("tiny").info == {"steps": 3}
    for name in ("huge", ""):
        assert message(artifact.open_model, name) == (
            f"no model {name!r}: there is no such file, and the shipped models are: tiny; "
            "'random:…' makes a random one"
        )
    assert message(artifact.open_model, str(path.parent)) == (
        f"model {str(path.parent)!r} is a directory; name the artifact file in it"
    )


def test_no_shipped_models(tmp_path, monkeypatch):
    monkeypatch.setattr(artifact, "SHIPPED", tmp_path / "none")
    assert "the shipped models are: none;" in message(artifact.open_model, "x.safetensors")


@pytest.mark.parametrize("name", artifact.shipped_models())
def test_shipped_models_load(name):
    loaded = artifact.open_model(name)
    assert loaded.name == name
    assert loaded.float_weights
