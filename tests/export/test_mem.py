"""Memory files for FPGAs: words by hand, three formats with the same words, names that are safe, and $readmemh."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from by_path import module_at
from export_nets import NETS
from places import ROOT
from tern2lava import api
from tern2lava.compiler.ir.graph import Graph, Projection
from tern2lava.errors import InputError
from tern2lava.export.mem import export_mem
from tern2lava.export.mem_words import Words, coe, intel_hex, mem, pack_codes, pack_values

SOURCE = ROOT / "examples" / "read_mem.py"


@pytest.fixture(scope="module")
def reader() -> Any:
    return module_at(SOURCE)


@pytest.fixture(scope="module")
def program() -> Graph:
    """A convolution in groups and a dense layer of 108 inputs."""
    return api.compile(NETS["convolution"]().graph).lowered.program


def test_codes_are_packed_from_the_lowest_bit_on_and_rows_begin_with_a_word() -> None:
    words = pack_codes(np.array([[1, 0, -1, 1, 1], [-1, -1, 0, 0, 1]]), 2, 8)
    assert words.values == [0b01_11_00_01, 0b01, 0b00_00_11_11, 0b01]
    # Two codes of 3 bits leave two bits of a byte.
    assert pack_codes(np.array([[3, -4, -1]]), 3, 8).values == [0b00_100_011, 0b111]


def test_values_are_as_many_bytes_wide_as_the_largest_needs() -> None:
    assert pack_values(np.array([127, -128])) == Words(width=8, values=[0x7F, 0x80])
    assert pack_values(np.array([128, -1])) == Words(width=16, values=[0x0080, 0xFFFF])
    assert pack_values(np.array(-(1 << 20))) == Words(width=24, values=[0xF00000])


def test_the_formats_are_those_of_the_tools() -> None:
    words = Words(width=16, values=[0x0102, 0xABCD])
    assert mem(words) == "0102\nabcd\n"
    assert coe(words) == "memory_initialization_radix=16;\nmemory_initialization_vector=\n0102,\nabcd;\n"
    # Sums of all bytes of a record are 0 modulo 256.
    assert intel_hex(words) == ":020000000102FB\n:02000100ABCD85\n:00000001FF\n"
    far = intel_hex(Words(width=8, values=[0] * 0x10001)).splitlines()
    assert far[-3:] == [":020000040001F9", ":0100000000FF", ":00000001FF"]


@pytest.mark.parametrize("word", [8, 32, 64])
def test_every_format_and_width_gives_the_codes_and_gains_back(
    word: int, reader: Any, program: Graph, tmp_path: Path
) -> None:
    for form in ("mem", "coe", "hex"):
        folder = tmp_path / form
        files = export_mem(program, folder, version="0", form=form, word=str(word))
        assert sorted(files) == sorted(path.name for path in folder.iterdir())
        index = json.loads((folder / "index.json").read_text())
        for entry, node in zip(index["projections"], program.of_kind(Projection), strict=True):
            assert entry["codes"]["width"] == word
            np.testing.assert_array_equal(reader.codes(folder, entry["codes"], entry["shape"]), node.weight)
            np.testing.assert_array_equal(reader.values(folder, entry["gain"]), node.gain.reshape(-1))


def test_names_of_the_network_are_in_the_index_alone(program: Graph, tmp_path: Path) -> None:
    new = {node.name: f"../{node.name} </script>\n`$finish`" for node in program.nodes}
    named = program.with_nodes(
        replace(node, name=new[node.name], inputs=tuple(new[name] for name in node.inputs)) for node in program.nodes
    )
    files = export_mem(named, tmp_path / "out", version="0")
    assert all(re.fullmatch(r"[a-z_]+_\d{3}\.mem|index\.json", name) for name in files)
    assert all(re.fullmatch(r"[0-9a-f\n]+", (tmp_path / "out" / name).read_text()) for name in files[:-1])
    assert json.loads((tmp_path / "out" / "index.json").read_text())["inputs"][0]["name"] == new["x"]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"format": "bin"}, r"format: requires mem, coe or hex; found 'bin'; write --set format=mem"),
        ({"word": "12"}, r"word: requires 8, 16, .* or 256 bits; found '12'; write --set word=32"),
    ],
)
def test_other_formats_and_widths_are_refused(settings: dict[str, str], message: str, tmp_path: Path) -> None:
    compiled = api.compile(NETS["reset to zero"]().graph)
    with pytest.raises(InputError, match=message):
        api.export(compiled, tmp_path / "out", to="mem", settings=settings)
    assert not list(tmp_path.iterdir())


def test_the_reader_needs_numpy_alone_and_its_reading_of_weights_is_short() -> None:
    text = SOURCE.read_text(encoding="utf-8")
    imports = [line for line in text.splitlines() if line.startswith(("import ", "from "))]
    assert imports == ["import json", "import re", "import sys", "from pathlib import Path", "import numpy as np"]
    words_to_codes = text.partition("def words")[2].partition("def matrix")[0]
    assert len([line for line in words_to_codes.splitlines() if line]) <= 30


BENCH = """
module bench;
  reg [WIDTH-1:0] codes [0:WORDS-1];
  reg signed [1:0] code;
  integer row, column;
  initial begin
    $readmemh("FILE", codes);
    for (row = 0; row < ROWS; row = row + 1)
      for (column = 0; column < COLUMNS; column = column + 1) begin
        code = codes[row * WORDS_PER_ROW + column / (WIDTH / 2)][2 * (column % (WIDTH / 2)) +: 2];
        $display("%0d", code);
      end
  end
endmodule
"""


@pytest.mark.skipif(shutil.which("iverilog") is None, reason="Icarus Verilog (iverilog) is not installed")
def test_verilog_reads_the_codes_with_readmemh(program: Graph, tmp_path: Path) -> None:
    export_mem(program, tmp_path / "out", version="0", word=64)
    entry, node = (
        json.loads((tmp_path / "out" / "index.json").read_text())["projections"][0], program.of_kind(Projection)[0],
    )  # fmt: skip
    codes = entry["codes"]
    numbers = {
        "WORDS_PER_ROW": codes["words_per_row"], "WIDTH": codes["width"], "WORDS": codes["words"],
        "ROWS": len(node.weight), "COLUMNS": node.weight[0].size, "FILE": codes["file"],
    }  # fmt: skip
    source = BENCH
    for name, value in numbers.items():
        source = source.replace(name, str(value))
    (tmp_path / "out" / "bench.v").write_text(source)
    for command in (["iverilog", "-g2005", "-o", "bench", "bench.v"], ["vvp", "-n", "bench"]):
        done = subprocess.run(command, cwd=tmp_path / "out", capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        assert "WARNING" not in done.stdout + done.stderr
    np.testing.assert_array_equal([int(line) for line in done.stdout.split()], node.weight.reshape(-1))
