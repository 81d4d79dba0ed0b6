"""Registers of two and three streams: apart from each other, and one image for all of them."""

import pytest

from gateformer.gateware.host.register import ADDRESS_WIDTH, Access
from gateformer.gateware.host.registers import register
from gateformer.gateware.host.streamed_registers import STREAM_BYTES, STREAMED_REGISTERS
from gateformer.gateware.memory.bus import Response
from tests.support.axi_driver import OKAY, SLVERR

from .streamed_bench import ADDRESS, SHAPE, registers_of, run, verify

ONLY_FIRST = ("MEMORY_SHAPE", "IMAGE_STATUS", "IMAGE_ADDRESS", "STALLS_LOW", "STREAMS")


@pytest.mark.parametrize("streams", [2, 3])
@pytest.mark.slow_but("2")
def test_every_place_of_a_register_answers_and_no_other(streams):
    async def scenario(bench):
        readable, writable = set(), set()
        for stream in range(streams):
            for entry in registers_of(stream):
                readable |= {entry.offset} if entry.access.readable else set()
                writable |= {entry.offset} if entry.access.writable else set()
        interesting = {
            offset + block
            for offset in {entry.offset for entry in STREAMED_REGISTERS} | {0x03C, 0x1FC}
            for block in range(0, 2**ADDRESS_WIDTH, STREAM_BYTES)
        }
        ctx, axi = bench.hosts[0].ctx, bench.axi
        for offset in sorted(interesting):
            _, answer = await axi.read(ctx, offset)
            assert answer == (OKAY if offset in readable else SLVERR), hex(offset)
            answer = await axi.write(ctx, offset, 0)
            assert answer == (OKAY if offset in writable else SLVERR), hex(offset)
        assert not any(core.runs for core in bench.cores) and not bench.verified_at

    run(scenario, streams)


def test_each_stream_identifies_itself_and_the_first_one_the_image():
    async def scenario(bench):
        first, *others = bench.hosts
        assert await first.value("STREAMS") == 3
        constants = [
            entry.name
            for entry in registers_of(1)
            if entry.access is Access.RO and entry.offset < STREAM_BYTES + 0x80
        ]
        assert {"MAGIC", "CTX_LEN", "ARTIFACT_HASH_7", "FAMILY"} <= set(constants)
        for other in others:
            assert {entry.name for entry in other.declared}.isdisjoint(ONLY_FIRST)
            for name in constants:
                assert await other.read(name) == await first.read(name), name

    run(scenario, 3)


def test_settings_are_each_streams_own():
    async def scenario(bench):
        given = [
            {"mult": 3 + s, "shift": s, "top_k": 2 + s, "seed": 100 + s, "count": 1 + s}
            for s in range(3)
        ]
        for host, settings in zip(bench.hosts, given, strict=True):
            await host.configure(**settings, top_p=500 + settings["mult"])
        for number, (host, settings) in enumerate(zip(bench.hosts, given, strict=True)):
            assert await host.read("TEMPERATURE") == {
                name: settings[name] for name in ("mult", "shift")
            }
            assert await host.value("TOP_P") == 503 + number
            assert await host.value("SEED") == 100 + number
        await verify(bench.hosts[0])
        for number, host in enumerate(bench.hosts):
            await host.push([number, 4])
            await host.control("start")
        for number, (host, core) in enumerate(zip(bench.hosts, bench.cores, strict=True)):
            assert await host.drain() == core.tokens([number, 4], 1 + number)
            [(prompt, seen)] = core.runs
            assert prompt == [number, 4] and seen["seed"] == 100 + number
            assert seen["top_k"] == 2 + number and seen["top_p"] == 503 + number
            assert seen["temperature_mult"] == 3 + number and seen["count"] == 1 + number

    run(scenario, 3)


def test_runs_of_several_streams_at_once():
    """Prompts and tokens read in turns: none goes astray; each counts its own."""

    async def scenario(bench):
        await verify(bench.hosts[0])
        prompts = [[1, 2, 3], [9]]
        for host, prompt, count in zip(bench.hosts, prompts, (25, 40), strict=True):
            await host.configure(count=count)
            await host.push(prompt)
            assert (await host.read("STATUS"))["prompt_level"] == len(prompt)
            await host.control("start")
        found, ended = ([], []), [False, False]
        while not all(ended):
            for number, host in enumerate(bench.hosts):
                entry = await host.read("OUTPUT")
                if entry["valid"]:
                    found[number].append(entry["token"])
                    ended[number] |= entry["last"]
        for host, core, prompt, tokens in zip(
            bench.hosts, bench.cores, prompts, found, strict=True
        ):
            assert tokens == core.tokens(prompt, len(tokens))
            await host.until_done()
            assert await host.value("TOKENS_GENERATED") == len(tokens)
            assert await host.value("CYCLES_LOW") == core.busy_cycles
            assert await host.errors() == set()
        assert list(map(len, found)) == [25, 40]

    run(scenario, 2)


