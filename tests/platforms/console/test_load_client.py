"""``/load`` of the console's program: what is sent, what is refused before, what is shown."""

import dataclasses
import functools
import itertools

import pytest

from gateformer.gateware.console.image import console_image
from gateformer.gateware.console.system import ConsoleCore
from gateformer.gateware.plan.hw_config import HwConfig
from gateformer.gateware.plan.layout import Layout
from gateformer.gateware.plan.reload_limits import ReloadLimits
from gateformer.model.contract.artifact import Artifact
from gateformer.model.support.errors import UserError
from gateformer.platforms.console.answer import Kind, Piece
from gateformer.platforms.console.client import ConsoleClient
from gateformer.platforms.console.emulated_console import EmulatedLink
from gateformer.platforms.console.link import SerialLink
from gateformer.platforms.console.load import LoadError, load
from gateformer.platforms.console.simulation import SimulatedLink
from gateformer.platforms.firmware.image import firmware_image
from tests.platforms.firmware.load_bench import LoadDevice
from tests.support.console import load_bench as console_load_bench
from tests.support.console.fake_console import INFO, FakeConsole
from tests.support.console.fake_loading_console import SHAPE, LoadingConsole, artifact
from tests.support.console.load_bench import COUNT, SILENCE, packed, program, reference

LOADED = Piece(Kind.INFORMATION, "loaded m, digest 0123456789abcdef")
BROKEN_OFF = "image refused: broken off: no byte came for 1 second; the old model is still there"
FIXED = "the accelerator's model is fixed; build it with: gateformer build BOARD --reload"
HW = HwConfig(2, 4, 4)


@functools.cache
def image(seed: int, make=console_image) -> tuple[bytes, tuple[int, ...]]:
    """(image for the fake device, its limits, which model 1 gave)."""
    limits, model = ReloadLimits.of(artifact(1).model), artifact(seed).model
    words = make(model, Layout(model.config, HW), limits, name=f"m{seed}")
    return packed(words), dataclasses.astuple(limits)


def connect(device, **patience) -> ConsoleClient:
    client = ConsoleClient(SerialLink(device.port, **patience))
    client.synchronize()
    return client


def never() -> bool:
    return False


@pytest.mark.parametrize("make", [console_image, firmware_image])
def test_the_image_is_the_device_s(make):
    """Both kinds of console; an answer and a line later all is as always."""
    content, limits = image(2, make)
    with LoadingConsole(content, limits) as device:
        client = connect(device)
        assert list(load(client, artifact(2), never)) == [LOADED]
        assert device.received == [b"", content]
        assert client.ask("/seed").information == ("seed 1",)


OTHERS = {
    ("d_ff=16", "d_ff=20"): "the accelerator has d_ff 16, the model 20; only a model of the same "
    "shape can be loaded: build one for this model",
    ("vocab_size=96", "vocab_size=95"): "the accelerator has vocab_size 96, the model 95; only a "
    "model of the same shape can be loaded: build one for this model",
    ("vocab_size=96", "vocab_size=96,digits=2"): "the core takes images of another shape (other "
    "digits per weight in some matrix, or another version of the program); build one for this "
    "model",
}


@pytest.mark.parametrize("change", OTHERS)
def test_a_model_that_does_not_fit_is_not_sent(change):
    with LoadingConsole(*image(1)) as device:
        client = connect(device)
        with pytest.raises(LoadError) as error:
            list(load(client, artifact(2, SHAPE.replace(*change)), never))
        assert str(error.value) == f"{device.port}: {OTHERS[change]}"
        assert device.received == [b""]
        assert client.ask("/seed").information == ("seed 1",)


def test_a_model_out_of_range_is_not_sent():
    content, limits = image(1)
    with LoadingConsole(content, (limits[0] - 8, *limits[1:])) as device:
        client = connect(device)
        with pytest.raises(LoadError, match=r"has shift \d+, but this core takes a matrix with"):
            list(load(client, artifact(1), never))
    assert device.received == [b""]


def test_a_console_without_load():
    with FakeConsole() as device:
        client = connect(device)
        with pytest.raises(LoadError) as error:
            list(load(client, artifact(1), never))
        assert str(error.value) == f"{device.port}: {FIXED}"
        device.spoiled[b"/load"] = b"! the fabric has no bitstream; load it\r\n\x04> "
        with pytest.raises(LoadError) as error:
            list(load(client, artifact(1), never))
        assert str(error.value) == "the fabric has no bitstream; load it"
        assert client.ask("/seed").information == ("seed 1",)


@pytest.mark.parametrize("ask", [b"", b"\x15"])
def test_a_request_without_end(ask):
    with LoadingConsole(*image(1)) as device:
        client, device.ask = connect(device), ask
        with pytest.raises(LoadError) as error:
            list(load(client, artifact(1), never))
        assert str(error.value) == (
            f"{device.port} did not say what images it takes; the serial line is noisy: try again"
        )
        assert client.ask("/seed").information == ("seed 1",)
    assert device.received == []


@pytest.mark.parametrize("said", ["# image 12 words", "# image x", "$ image"])
def test_a_request_that_says_something_else(said):
    content, limits = image(1)
    with LoadingConsole(content, limits) as device:
        client, device.requests = connect(device), [said]
        with pytest.raises(LoadError) as error:
            list(load(client, artifact(1), never))
        what = "does not say what images it takes, but" if said[0] == "#" else "did not say what"
        assert f"{device.port} {what} " in str(error.value)
        assert client.ask("/seed").information == ("seed 1",)
    assert device.received == [b""]


