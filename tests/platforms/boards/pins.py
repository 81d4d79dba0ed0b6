"""Where the ports of a board's top lie, in the constraints of any toolchain."""

import re

from amaranth.build import DiffPairs

from gateformer.platforms.boards.target import UART

_LOCATED = {
    "top.xdc": r'^ *set_property LOC (?P<pin>\w+) \[get_ports "?(?P<port>[^\]"]+)"?\]',
    "top.lpf": r'^LOCATE COMP "(?P<port>[^"]+)" SITE "(?P<pin>\w+)";',
    "top.cst": r'^IO_LOC "(?P<port>[^"]+)" (?P<pin>\w+);',
}


def located(files) -> dict[str, str]:
    """Pin of each port, as the constraints say."""
    ((name, pattern),) = ((n, p) for n, p in _LOCATED.items() if n in files)
    text = files[name] if isinstance(files[name], str) else files[name].decode()
    return {found["port"]: found["pin"] for found in re.finditer(pattern, text, re.M)}


def ports(rtlil: str) -> list[str]:
    """Names of the top module's ports."""
    module = re.search(r"^module \\top\n(.*?)^end\n", rtlil, re.M | re.S)[1]
    return re.findall(r"^  wire width 1 (?:in|out)put \d+ +\\(\S+)$", module, re.M)


def expected_pins(platform, target) -> dict[str, str]:
    """Pin of each port: clock, lights, serial port with its button, what is held high."""
    clock = [] if platform.default_clk is None else [(platform.default_clk, 0)]
    wanted = [*clock, *(light[1:] for light in platform.lights)]
    if target.console == UART:
        uart = getattr(platform, "uart", ("uart", 0))
        wanted += [(*uart, "rx"), (*uart, "tx")]
        if hasattr(platform, "reset_button"):
            wanted.append(platform.reset_button)
    if target.name == "ulx3s":
        wanted.append(("wifi_gpio0", 0))
    connectors = {
        f"{connector.name}_{connector.number}:{pin}": name
        for connector in platform.connectors.values()
        for pin, name in connector.mapping.items()
    }
    pins = {}
    for name, number, *path in wanted:
        (part,) = (
            subsignal.ios[0] if path else subsignal
            for subsignal in platform.lookup(name, number).ios
            if not path or subsignal.name == path[0]
        )
        port = "__".join((f"{name}_{number}", *path))
        if isinstance(part, DiffPairs):
            halves = {"p": part.p.names, "n": part.n.names}
            if target.family.name == "ecp5":  # the other one follows from the first
                del halves["n"]
        else:
            halves = {"io": part.names}
        for half, (pin,) in halves.items():
            pins[f"{port}__{half}"] = connectors.get(pin, pin)
    return pins