def test_errors_are_each_streams_own():
    async def scenario(bench):
        first, second = bench.hosts
        await first.control("start")
        await second.push([11])
        assert not (await second.read("ERROR"))["prompt_empty"]
        assert await second.errors() == {"token_outside_vocabulary"}
        assert await first.errors() == {"prompt_empty", "image_not_verified"}
        await verify(first)
        await second.configure(count=30)
        await second.push([1])
        await second.control("start")
        await second.control("start")
        await second.write("SEED", value=5)
        await first.write("SEED", value=7)
        assert await second.errors() == {"start_while_busy", "settings_locked"}
        assert await first.errors() == set()
        assert await second.value("SEED") == 0 and await first.value("SEED") == 7
        assert await second.drain() == bench.cores[1].tokens([1], 30)

    run(scenario, 2)


@pytest.mark.parametrize("stream", [0, 1])
def test_a_full_output_holds_its_own_stream_alone(stream):
    async def scenario(bench):
        await verify(bench.hosts[0])
        full, other = bench.hosts[stream], bench.hosts[1 - stream]
        for host in bench.hosts:
            await host.configure(count=40)
            await host.push([5])
            await host.control("start")
        assert await other.drain() == bench.cores[1 - stream].tokens([5], 40)
        status = await full.read("STATUS")
        assert status["busy"] and status["output_level"] == bench.dut.output_depth
        assert await full.drain() == bench.cores[stream].tokens([5], 40)

    run(scenario, 2)


def test_no_stream_starts_without_a_verified_image():
    async def scenario(bench):
        first, second = bench.hosts
        await second.push([3])
        await second.control("start")
        assert await second.errors() == {"image_not_verified"}
        assert (await first.read("ERROR"))["image_not_verified"] == 0
        await first.write("IMAGE_ADDRESS", value=ADDRESS)
        await first.control("verify")
        await second.control("start")
        assert await second.errors() == {"image_not_verified"}
        while (await first.read("IMAGE_STATUS"))["verifying"]:
            pass
        await first.write("IMAGE_ADDRESS", value=2 * ADDRESS)
        await second.control("start")
        assert await second.errors() == {"image_not_verified"} and not bench.cores[1].runs
        await first.write("IMAGE_ADDRESS", value=ADDRESS)
        await second.control("start")
        assert await second.drain() == bench.cores[1].tokens([3], 1)

    run(scenario, 2)


@pytest.mark.parametrize("stream", [1, 2])
def test_verify_is_refused_while_another_stream_is_busy(stream):
    async def scenario(bench):
        first, other = bench.hosts[0], bench.hosts[stream]
        await verify(first)
        await other.configure(count=40)
        await other.push([3])
        await other.control("start")
        await first.control("verify")
        assert await first.errors() == {"verify_while_busy"}
        assert await other.errors() == set()
        assert (await first.read("IMAGE_STATUS"))["verified"]
        assert await other.drain() == bench.cores[stream].tokens([3], 40)
        assert len(bench.verified_at) == 1
        await verify(first)
        assert len(bench.verified_at) == 2

    run(scenario, 3)


def test_the_cores_address_changes_when_all_streams_are_idle():
    async def scenario(bench):
        first, second = bench.hosts
        await verify(first)
        await second.configure(count=20)
        await second.push([3])
        await second.control("start")
        await first.write("IMAGE_ADDRESS", value=2 * ADDRESS)
        base = ADDRESS // SHAPE.stripe_bytes
        assert first.ctx.get(bench.dut.base) == base
        await first.push([3])
        await first.control("start")
        assert await first.errors() == {"image_not_verified"}
        assert first.ctx.get(bench.dut.base) == base
        await second.drain()
        await second.until_done()
        assert first.ctx.get(bench.dut.base) == 2 * base

    run(scenario, 2)


@pytest.mark.parametrize("stream", [0, 1])
def test_an_abort_leaves_the_other_stream_alone(stream):
    async def scenario(bench):
        await verify(bench.hosts[0])
        aborted, other = bench.hosts[stream], bench.hosts[1 - stream]
        for host in bench.hosts:
            await host.configure(count=30)
            await host.push([5, 6])
            await host.control("start")
        await aborted.push([1])
        await other.push([2])
        await aborted.control("abort")
        status = await aborted.read("STATUS")
        assert not any(status[name] for name in ("busy", "output_level", "prompt_level", "done"))
        assert await other.drain() == bench.cores[1 - stream].tokens([5, 6], 30)
        await other.until_done()
        assert (await other.read("STATUS"))["prompt_level"] == 1
        await aborted.configure(count=2)
        await aborted.push([4])
        await aborted.control("start")
        assert await aborted.drain() == bench.cores[stream].tokens([4], 2)

    run(scenario, 2)


def test_a_fault_is_shown_with_the_image():
    async def scenario(bench):
        bench.hosts[0].ctx.set(bench.dut.fault, Response.SLVERR)
        assert (await bench.hosts[0].read("IMAGE_STATUS"))["fault"] == Response.SLVERR.value

    run(scenario, 2)


def test_saturations_are_each_streams_own():
    async def scenario(bench):
        bench.hosts[0].ctx.set(bench.dut.saturations, 3)
        bench.hosts[0].ctx.set(bench.dut.saturations1, 44)
        assert [await host.value("SATURATIONS") for host in bench.hosts] == [3, 44]

    run(scenario, 2)


def test_a_streams_registers_have_room():
    assert max(entry.offset for entry in STREAMED_REGISTERS) < STREAM_BYTES
    assert register("STREAMS", STREAMED_REGISTERS).fields[0].width == 32
