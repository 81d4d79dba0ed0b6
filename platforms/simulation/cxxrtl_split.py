"""Cutting CXXRTL's C++ into pieces that compilers handle in linear time.

Yosys writes the whole design as one function, for which g++ needs minutes. Here its body becomes
many member functions, spread over several files that compile side by side. Values that Yosys
keeps in local variables become members; registers are advanced by plain copies, as the compiled
simulation needs no news of which of them changed. The members are spread over a chain of base
classes: compilers compare each new member of a class with all that it has so far.
"""

from __future__ import annotations

import re

from .cxxrtl_rewrite import rewrite

MEMBERS = 1_000
"""Of each class in the chain."""
PIECE_SIZE = 6_000
"""Characters per function: more makes compiling slower, fewer makes calls noticeable."""

_EVAL_START = "bool p_top::eval(performer *performer) {\n"
_EVAL_END = "\treturn converged;\n}\n"
_LOCAL = re.compile(r"\tvalue<\d+> \w+;")
_OUTLINE = re.compile(r"/\*outline\*/ (value<\d+> \w+;)")
_COMMIT = re.compile(r"\t\tif \((\w+)\.commit\(observer\)\) changed = true;\n")
_STRUCT = "struct p_top : public module {\n"
_MEMBER = re.compile(r"\t(/\*\w+\*/ )?(value|wire|memory)<\d+> \w+( ?\{.*\})?;\n")


def split(header: str, source: str, parts: int) -> tuple[str, list[str], bool]:
    """Split the output of ``write_cxxrtl -header`` for a top module called ``top``.

    Returns the new header, ``parts`` C++ files and whether one evaluation settles all signals,
    which is so unless a design has signals that Yosys orders in a loop. The class gains
    ``void advance()``: the registers' next values become current, in one pass. The first file has
    everything that is not split: of a design without names to show, only what runs at its creation
    and end.
    """
    before, body = source.split(_EVAL_START)
    body, after = body.split(_EVAL_END, 1)
    members, statements, settles = _parse_body(body)
    arguments = "bool posedge_p_clk" if "posedge_p_clk" in body else ""
    call = "posedge_p_clk" if arguments else ""
    eval_pieces = _pieces(statements)
    advance_pieces = _pieces(_advance_statements(header))
    evals = [f"eval_{i}" for i in range(len(eval_pieces))]
    advances = [f"advance_{i}" for i in range(len(advance_pieces))]
    # what the waveform needs is a member already, under the same name and with the same value
    outlines = set(_OUTLINE.findall(header))
    members = [member for member in members if member.strip() not in outlines]
    members += [f"\tvoid {name}({arguments});\n" for name in evals]
    members += [f"\tvoid {name}();\n" for name in [*advances, "advance"]]
    header = header.replace(_STRUCT, _STRUCT + "".join(members), 1)

    functions = [
        f"void p_top::{name}({arguments}) {{\n{piece}}}\n"
        for name, piece in zip(evals, eval_pieces, strict=True)
    ] + [
        f"void p_top::{name}() {{\n{piece}}}\n"
        for name, piece in zip(advances, advance_pieces, strict=True)
    ]
    edge = "\tbool posedge_p_clk = this->posedge_p_clk();\n" if arguments else ""
    driver = (
        _EVAL_START
        + edge
        + "".join(f"\t{name}({call});\n" for name in evals)
        + f"\treturn {str(settles).lower()};\n}}\n"
        + "void p_top::advance() {\n"
        + "".join(f"\t{name}();\n" for name in advances)
        + "}\n"
    )
    includes = '#include "design.h"\n#include "cxxrtl_fast.h"\n'
    opening = includes + "using namespace cxxrtl_yosys;\nnamespace cxxrtl_design {\n"
    functions.insert(0, driver)
    files = [before + after]
    files += [
        opening + "".join(functions[i :: parts - 1]) + "}\n"
        for i in range(parts - 1)
        if functions[i :: parts - 1]
    ]
    return chain(header), files, settles


def chain(header: str) -> str:
    """The header with the members of the class in a chain of base classes."""
    before, body = header.split(_STRUCT)
    lines = body.splitlines(keepends=True)
    members = [line for line in lines if _MEMBER.fullmatch(line)]
    base, classes = "module", []
    for start in range(0, len(members), MEMBERS):
        name = f"members_{start}"
        part = "".join(members[start : start + MEMBERS])
        classes.append(f"struct {name} : public {base} {{\n{part}}};\n")
        base = name
    rest = "".join(line for line in lines if not _MEMBER.fullmatch(line))
    return before + "".join(classes) + _STRUCT.replace("module", base) + rest


def _parse_body(body: str) -> tuple[list[str], list[str], bool]:
    """Local variables, statement groups (each after a comment of Yosys), and convergence."""
    members, statements, settles = [], [], True
    for line in body.splitlines(keepends=True):
        text = line.rstrip("\n")
        if text.startswith("\tbool converged ="):
            settles = text.endswith("true;")
        elif text.startswith("\tbool posedge_p_clk ="):
            continue
        elif _LOCAL.fullmatch(text):
            members.append(line)
        elif text.startswith("\t//"):
            statements.append("")
        elif not text.lstrip().startswith("//"):
            if not statements:
                statements.append("")
            statements[-1] += line
    return members, [rewrite(statement) for statement in statements if statement], settles


def _advance_statements(header: str) -> list[str]:
    """One statement per register or memory that ``commit`` handles."""
    statements = []
    for name in _COMMIT.findall(header):
        if name.startswith("memory_"):
            statements.append(f"\t{{ cxxrtl::observer observer; {name}.commit(observer); }}\n")
        else:
            statements.append(f"\t{name}.curr = {name}.next;\n")
    return statements


def _pieces(statements: list[str]) -> list[str]:
    pieces, size = [], PIECE_SIZE
    for statement in statements:
        if size >= PIECE_SIZE:
            pieces.append([])
            size = 0
        pieces[-1].append(statement)
        size += len(statement)
    return ["".join(piece) for piece in pieces]
