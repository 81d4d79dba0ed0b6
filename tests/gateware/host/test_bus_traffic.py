"""Random AXI4-Lite traffic to the registers equals a model, read by read; resets in the middle."""

import random
import time

import pytest

from gateformer.gateware.host import register_bank, stream_interface
from tests.support.formal.prover import mutated
from tests.support.host_bench import CONFIG, IMPORTED_CONFIG
from tests.support.host_bench import host_interface as interface

from .bus_master import BusMaster, Pins, Transaction
from .host_model import IMPORTED, OUTPUT_DEPTH, TRAINED, HostModel, Kind

QUICK, MORE, MANY = 6_000, 15_000, 120_000
MAX_UNDER_WAY = 6


class Core:
    """The core's side of the contract: takes the prompt, hands over its tokens, with stalls.

    ``held`` keeps a run from ending.
    """

    def __init__(self, pins, rng):
        self.pins, self.rng = pins, rng
        self.held = False
        self.cycles = 0
        self.reset()

    def reset(self):
        self.prompt, self.tokens, self.left = [], [], None
        self._aborting = False
        self.pins.drive.update(busy=0, output_valid=0, prompt_ready=0)

    def prepare(self):
        drive = self.pins.drive
        drive["prompt_ready"] = drive["busy"] and self.left is None and self.rng.random() < 0.5
        if self.left and not drive["output_valid"] and not self.held and self.rng.random() < 0.5:
            token = self.left[0]
            drive.update(output_valid=1, output_payload=token | (len(self.left) == 1) << 4)

    def finish(self, seen):
        drive = self.pins.drive
        self.cycles += drive["busy"]
        if self._aborting:
            self.reset()
        elif drive["output_valid"] and seen["output_ready"]:
            del self.left[0]
            drive["output_valid"] = 0
            drive["busy"] = int(bool(self.left))
        elif drive["prompt_ready"] and seen["prompt_valid"]:
            self.prompt.append(seen["prompt_payload"] & 15)
            if seen["prompt_payload"] >> 4:
                self.tokens = [self.rng.randrange(11) for _ in range(self.rng.randint(1, 3))]
                self.left = list(self.tokens)
        if seen["start"]:
            assert not drive["busy"], "started while busy"
            self.reset()
            self.cycles = 0
            drive["busy"] = 1
        self._aborting = bool(seen["abort"])


