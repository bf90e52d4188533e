"""What exported C says of flash and RAM is what the compiler finds, the loop of the docs compiles, as C and as C++."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from c_programs import GCC, WARNINGS
from integer_nets import integer_network
from places import ROOT
from tern2lava.compiler.build import build
from tern2lava.compiler.ir.graph import Graph
from tern2lava.export.c.write import c_files
from tern2lava.frontends.load import load
from tern2lava.hw_profiles import load_profile

DEMO = ROOT / "tern2lava" / "demo"


def demo(name: str) -> Graph:
    """The integer program of one of the demonstration's networks."""
    return build(load(DEMO / f"{name}.pt", DEMO / f"{name}.yaml"), load_profile("generic-ternary")).lowered.program


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The C of the demonstration's networks and of one with tables of every kind."""
    root = tmp_path_factory.mktemp("c")
    graphs = {"mlp": demo("mlp"), "conv": demo("conv"), "own": integer_network("own_neurons")[0]}
    for name, graph in graphs.items():
        (root / name).mkdir()
        for file, text in c_files(graph, version="0").items():
            (root / name / file).write_text(text, encoding="utf-8")
        (root / name / "ram.c").write_text('#include "model.h"\ntern2lava_t net;\n', encoding="utf-8")
    return {name: root / name for name in graphs}


def run(folder: Path, *words: str) -> str:
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[:3000]
    return done.stdout


def said(folder: Path, name: str) -> int:
    found = re.search(rf"#define TERN2LAVA_{name} +(\d+)", (folder / "model.h").read_text())
    assert found is not None
    return int(found[1])


def sections(folder: Path, file: str) -> dict[str, int]:
    """Bytes of each section of an object file, as `size -A` has them."""
    rows = re.findall(r"^(\.\S+) +(\d+)", run(folder, "size", "-A", file), re.MULTILINE)
    return {name: int(count) for name, count in rows}


@pytest.mark.skipif(GCC is None or not shutil.which("size"), reason="gcc or size is not installed")
@pytest.mark.parametrize("name", ["mlp", "conv", "own"])
def test_flash_and_ram_are_what_the_compiler_finds(name: str, folders: dict[str, Path]) -> None:
    folder = folders[name]
    run(folder, "gcc", *WARNINGS, "-O0", "-c", "model.c", "ram.c")
    symbols = run(folder, "nm", "-S", "--defined-only", "model.o").splitlines()
    tables = [int(line.split()[1], 16) for line in symbols if " r " in line]
    assert sum(tables) == said(folder, "TABLE_BYTES")
    assert len(tables) >= 2
    ram = sections(folder, "ram.o")
    assert ram[".bss"] == said(folder, "RAM_BYTES")
    own = sections(folder, "model.o")
    assert own[".data"] == own[".bss"] == 0
    readme = (folder / "README.md").read_text()
    assert f"| the state, `sizeof(tern2lava_t)` | {ram['.bss']} | RAM |" in readme
    assert f"| weights and parameters | {sum(tables)} | flash |" in readme
    if name != "own":
        assert sum(count for section, count in own.items() if section.startswith((".text", ".rodata"))) < 64 * 1024
        assert ram[".bss"] < 64 * 1024


@pytest.mark.skipif(GCC is None, reason="gcc is not installed")
def test_the_loop_of_the_docs_compiles_and_so_does_a_caller_in_cpp(folders: dict[str, Path]) -> None:
    folder = folders["mlp"]
    text = (ROOT / "docs" / "c-export.md").read_text("utf-8")
    code = text.partition("```c\n")[2].partition("```")[0]
    assert "tern2lava_step" in code
    (folder / "loop.c").write_text(code)
    run(folder, "gcc", *WARNINGS, "-c", "loop.c")
    if shutil.which("g++") is None:
        pytest.skip("g++ is not installed")
    body = "static tern2lava_t net; tern2lava_reset(&net); return tern2lava_spike_lif1(&net, 0);"
    (folder / "caller.cpp").write_text(f'#include "model.h"\nint main() {{ {body} }}\n')
    run(folder, "gcc", "-std=c11", "-c", "model.c")
    strict = ("-Wall", "-Wextra", "-Werror", "-pedantic", "-Wconversion")
    run(folder, "g++", "-std=c++17", *strict, "caller.cpp", "model.o", "-o", "caller")
    (folder / "loop.cpp").write_text(code)
    run(folder, "g++", "-std=c++17", *strict, "-c", "loop.cpp")
    run(folder, "./caller")


@pytest.mark.parametrize("word", ["malloc", "calloc", "float ", "double ", "#include <math.h>", "#include <string.h>"])
def test_there_is_no_heap_no_floating_point_and_no_library(word: str, folders: dict[str, Path]) -> None:
    for folder in folders.values():
        for file in ("model.h", "model.c"):
            assert word not in re.sub(r"/\*.*?\*/", "", (folder / file).read_text(), flags=re.DOTALL)
