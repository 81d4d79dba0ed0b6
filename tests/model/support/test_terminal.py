"""Names with brackets are printed as they are, whatever prints them."""

import ast
import io
from pathlib import Path

from rich.table import Table

from gateformer.model.support.terminal import Terminal

ROOT = Path(__file__).parents[3]
NAME = "a[/b] [x] [bold]c.safetensors"


def printed(renderable, width: int = 200) -> str:
    output = io.StringIO()
    Terminal(file=output, width=width).print(renderable)
    return output.getvalue()


def table() -> Table:
    made = Table(NAME, title=NAME + " title", caption=NAME + " caption")
    made.add_row(NAME + " cell")
    return made


def test_brackets_are_text():
    assert printed(NAME) == NAME + "\n"
    lines = printed(table())
    assert lines.count(NAME) == 4
    assert all(f"{NAME} {place}" in lines for place in ("title", "caption", "cell"))


def test_a_title_wider_than_its_table_is_a_line():
    name = "random:n_layers=3," + "d_model=96," * 9 + "seed=1"
    made = Table("a", "b", title=name)
    made.add_row("1", "2")
    assert printed(made, width=80).splitlines()[0] == name
    assert name in printed(made, width=20)
    assert printed(table(), width=200).splitlines()[0].strip() == NAME + " title"


def calls(name: str):
    """(file, call) of every call of a function or class of this name in the project."""
    for wing in ("model", "platforms", "gateware"):
        for path in sorted((ROOT / wing).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Call) and getattr(node.func, "id", None) == name:
                    yield path.relative_to(ROOT).as_posix(), node


def test_no_other_console_is_made():
    assert [path for path, _ in calls("Console")] == []


def test_columns_of_progress_bars_show_text():
    """Unless it is fixed, or has numbers alone."""
    for path, call in calls("TextColumn"):
        text = call.args[0]
        shows_numbers = isinstance(text, ast.Constant) and "description" not in text.value
        plain = {keyword.arg: ast.unparse(keyword.value) for keyword in call.keywords}
        assert shows_numbers or plain.get("markup") == "False", path
