"""Writing CXXRTL's statements about single bits as plain machine words.

A netlist is tens of thousands of single-bit operations. As operations on ``value<1>`` they take a
C++ compiler several times as long as the same operations on integers. A statement that is not
understood stays as it is, which compiles more slowly and computes the same.
"""

from __future__ import annotations

import re

from ..simulation.cxx_tokens import CxxTokens, NotUnderstood

_DECLARATION = re.compile(r"\b(?:value|wire)<(\d+)> (p_\w+)")
_ASSIGNMENT = re.compile(r"(\t+)(p_\w+)(\.next)? = (.*);\n")
_ADVANCE = re.compile(r"\t(p_\w+)\.curr = (p_\w+)\.next;\n")
_CLOCKED = "\tif (posedge_p_clk) {\n"
_NAME = re.compile(r"(p_\w+?)(\.curr|\.next)?(?!\w|\.)")
_CONSTANT = re.compile(r"value<(\d+)>\{(?:0x)?([0-9a-f]+)u\}")
_SLICE = re.compile(r"fast::slice<(\d+),(\d+)>\(")
_TABLE = re.compile(r"shiftx_uu<1>\(value<\d+>\{(?:0x)?([0-9a-f]+)u(?:,(?:0x)?([0-9a-f]+)u)?\}, ")
_BINARY = re.compile(r"fast::(and|or|xor)_uu<1>\(")
_OPERATORS = {"and": "&", "or": "|", "xor": "^"}


def widths(*sources: str) -> dict[str, int]:
    """Bits of each value and wire that C++ sources declare."""
    return {name: int(bits) for text in sources for bits, name in _DECLARATION.findall(text)}


def as_words(source: str, bits: dict[str, int]) -> str:
    """A C++ file of CXXRTL with single-bit statements as integer arithmetic.

    Registers that are clocked one after another share their test of the clock.
    """
    lines, result, index = source.splitlines(keepends=True), [], 0
    while index < len(lines):
        line = lines[index]
        if line == _CLOCKED:
            end = lines.index("\t}\n", index)
            body = [_line(inner, bits) for inner in lines[index + 1 : end]]
            if result and result[-1] == "\t} // clocked\n":
                result.pop()
            else:
                result.append(line)
            result += [*body, "\t} // clocked\n"]
            index = end
        else:
            result.append(_line(line, bits))
        index += 1
    return "".join(result)


def _line(line: str, bits: dict[str, int]) -> str:
    match = _ADVANCE.fullmatch(line)
    if match and bits.get(match[1]) == 1:
        return f"\t{match[1]}.curr.data[0] = {match[2]}.next.data[0];\n"
    match = _ASSIGNMENT.fullmatch(line)
    if match is None or bits.get(match[2]) != 1:
        return line
    parser = _Parser(match[4], bits)
    try:
        word = parser.word()
    except NotUnderstood:
        return line
    if parser.at != len(match[4]):
        return line
    return f"{match[1]}{match[2]}{match[3] or ''}.data[0] = {word};\n"


class _Parser(CxxTokens):
    """Recursive descent; each method returns an unsigned expression that is 0 or 1."""

    def __init__(self, text: str, bits: dict[str, int]):
        super().__init__(text)
        self.bits = bits

    def word(self) -> str:
        if match := self.take(_BINARY):
            left = self.word()
            self.expect(", ")
            right = self.word()
            self.expect(")")
            return f"({left} {_OPERATORS[match[1]]} {right})"
        if self.accept("fast::not_u<1>("):
            inner = self.word()
            self.expect(")")
            return f"({inner} ^ 1u)"
        if match := self.take(_TABLE):
            # the second chunk is the upper one
            table = f"0x{match[2] or ''}{match[1]:0>8}ull"
            index = self.index()
            self.expect(")")
            return f"(uint32_t({table} >> ({index})) & 1u)"
        if match := self.take(_SLICE):
            name, bit = self.name(), int(match[1])
            self.expect(")")
            if match[1] != match[2] or bit >= name[1]:
                raise NotUnderstood
            return f"({name[0]}.data[{bit // 32}] >> {bit % 32} & 1u)"
        if match := self.take(_CONSTANT):
            if match[1] != "1":
                raise NotUnderstood
            return f"{int(match[2], 16)}u"
        if self.accept("("):
            condition = self.word()
            self.expect(" ? ")
            high = self.word()
            self.expect(" : ")
            low = self.word()
            self.expect(")")
            return f"({condition} ? {high} : {low})"
        name, width = self.name()
        if width != 1:
            raise NotUnderstood
        return f"{name}.data[0]"

    def name(self) -> tuple[str, int]:
        match = self.take(_NAME)
        if match is None or match[1] not in self.bits:
            raise NotUnderstood
        return match[0], self.bits[match[1]]

    def index(self) -> str:
        """A concatenation of single bits and constants, the highest part first."""
        if not self.accept("fast::concat("):
            return self.word()
        parts = []
        while True:
            match = _CONSTANT.match(self.text, self.at)
            if match:
                self.at = match.end()
                parts.append((f"{int(match[2], 16)}u", int(match[1])))
            else:
                parts.append((self.word(), 1))
            if not self.accept(", "):
                break
        self.expect(")")
        terms, shift = [], 0
        for word, width in reversed(parts):
            if word != "0u":
                terms.append(f"{word} << {shift}" if shift else word)
            shift += width
        return " | ".join(terms) or "0u"
