"""Compilers of the simulation, and the cache of what they made."""

import concurrent.futures
import contextlib
import re
import sys

import pytest

from gateformer.model.support import cache, compiler
from gateformer.model.support.errors import UserError
from gateformer.platforms.simulation import cxxrtl
from gateformer.platforms.simulation.compiled_simulation import CompiledSimulation
from gateformer.platforms.support import cpp_compiler
from tests.support.simulated_counter import Counter, drive_counter


@pytest.fixture
def empty_cache(tmp_path, monkeypatch):
    # not by XDG_CACHE_HOME: Yosys' own cache follows that, too, and takes minutes to fill
    monkeypatch.setattr(cache, "cache_directory", lambda: tmp_path)
    return tmp_path


def test_cache_directory_follows_the_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache.cache_directory() == tmp_path / "gateformer"
    assert cache.cache_directory().is_dir()


def libraries(directory):
    return sorted(directory.glob("*.so"))


def test_cache_compiles_once(empty_cache, monkeypatch):
    first = cxxrtl.compile_component(Counter(5))

    def fail(*arguments, **options):
        raise AssertionError("compiled although cached")

    monkeypatch.setattr(cpp_compiler, "compile_library", fail)
    assert cxxrtl.compile_component(Counter(5)) == first
    assert libraries(empty_cache) == [first.path]
    with pytest.raises(AssertionError, match="although cached"):
        cxxrtl.compile_component(Counter(6))
    assert libraries(empty_cache) == [first.path]
    # by a key, too, and then without the design
    kept = cxxrtl.compile_component(Counter(5), key="five")
    assert kept.path != first.path and kept.path.read_bytes() == first.path.read_bytes()
    monkeypatch.setattr(cxxrtl.rtlil, "convert", fail)
    assert cxxrtl.compile_component(Counter(5), key="five") == kept
    assert not list(empty_cache.glob("work-*"))


def test_two_at_once_compile_once(empty_cache, monkeypatch):
    compile_library, calls = cpp_compiler.compile_library, []

    def count(*arguments, **options):
        calls.append(1)
        compile_library(*arguments, **options)

    monkeypatch.setattr(cpp_compiler, "compile_library", count)
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        results = list(pool.map(lambda _: cxxrtl.compile_component(Counter(9)), range(2)))
    assert results[0] == results[1]
    assert len(calls) == 1


@pytest.mark.parametrize("parts", [1, 3])
def test_any_number_of_compilers_makes_the_same_simulation(empty_cache, monkeypatch, parts):
    monkeypatch.setattr(cxxrtl, "MAX_PARTS", parts)
    monkeypatch.setattr(cxxrtl.os, "cpu_count", lambda: parts)
    simulation = CompiledSimulation(Counter(11))
    simulation.step(100)
    assert simulation.get("value") == drive_counter(100)


def test_what_is_compiled_is_shown_as_it_goes(empty_cache, monkeypatch):
    told = []

    @contextlib.contextmanager
    def working(what):
        yield told.append

    monkeypatch.setattr(cxxrtl, "working", working)
    monkeypatch.setattr(cxxrtl, "MAX_PARTS", 2)
    monkeypatch.setattr(cxxrtl.os, "cpu_count", lambda: 2)
    cxxrtl.compile_component(Counter(12))
    title, *parts = told
    shown = [re.fullmatch(rf"{re.escape(title)}: (\d) of (\d) C\+\+ files", part) for part in parts]
    total = int(shown[0][2])
    assert sorted(int(part[1]) for part in shown) == [*range(total + 1)]


@pytest.mark.slow  # it first compiles its own libraries, for two minutes
@pytest.mark.full_size
def test_pip_compiler_works(empty_cache, monkeypatch):
    monkeypatch.delenv("CXX", raising=False)
    monkeypatch.setattr(compiler.shutil, "which", lambda name: None)
    assert cpp_compiler.find_compiler() == [sys.executable, "-m", "ziglang", "c++"]
    simulation = CompiledSimulation(Counter(8))
    simulation.step(100)
    assert simulation.get("value") == drive_counter(100)


def test_no_compiler(monkeypatch):
    monkeypatch.delenv("CXX", raising=False)
    monkeypatch.setattr(compiler.shutil, "which", lambda name: None)
    monkeypatch.setattr(compiler.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UserError) as caught:
        cpp_compiler.find_compiler()
    assert str(caught.value) == (
        "no C++ compiler found (g++, clang++ or $CXX), which the simulation needs; "
        "install one, or: pip install ziglang"
    )


def test_missing_compiler_of_the_environment(monkeypatch):
    monkeypatch.setenv("CXX", "no-such-compiler -x")
    with pytest.raises(UserError) as caught:
        cpp_compiler.find_compiler()
    assert str(caught.value) == (
        "the C++ compiler of the environment variable CXX, 'no-such-compiler', was not found; "
        "unset CXX or name a compiler"
    )
