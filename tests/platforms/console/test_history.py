"""Lines that the console remembers, with GNU readline, libedit, or no place to keep them."""

import random
import types

import pytest

from gateformer.platforms.console import history as console_history
from gateformer.platforms.console.history import HISTORY_FILE, HISTORY_LINES, line_editing

COMMANDS = ("/seed", "/se", "/top-k")


def editor(doc):
    """A stand-in for the readline module of one terminal: only what every kind of it has."""
    lines, state = [], {}
    names = ("set_completer_delims", "set_completer", "parse_and_bind")
    return types.SimpleNamespace(
        __doc__=doc,
        lines=lines,
        state=state,
        add_history=lines.append,
        get_current_history_length=lambda: len(lines),
        get_history_item=lambda number: lines[number - 1],
        **{name: lambda value, name=name: state.update({name: value}) for name in names},
    )


GNU = "Importing this module enables command line editing using GNU readline."
LIBEDIT = "Importing this module enables command line editing using libedit readline."


@pytest.fixture
def session(monkeypatch, tmp_path):
    """Function of lines to what a new session of the console, in which they are typed, knew."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))

    def run(*typed, doc=GNU):
        readline = editor(doc)
        monkeypatch.setattr(console_history, "readline", readline)
        with line_editing(COMMANDS):
            known = list(readline.lines)
            readline.lines += typed
        return known

    run.file = tmp_path / "gateformer" / HISTORY_FILE
    return run


@pytest.mark.parametrize("docs", [(GNU, GNU), (LIBEDIT, LIBEDIT), (GNU, LIBEDIT), (None, GNU)])
def test_lines_are_kept_from_session_to_session(session, docs):
    lines = ["ROMEO:", "/seed 5", "ROMÉO \\n /", " a\tb "]
    assert session(*lines[:3], doc=docs[0]) == []
    assert session(lines[3], doc=docs[1]) == lines[:3]
    assert session(doc=docs[0]) == lines
    assert session.file.read_text() == "".join(f"{line}\n" for line in lines)


def test_the_last_lines_are_kept(session):
    rng = random.Random(1)
    lines = []
    while len(lines) < 3 * HISTORY_LINES:
        fresh = [f"line {len(lines) + i}" for i in range(rng.randrange(700))]
        assert session(*fresh) == lines[-HISTORY_LINES:]
        lines += fresh
    assert session() == lines[-HISTORY_LINES:]


def test_two_consoles_at_once_keep_both_histories(session, monkeypatch):
    session("a")
    first, second = editor(GNU), editor(LIBEDIT)
    monkeypatch.setattr(console_history, "readline", first)
    with line_editing(COMMANDS):
        first.lines.append("b")
        monkeypatch.setattr(console_history, "readline", second)
        with line_editing(COMMANDS):
            second.lines.append("c")
        monkeypatch.setattr(console_history, "readline", first)
    assert session() == ["a", "c", "b"]


def test_lines_are_kept_when_the_session_breaks_off(session):
    with pytest.raises(KeyboardInterrupt), line_editing(COMMANDS):
        raise KeyboardInterrupt
    session("a")
    with pytest.raises(KeyboardInterrupt), line_editing(COMMANDS):
        console_history.readline.lines.append("b")
        raise KeyboardInterrupt
    assert session() == ["a", "b"]


def test_a_file_of_nonsense_breaks_nothing(session):
    session("a")
    session.file.write_bytes(b"x\xff\n\n\0\n\n_HiStOrY_V2_")
    assert session("b\udcff") == ["x\N{REPLACEMENT CHARACTER}", "_HiStOrY_V2_"]
    assert session() == ["x\N{REPLACEMENT CHARACTER}", "_HiStOrY_V2_", "b?"]


def new_process(monkeypatch):
    """The directory that stands in for the cache ends with its process."""
    monkeypatch.setattr("gateformer.model.support.cache._instead", {})
    for name in ("YOWASP_CACHE_DIR", "MPLCONFIGDIR"):  # of the tests' own
        monkeypatch.setenv(name, "kept")


def test_without_a_directory_the_console_goes_on(session, monkeypatch, tmp_path):
    file = tmp_path / "file"
    file.touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(file))
    new_process(monkeypatch)
    assert session("a") == []
    new_process(monkeypatch)
    assert session() == []


def test_without_a_home_the_console_goes_on(session, monkeypatch):
    def homeless():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setattr("gateformer.model.support.cache.Path.home", homeless)
    new_process(monkeypatch)
    assert session("a") == []
    new_process(monkeypatch)
    assert session() == []


def test_without_a_file_that_can_be_read_or_written_the_console_goes_on(session):
    session.file.mkdir(parents=True)
    assert session("a") == session() == []
    assert not list(session.file.parent.glob("*.tmp"))


def test_without_readline_the_console_goes_on(session, monkeypatch):
    monkeypatch.setattr(console_history, "readline", None)
    with line_editing(COMMANDS):
        pass
    assert not session.file.exists()


@pytest.mark.parametrize(
    ("doc", "binding"),
    [(GNU, "tab: complete"), (LIBEDIT, "bind ^I rl_complete"), (None, "tab: complete")],
)
def test_tab_completes_commands(session, doc, binding):
    session(doc=doc)
    state = console_history.readline.state
    assert state["parse_and_bind"] == binding
    assert state["set_completer_delims"] == ""
    complete = state["set_completer"]
    assert [complete("/s", number) for number in range(3)] == ["/seed", "/se", None]
    assert complete("/x", 0) is complete("", 0) is complete("say /s", 0) is None
