"""A setting of the console, as docs/console.md says."""

import dataclasses


@dataclasses.dataclass
class Setting:
    name: str
    value: int
    limit: int
    decimals: int = 0
    least: int = 0

    def shown(self) -> str:
        if not self.decimals:
            return str(self.value)
        digits = f"{self.value:0{self.decimals + 1}}"
        return f"{digits[: -self.decimals]}.{digits[-self.decimals :]}"

    def parsed(self, text: str) -> int | None:
        """The value that ``text`` stands for; None if it is none."""
        whole, point, fraction = text.partition(".")
        if not (whole.isascii() and whole.isdigit()):
            return None
        if point:
            if not self.decimals or not (fraction.isascii() and fraction.isdigit()):
                return None
            if len(fraction) > self.decimals:
                return None
        value = int(whole + fraction.ljust(self.decimals, "0"))
        return value if self.least <= value <= self.limit else None

    def range(self) -> str:
        """What its value may be, as a refusal says it."""
        ends = (
            dataclasses.replace(self, value=value).shown() for value in (self.least, self.limit)
        )
        return " to ".join(ends if self.least else ("0", [*ends][1]))
