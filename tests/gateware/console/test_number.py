"""The number unit of the console."""

import random

from gateformer.gateware.console.number import NumberUnit, Operation
from tests.support.component_simulation import simulate


class TestNumberUnit:
    async def run(self, ctx, unit, operation, addend=0, source=0, limit=2**32 - 1):
        ctx.set(unit.request.operation, operation)
        ctx.set(unit.request.addend, addend)
        ctx.set(unit.request.start, 1)
        await ctx.tick()
        ctx.set(unit.request.start, 0)
        result = old = 0
        for _ in range(65):
            if not ctx.get(unit.busy):
                return result, old
            phase = ctx.get(unit.phase)
            ctx.set(unit.source, source >> phase & 1)
            ctx.set(unit.limit, limit >> phase & 1)
            if ctx.get(unit.loading):
                result |= ctx.get(unit.result) << phase
                old |= ctx.get(unit.value) << phase
            await ctx.tick()
        raise AssertionError("busy for more than two turns")

    def test_numbers(self):
        unit = NumberUnit()
        rng = random.Random(5)
        edges = [0, 9, 10, 255, 429496729, 2**31, 2**32 - 1]
        numbers = edges + [rng.randrange(2 ** rng.randrange(1, 33)) for _ in range(8)]

        async def bench(ctx):
            before = None
            for number in numbers:
                for addend in (0, 1):
                    result, old = await self.run(
                        ctx, unit, Operation.LOAD, addend=addend, source=number
                    )
                    assert result == (number + addend) % 2**32
                    assert before in (None, old)
                    before = result
                digits, more = [], True
                while more:
                    await self.run(ctx, unit, Operation.DIVIDE)
                    digits.append(ctx.get(unit.digit))
                    more = ctx.get(unit.more)
                assert "".join(map(str, reversed(digits))) == str(before)
                before = 0
                await self.parse(ctx, unit, rng, number)
                before, _ = await self.run(ctx, unit, Operation.LOAD, source=7)

        simulate(unit, bench)

    async def parse(self, ctx, unit, rng, number):
        """Digits of ``number`` and one more, below a limit at, above or below the values."""
        ctx.set(unit.request.clear, 1)
        await ctx.tick()
        ctx.set(unit.request.clear, 0)
        limit = rng.choice([number, max(number - 1, 0), number // 7, 2**32 - 1])
        value = 0
        for digit in str(number) + "3":
            value = 10 * value + int(digit)
            await self.run(ctx, unit, Operation.APPEND, addend=int(digit), limit=limit)
            assert ctx.get(unit.too_large) == (value > limit)
            if value >= 2**32:
                break
