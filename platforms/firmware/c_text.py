"""Pieces of C: macros, enumerations, tables."""

from __future__ import annotations

from collections.abc import Iterable


def macro(name: str) -> str:
    """A name in capitals, as macros and enumerations have them."""
    return name.upper().replace("-", "_")


def braces(values: Iterable) -> str:
    return "{" + ", ".join(map(str, values)) + "}"


def defines(**values) -> list[str]:
    return [f"#define {name} {value}" for name, value in values.items()]


def enum(name: str, members: list[str]) -> str:
    return f"enum {name} {{\n" + "".join(f"\t{member},\n" for member in members) + "};\n"


def array(kind: str, name: str, values: Iterable[str]) -> str:
    """An array that every file has, and the linker only where it is used."""
    suffix = "" if "[" in name else "[]"
    body = "".join(f"\t{value},\n" for value in values)
    return f"static const {kind} {name}{suffix} __attribute__((unused)) = {{\n{body}}};\n"