class Traffic:
    """Random transactions, a model that follows them, and the comparison."""

    def __init__(self, seed: int, kind: Kind = TRAINED):
        self.rng, self.kind = random.Random(seed), kind
        self.names = kind.names
        host = interface(IMPORTED_CONFIG if kind is IMPORTED else CONFIG)
        self.constants = host.identification.constants
        self.pins = Pins(host)
        self.bus = BusMaster(self.pins, self.rng)
        self.core = Core(self.pins, self.rng)
        self.checked = self.resets = self.runs = self.overlaps = self.cut = 0
        self._restart()

    def _restart(self):
        """Everything as after a reset. ``_states[k]``: the model after ``k`` writes."""
        self._states = [HostModel(self.constants, CONFIG.vocab_size, CONFIG.ctx_len, self.kind)]
        self._writes = []
        self._reads = []

    @property
    def model(self):
        return self._states[-1]

    def cycle(self):
        self.bus.prepare()
        self.core.prepare()
        seen = self.pins.look()
        self.bus.finish(seen)
        self.core.finish(seen)
        self.pins.step()

    def _idle(self, cycles):
        for _ in range(cycles):
            self.cycle()

    def random_transaction(self) -> Transaction:
        rng = self.rng
        address = rng.choice((*self.names.values(), rng.randrange(0x100), rng.randrange(0x1000)))
        address = address & ~3 | rng.getrandbits(2)
        # CONTROL and OUTPUT are for _alone()
        ordered = (self.names["CONTROL"], self.names["OUTPUT"], self.names["CYCLES_LOW"])
        if address & ~3 in ordered:
            address ^= 0x800
        if rng.random() < 0.5:
            return Transaction(address)
        name = rng.choice(("PROMPT", "PROMPT", *self.kind.settings, "ERROR", None, None))
        address = address if name is None else self.names[name] | rng.getrandbits(2)
        data = rng.choice((rng.getrandbits(32), rng.randrange(12), 0, 0xFFFFFFFF))
        return Transaction(address, data, rng.choice((15, 15, 15, rng.getrandbits(4))))

    def settle(self):
        """Let everything be answered, and compare it."""
        for _ in range(20_000):
            if not self.bus.under_way:
                break
            self.cycle()
        else:
            raise AssertionError("the bus is stuck")
        self._compare()

    def _alone(self, transaction):
        """One transaction with nothing else under way; its answer."""
        self.settle()
        self.bus.send(transaction)
        while self.bus.under_way:
            self.cycle()
        self._compare()
        return transaction

    def _compare(self):
        """The reads that were answered are of states that they could see."""
        for transaction in self.bus.answered:
            kind = self._reads if transaction.data is None else self._writes
            kind.append(transaction)
        self.bus.answered.clear()
        for write in self._writes:
            state = self.model.copy()
            assert write.response == state.write(write.address, write.data, write.strobe), write
            self._states.append(state)
        for read in self._reads:
            first = sum(write.answered < read.requested for write in self._writes)
            last = sum(write.requested < read.offered for write in self._writes)
            possible = {state.read(read.address) for state in self._states[first : last + 1]}
            self.overlaps += len(possible) > 1
            assert (read.word, read.response) in possible, (read, possible)
            self.model.was_read(read.address)
        self.checked += len(self._writes) + len(self._reads)
        self._states = [self.model]
        self._writes, self._reads = [], []

    def control(self):
        """A write to CONTROL, or a read that has an effect; a run goes on to its end."""
        rng = self.rng
        name = rng.choice(("CONTROL", "CONTROL", "OUTPUT", "OUTPUT", "CYCLES_LOW"))
        address = self.names[name] | rng.getrandbits(2)
        if name != "CONTROL":
            self._alone(Transaction(address))
            return
        data = rng.choice((1, 1, 1, 1, 2, 3, 4, 5, rng.getrandbits(32)))
        self.core.held = rng.random() < 0.5
        self._alone(Transaction(address, data, rng.choice((15, 15, 1, rng.getrandbits(4)))))
        if self.model.busy:
            self._run()
        self.core.held = False

    def start(self):
        """A run that nothing refuses, if there is a prompt of a possible length."""
        rng = self.rng
        self._alone(Transaction(self.names["GENERATE_COUNT"], rng.randint(1, 0xFFFF), 15))
        self._alone(Transaction(self.names["TOP_K"], rng.randrange(12), 15))
        if self.kind is IMPORTED:
            self._alone(Transaction(self.names["TOP_P"], rng.randint(1, 0x10000), 15))
            self._alone(Transaction(self.names["TEMPERATURE"], rng.randint(0, 0x2FFFFF), 15))
        if not self.model.prompt or len(self.model.prompt) > CONFIG.ctx_len:
            self._alone(Transaction(self.names["CONTROL"], 2, 15))
            for _ in range(rng.randint(1, CONFIG.ctx_len)):
                self._alone(Transaction(self.names["PROMPT"], rng.randrange(11), 15))
        self.core.held = rng.random() < 0.5
        self._alone(Transaction(self.names["CONTROL"], 1, 15))
        assert self.model.busy
        self._run()

    def _run(self):
        """What a host may try while the core is busy, then the run's end."""
        self.runs += 1
        if self.core.held:
            for _ in range(self.rng.randrange(6)):
                name = self.rng.choice((*self.kind.settings, "CONTROL"))
                self._alone(Transaction(self.names[name], 1, 15))
            if self.rng.random() < 0.2:
                self._alone(Transaction(self.names["CONTROL"], 2, 15))
                self._idle(3)
                self.model.cycles, self.model.tokens = self.core.cycles, 0
                return
        self.core.held = False
        taken = []
        for cycle in range(20_000):
            if self.core.left == [] and not self.pins.drive["busy"]:
                break
            if cycle % 100 == 99 and len(self.core.tokens) + len(self.model.output) > OUTPUT_DEPTH:
                taken.append(self._take())
            self.cycle()
        else:
            raise AssertionError("the run does not end")
        self._idle(3)
        assert self.core.prompt == self.model.running
        # what was read during the run was there before it
        self.model.end(self.core.tokens, self.core.cycles)
        for word in taken:
            assert word == self.model.read(self.names["OUTPUT"])[0]
            self.model.was_read(self.names["OUTPUT"])

    def _take(self):
        """A token out of OUTPUT, while the core waits for room."""
        self.bus.send(read := Transaction(self.names["OUTPUT"]))
        while self.bus.under_way:
            self.cycle()
        self.bus.answered.remove(read)
        self.checked += 1
        return read.word

    def reset(self):
        """Now, whatever is under way."""
        self.cut += self.bus.under_way
        self.bus.forget()
        self.pins.drive["reset"] = 1
        self.core.reset()
        for _ in range(self.rng.randint(1, 3)):
            self.pins.look()
            self.pins.step()
        self.pins.drive["reset"] = 0
        self.bus.rules.reset()
        self.bus.answered.clear()
        self._restart()
        self.resets += 1

    def run(self, transactions: int):
        rng = self.rng
        while self.checked < transactions:
            for _ in range(rng.randrange(40)):
                self.bus.send(self.random_transaction())
                while self.bus.under_way > rng.randrange(MAX_UNDER_WAY):
                    self.cycle()
            if rng.random() < 0.05:
                self._idle(rng.randrange(30))
                self.reset()
            else:
                self.settle()
                rng.choice((self.control, self.control, self.start))()
        self.settle()
        return self


@pytest.mark.parametrize("kind", [TRAINED, IMPORTED], ids=["trained", "imported"])
@pytest.mark.parametrize("seed", [1])
@pytest.mark.slow
def test_traffic_equals_the_model(seed, kind):
    traffic = Traffic(seed, kind).run(QUICK)
    assert traffic.checked >= QUICK
    assert min(traffic.resets, traffic.cut, traffic.runs, traffic.overlaps) > 0


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "count"),
    [
        pytest.param(IMPORTED, MORE, id="imported"),
        pytest.param(TRAINED, MANY, marks=pytest.mark.full_size, id=f"trained-{MANY}"),
        pytest.param(IMPORTED, MANY, marks=pytest.mark.full_size, id=f"imported-{MANY}"),
    ],
)
def test_much_traffic_equals_the_model(kind, count, capsys):
    start = time.monotonic()
    traffic = Traffic(2, kind).run(count)
    with capsys.disabled():
        counts = dict(traffic.bus.rules.transfers)
        print(
            f"\n{traffic.checked} transactions compared, {traffic.cut} cut off by "
            f"{traffic.resets} resets, {traffic.runs} runs, {traffic.overlaps} reads beside a "
            f"write that could change them, {traffic.bus.now} cycles, "
            f"{time.monotonic() - start:.0f} s; transfers {counts}"
        )
    assert traffic.checked >= count


def test_a_broken_bank_is_found(monkeypatch):
    broken = mutated(
        register_bank,
        "return selected & ~partial if register.whole else selected",
        "return selected",
    )
    monkeypatch.setattr(stream_interface, "RegisterBank", broken.RegisterBank)
    with pytest.raises(AssertionError, match="Transaction"):
        Traffic(1).run(QUICK)