def test_another_request_than_before():
    with LoadingConsole(*image(1)) as device:
        client = connect(device)
        device.requests.append(device.requests[0].replace("limits 1", "limits 2"))
        with pytest.raises(LoadError) as error:
            list(load(client, artifact(1), never))
        assert str(error.value) == (f"{device.port} now takes other images than before; try again")
        assert client.ask("/seed").information == ("seed 1",)
    assert device.received == [b"", b""]


@pytest.mark.parametrize("presses", [0, 1, 9])
def test_ctrl_c_ends_the_transfer(presses):
    with LoadingConsole(*image(1)) as device:
        client, asked = connect(device), itertools.count()
        answer = load(client, artifact(1), lambda: next(asked) == presses)
        if not presses:
            with pytest.raises(LoadError, match=r"^interrupted; nothing was sent$"):
                list(answer)
            assert device.received == [b""]
        else:
            assert list(answer) == [Piece(Kind.REFUSAL, BROKEN_OFF)]
            _, received = device.received
            assert len(received) == 64 * (presses - 1)
        assert client.ask("/seed").information == ("seed 1",)


def test_a_device_that_disappears():
    with LoadingConsole(*image(1)) as device:
        client = connect(device)
        device.vanish_after, device.generated = 10**9, 0

        def unplug():
            device.generated = 10**9
            return False

        with pytest.raises(UserError) as error:
            list(load(client, artifact(1), unplug))
    assert str(error.value) == (
        f"the connection to {device.port} broke; plug the board in and start again"
    )


FIRST = f"{INFO[0]}\n"
LINE = f"{SHAPE},seed=1"


def named_image():
    """That of model 1 under the name that it has as an argument."""
    limits, model = ReloadLimits.of(artifact(1).model), artifact(1).model
    words = console_image(model, Layout(model.config, HW), limits, name=LINE)
    return packed(words), dataclasses.astuple(limits)


def test_a_script(console_main):
    with LoadingConsole(*named_image()) as device:
        script = f"/load {LINE}\n/load\n/load no such\n/loadx\n/seed\n"
        status, output = console_main(device.port, stdin=script.encode())
    assert status == 2
    lines = output.splitlines()
    assert lines[:3] == [
        *(FIRST.strip(), "# loaded m, digest 0123456789abcdef"),
        "! /load needs a model: a shipped name, an artifact file or random:…",
    ]
    assert lines[3].startswith("! no model 'no such': there is no such file, and the shipped")
    assert lines[4:] == ["! unknown command; /help lists them", "# seed 1"]


def test_load_first(console_main):
    with LoadingConsole(*named_image()) as device:
        result = console_main(device.port, "--load", LINE, stdin=b"/seed\n")
    assert result == (0, f"{FIRST}# loaded m, digest 0123456789abcdef\n# seed 1\n")


def test_load_first_and_be_refused(console_main):
    content, limits = named_image()
    with LoadingConsole(content[:-1] + bytes([content[-1] ^ 1]), limits) as device:
        status, output = console_main(device.port, "--load", LINE, stdin=b"/seed\n")
    refusal = "! image refused: its checksum is wrong; the old model is still there\n"
    assert (status, output) == (2, FIRST + refusal)
    with FakeConsole() as device, pytest.raises(UserError, match=FIXED):
        console_main(device.port, "--load", LINE, stdin=b"/seed\n")
    assert b"/seed" not in device.lines


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["COM1", "--load", "nothing"], "no model 'nothing': there is no such file"),
        (
            ["COM1", "--reload"],
            "--reload goes with sim or firmware; a board takes other models if gateformer build "
            "had --reload",
        ),
    ],
)
def test_wrong_arguments(console_main, arguments, message):
    with pytest.raises(UserError) as error:
        console_main(*arguments)
    assert str(error.value).startswith(message)


def real_artifact(seed: int) -> Artifact:
    return Artifact(f"m{seed}", console_load_bench.model(seed), {}, {}, "")


def gateware_link():
    return SimulatedLink(
        ConsoleCore(program(), name="m1", build_id=0xBEEF, clock_hz=1_000_000, silence=SILENCE)
    )


@pytest.mark.parametrize("link", [lambda: EmulatedLink(LoadDevice().emulator), gateware_link])
@pytest.mark.slow
def test_models_into_the_real_consoles(link):
    """Firmware and gateware, with the texts of model after model."""
    client = ConsoleClient(link())
    client.synchronize()
    for seed in (2, 3, 1):
        (piece,) = load(client, real_artifact(seed), never)
        digest = real_artifact(seed).model.digest[:16]
        assert piece == Piece(Kind.INFORMATION, f"loaded m{seed}, digest {digest}")
        for line in ("/top-k 0", f"/tokens {COUNT}", "/temperature 1.5", "/seed 5"):
            assert client.ask(line).refusal is None
        assert client.ask("AB").text.encode() == reference(seed, "AB", 1.5).replace(b"\r", b"")
    asked = itertools.count()
    (piece,) = load(client, real_artifact(2), lambda: next(asked) == 30)
    assert piece.kind is Kind.REFUSAL and "broken off: no byte came for 1 second" in piece.text
