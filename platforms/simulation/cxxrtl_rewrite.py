"""Rewriting the expressions in CXXRTL's C++ to the operations of ``cxxrtl_fast.h``.

``a.slice<7,0>().concat(b).val()`` becomes ``fast::concat(fast::slice<7,0>(a), b)``. A statement
that is not understood stays as it is, which is slower and as correct.
"""

from __future__ import annotations

import re

from .cxx_tokens import CxxTokens, NotUnderstood

_BINARY = ("add", "sub", "mul", "and", "or", "xor", "eq", "ne", "lt", "le", "gt", "ge")
_OPERATIONS = {
    *(f"{name}_{sign}" for name in _BINARY for sign in ("uu", "ss")),
    *("not_u", "reduce_or", "reduce_bool", "logic_not", "reduce_and"),
}
_ASSIGNMENT = re.compile(r"(\t+(?:auto |value<\d+> )?[\w.]+ = )(.*)(;\n)")
_NAME = re.compile(r"[A-Za-z_]\w*")
_NUMBER = re.compile(r"\d\w*")
_TEMPLATE = re.compile(r"<[\d,]*>")
_SLICE = re.compile(r"\.slice<(\d+)(?:,(\d+))?>\(\)")
_REPEAT = re.compile(r"\.repeat<(\d+)>\(\)")


def rewrite(statement: str) -> str:
    """A statement group of CXXRTL's evaluation function, line by line."""
    return "".join(_rewrite_line(line) for line in statement.splitlines(keepends=True))


def _rewrite_line(line: str) -> str:
    match = _ASSIGNMENT.fullmatch(line)
    if match is None:
        return line
    target, expression, end = match.groups()
    parser = _Parser(expression)
    try:
        result = parser.expression()
    except NotUnderstood:
        return line
    return target + result + end if parser.at == len(expression) else line


class _Parser(CxxTokens):
    """Recursive descent over one expression; each method returns the rewritten text."""

    def expression(self) -> str:
        parts = [self.primary()]  # of a concatenation
        while True:
            if match := self.take(_SLICE):
                stop, start = match[1], match[2] or match[1]
                parts = [f"fast::slice<{stop},{start}>({_joined(parts)})"]
            elif match := self.take(_REPEAT):
                parts = [f"fast::repeat<{match[1]}>({_joined(parts)})"]
            elif self.accept(".val()"):
                parts = [_joined(parts)]
            elif self.accept(".concat("):
                parts.append(self.expression())
                self.expect(")")
            else:
                return _joined(parts)

    def primary(self) -> str:
        if self.accept("("):
            return self.conditional()
        if match := self.take(_NUMBER):
            return match[0]
        name = self.take(_NAME)
        if name is None:
            raise NotUnderstood
        name = name[0]
        if self.accept(".curr"):
            return f"{name}.curr"
        template = self.take(_TEMPLATE)
        template = template[0] if template else ""
        if self.accept("{"):
            end = self.text.index("}", self.at)
            constant, self.at = self.text[self.at : end], end + 1
            return f"{name}{template}{{{constant}}}"
        if self.accept("("):
            prefix = "fast::" if name in _OPERATIONS else ""
            return f"{prefix}{name}{template}({self.arguments()})"
        if self.text.startswith("[", self.at):
            raise NotUnderstood
        return name + template

    def arguments(self) -> str:
        if self.accept(")"):
            return ""
        found = [self.expression()]
        while self.accept(", "):
            found.append(self.expression())
        self.expect(")")
        return ", ".join(found)

    def conditional(self) -> str:
        condition = self.expression()
        if not self.accept(" ? "):
            self.expect(")")
            return f"({condition})"
        first = self.expression()
        self.expect(" : ")
        second = self.expression()
        self.expect(")")
        return f"({condition} ? {first} : {second})"


def _joined(parts: list[str]) -> str:
    return parts[0] if len(parts) == 1 else f"fast::concat({', '.join(parts)})"
