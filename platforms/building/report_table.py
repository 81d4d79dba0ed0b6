"""The table at the end of a build, from its report."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Console
from rich.table import Table

from gateformer.model.support.counted import counted

from ..families.family import UNITS
from .report import resource
from .streams import streams_rows


def _toolchain_rows(section: dict | None) -> Iterator[tuple[str, str]]:
    """Rows of what a toolchain has to say; none for most."""
    if section is None:
        return
    name, rules = section["name"], section["rules"]
    if rules is not None:
        found = f"{counted(len(rules['violations']), 'violation')}; {rules['summary']}"
        yield f"netlist against the rules of {name}", found
    for remark in section["remarks"]:
        yield f"by {name}", remark


def _memory_rows(memory: dict | None) -> Iterator[tuple[str, str]]:
    """Rows of what external memory gave; none for most."""
    if memory is None:
        return
    yield (
        "bytes per token, from external memory",
        f"{memory['bytes_per_token']:,.0f}: at most {memory['bound_tokens_per_s']:,.1f} tokens per "
        f"second of one text at {memory['bandwidth_bytes_per_s'] / 1e9:.2f} GB/s",
    )
    yield (
        "cycles per token of the text (simulated)",
        f"{memory['cycles_per_token']:,.0f}, {memory['share']:.1%} of the bandwidth "
        f"({memory['source']})",
    )


def _lanes(hw: dict) -> str:
    """``64 lanes``; of a model in external memory ``2 × 32 lanes, 4 ports of 8 bytes``."""
    lanes = counted(hw["lanes_built"], "lane")
    if "ports" not in hw:
        return lanes
    each = f"{hw['streams']} × " if hw["streams"] > 1 else ""
    return f"{each}{lanes}, {counted(hw['ports'], 'port')} of {hw['port_bytes']} bytes"


def _shown(report: dict) -> list[str]:
    """Resources that were counted, but carries: LUT sites hold them."""
    lut, *others = UNITS
    return [name for name in (lut, "sites", *others) if resource(report, name)[0] is not None]


def print_report(report: dict, text: str | None, console: Console) -> None:
    """The short table at the end of a build."""
    table = Table(
        title=f"{report['model']['name']} on {report['board']['title']}", show_header=False
    )
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    if text is not None:
        table.add_row("text (compiled simulation)", repr(text)[1:-1])
    hw = report["hardware"]
    engine = ""
    if "rows" in hw:
        cores = f"{hw['cores']} cores, each " if hw["cores"] > 1 else ""
        engine = f"{cores}{hw['rows']} × {hw['cols']} weights per cycle ({hw['packing']}), "
    table.add_row("hardware", f"{engine}{_lanes(hw)}")
    loss = report["model"]["val_loss_int"]
    if loss is not None:
        twin = report["model"]["val_loss_float"]
        known = "" if twin is None else f", {twin:.4f} float twin"
        corpus = report["model"]["corpus"]
        text = f", on {corpus['name']}" if corpus else ""
        table.add_row("validation loss", f"{loss:.4f} nats integer{known}{text}")
    cycles = report["cycles"]
    counts = cycles["by_position"]
    table.add_row(
        f"cycles per greedy token ({cycles['source']})",
        f"first {counts[0]:,}, mean {cycles['mean']:,.1f}, last {counts[-1]:,}",
    )
    for row in _memory_rows(report.get("memory")):
        table.add_row(*row)
    if "streams" in report:
        for row in streams_rows(report["streams"], report["tokens_per_second"]["clock_mhz"]):
            table.add_row(*row)
    if "saturations" in report:
        table.add_row("numbers that a limit changed", f"{report['saturations']:,}")
    added = cycles["added_by_sampling"]
    table.add_row(
        "more for sampling (exact, from the program)",
        f"{added['temperature']:,} with a temperature, {added['top_k']:,} with top-k, too",
    )
    if report["resources"]["synthesized"] is None:
        table.add_row("resources", "not synthesized")
    else:
        for name in _shown(report):
            use, source = resource(report, name)
            share = use["used"] / use["available"]
            table.add_row(
                f"{use['unit']} ({source})",
                f"{use['used']:,g} of {use['available']:,} ({share:.0%})",
            )
    for row in _toolchain_rows(report["toolchain"]):
        table.add_row(*row)
    speed = report["tokens_per_second"]
    timing = report["timing"]
    if timing["fmax_mhz"] is None:
        checked = "assumed: not placed and routed"
    else:
        checked = f"routed up to {timing['fmax_mhz']:.1f} MHz"
        path = timing["critical_path"]
        if path is not None:
            delay = f"{path['delay_ns']:.1f} ns"
            table.add_row("critical path", f"{path['start']} to {path['end']}, {delay}")
    basis = speed["basis"].replace("cycles (mean over the context)", "cycles")
    digits = 0 if speed["value"] >= 1000 else 1
    # from external memory, the text is simulated as it was asked for
    kind = "tokens per second"
    if report.get("memory") is None:
        kind = f"greedy {kind}{' of one text alone' if 'streams' in report else ''}"
    table.add_row(
        f"{kind} ({basis})",
        f"{speed['value']:,.{digits}f} at {speed['clock_mhz']:g} MHz ({checked})",
    )
    table.add_row("files", "\n".join(report["files"]))
    console.print(table)
