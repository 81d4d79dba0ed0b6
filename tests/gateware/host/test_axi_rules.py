"""The protocol checker itself: legal traces pass, each broken rule is named."""

import pytest

from tests.support.axi_rules import AXI3, LITE, AxiRules, ProtocolViolation

IDLE_LITE = {name: (0, 0, *(0 for _ in fields)) for name, fields in LITE.items()}
IDLE_AXI3 = {name: (0, 0, *(0 for _ in fields)) for name, fields in AXI3.items()}
TAKEN, WAITING = (1, 1), (1, 0)


def request(identity, beats, handshake=TAKEN):
    return (*handshake, identity, 0, beats - 1, 2, 1, 0, 0, 0, 0)


def lite(**channels):
    return {**IDLE_LITE, **channels}


def axi3(**channels):
    return {**IDLE_AXI3, **channels}


ADDRESS, DATA = lite(aw=(1, 1, 8, 0)), lite(w=(1, 1, 5, 15))
READ = lite(ar=(1, 1, 8, 0))
BURST = axi3(aw=request(3, 2), w=(1, 1, 0, 7, 15, 0))
LAST = axi3(w=(1, 1, 0, 8, 15, 1))


@pytest.mark.parametrize(
    ("channels", "trace"),
    [
        (LITE, [ADDRESS, DATA, lite(b=(1, 0, 0)), lite(b=(1, 1, 0))]),
        (LITE, [DATA, ADDRESS, lite(b=(1, 1, 2))]),
        (LITE, [READ, lite(r=(1, 0, 9, 0), ar=(1, 1, 4, 0)), lite(r=(1, 1, 9, 0))]),
        (AXI3, [BURST, LAST, axi3(b=(1, 1, 3, 3))]),
        (AXI3, [axi3(ar=request(5, 2)), axi3(r=(1, 1, 5, 1, 0, 0)), axi3(r=(1, 1, 5, 1, 0, 1))]),
    ],
)
def test_legal_traces(channels, trace):
    rules = AxiRules(channels)
    for now in trace:
        rules.cycle(now)
    assert rules.cycles == len(trace)


@pytest.mark.parametrize(
    ("channels", "trace", "rule"),
    [
        (LITE, [ADDRESS, DATA, lite(b=(1, 0, 0)), lite()], "bvalid fell before bready"),
        (LITE, [READ, lite(r=(1, 0, 9, 0)), lite(r=(1, 1, 8, 0))], "r payload changed"),
        (LITE, [lite(aw=(1, 0, 8, 0)), lite()], "awvalid fell before awready"),
        (LITE, [lite(w=(1, 0, 8, 1)), lite(w=(1, 0, 8, 3))], "w payload changed"),
        (LITE, [ADDRESS, lite(b=(1, 1, 0))], "bvalid before the last data"),
        (LITE, [DATA, lite(b=(1, 1, 0))], "bvalid without an address"),
        (LITE, [{**ADDRESS, "w": DATA["w"], "b": (1, 1, 0)}], "bvalid without an address"),
        (LITE, [lite(ar=(1, 1, 8, 0), r=(1, 1, 0, 0))], "rvalid without an address"),
        (LITE, [READ, lite(r=(1, 1, 9, 0)), lite(r=(1, 1, 9, 0))], "rvalid without an address"),
        (LITE, [READ, lite(r=(1, 1, 9, 3))], "rresp is 3"),
        (AXI3, [BURST, axi3(b=(1, 1, 3, 0))], "bvalid before the last data"),
        (AXI3, [BURST, LAST, axi3(b=(1, 1, 4, 0))], "bid is another burst's"),
        (AXI3, [axi3(aw=request(3, 2)), LAST, axi3(b=(1, 1, 3, 0))], "1 beats for 2"),
        (AXI3, [axi3(ar=request(5, 2)), axi3(r=(1, 1, 5, 1, 0, 1))], "rlast in a wrong beat"),
        (AXI3, [axi3(ar=request(5, 1)), axi3(r=(1, 1, 6, 1, 0, 1))], "rid is another burst's"),
    ],
)
def test_broken_rules(channels, trace, rule):
    rules = AxiRules(channels)
    for now in trace[:-1]:
        rules.cycle(now)
    with pytest.raises(ProtocolViolation, match=rule):
        rules.cycle(trace[-1])


def test_a_reset_forgets_what_is_under_way():
    rules = AxiRules()
    for now in (ADDRESS, DATA, lite(b=(1, 0, 0))):
        rules.cycle(now)
    rules.reset()
    rules.cycle(lite())
    with pytest.raises(ProtocolViolation, match="bvalid without an address"):
        rules.cycle(lite(b=(1, 1, 0)))
