"""An integer program as memory files for FPGAs: packed weights, parameters, and an index (docs/mem-format.md).

Files are numbered, never named by the network: names stand in index.json alone.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from tern2lava.compiler.ir.graph import Graph, Input, Output, Population, Projection
from tern2lava.compiler.ir.shapes import Array, Ints, broadcast
from tern2lava.compiler.neurons.mechanism import kinds_of, needed
from tern2lava.errors import InputError
from tern2lava.export.images import output_document, write_new_folder
from tern2lava.export.mem_words import FORMATS, Words, pack_codes, pack_values
from tern2lava.registry import one_of

INDEX = "index.json"
WIDTHS = (8, 16, 32, 64, 128, 256)
PARAMETERS = ("decay_u", "decay_v", "bias_u", "bias", "threshold", "reset_amount", "v_init")


def export_mem(program: Graph, folder: Path, *, version: str, form: str = "mem", word: object = 32) -> list[str]:
    """Write index.json, and a file of memory words for each projection's codes and gains and each population's
    parameters, to a new folder; the names of the files.

    form: mem ($readmemh), coe (Xilinx) or hex (Intel HEX, as Quartus reads it). word: bits of a word of codes, one of
    WIDTHS. Raises InputError for others, and where the folder holds something or cannot be written.
    """
    if form not in FORMATS:
        raise InputError("format", f"requires {one_of(tuple(FORMATS))}; found {form!r}; write --set format=mem")
    if str(word) not in map(str, WIDTHS):
        widths = one_of(tuple(map(str, WIDTHS)))
        raise InputError("word", f"requires {widths} bits; found {word!r}; write --set word=32")
    files: dict[str, str] = {}

    def put(name: str, words: Words) -> dict[str, Any]:
        file = f"{name}.{form}"
        files[file] = FORMATS[form](words)
        return {"file": file, "width": words.width, "words": len(words.values)}

    projections = program.of_kind(Projection)
    number = {node.name: index for index, node in enumerate(projections)}
    index = {
        "written_by": f"tern2lava {version}",
        "format": form,
        "steps": program.steps,
        "slowdown": program.slowdown,
        "arithmetic": {key: getattr(program.arithmetic, key) for key in ("decay_bits", "state_bits")},
        "inputs": [
            {"name": node.name, "shape": list(node.shape), "levels": list(node.levels)}
            for node in program.of_kind(Input)
        ],
        "projections": [
            _projection(node, f"{index:03d}", int(str(word)), put) for index, node in enumerate(projections)
        ],
        "populations": [
            _population(node, f"{index:03d}", number, put) for index, node in enumerate(program.of_kind(Population))
        ],
        "outputs": [output_document(node) for node in program.of_kind(Output)],
    }

    def write(aside: Path) -> None:
        for file, text in files.items():
            (aside / file).write_text(text, encoding="ascii", newline="\n")
        (aside / INDEX).write_text(json.dumps(index, indent=1) + "\n", encoding="utf-8")

    write_new_folder(folder, write)
    return [*files, INDEX]


def _projection(node: Projection, place: str, word: int, put: Any) -> dict[str, Any]:
    codes = node.weight.reshape(node.weight.shape[0], -1).astype(np.int64)
    words = pack_codes(codes, node.bits, word)
    return {
        "source": node.inputs[0], "delay": node.delay, "shape": list(node.weight.shape),
        "reads": None if node.reads is None else node.reads.ranges(),
        "pooling": None if node.pooling is None else asdict(node.pooling),
        "geometry": None if node.geometry is None else asdict(node.geometry),
        "codes": put(f"codes_{place}", words) | {"bits": node.bits, "words_per_row": len(words.values) // len(codes)},
        "gain": put(f"gain_{place}", pack_values(np.asarray(node.gain))),
    }  # fmt: skip


def _population(node: Population, place: str, number: dict[str, int], put: Any) -> dict[str, Any]:
    own = [name for mechanism in kinds_of(node) for name in mechanism.integer]
    values: dict[str, Array] = {name: getattr(node, name) for name in PARAMETERS}
    values |= {name: needed(node, name) for name in own}
    return {
        "name": node.name, "shape": list(node.shape), "start": node.start, "reads": [number[n] for n in node.inputs],
        "reset": node.reset.value, "decays": node.decays.value, "refractory": node.refractory, "rearm": node.rearm,
        "relay": node.levels is not None,
        "parameters": {
            name: put(f"{_file_name(name)}_{place}", pack_values(_each(value, node))) for name, value in values.items()
        },
    }  # fmt: skip


def _file_name(parameter: str) -> str:
    """The parameter's name as letters, digits and underscores: those of plug-ins may hold anything."""
    return "".join(letter if letter.isascii() and letter.isalnum() else "_" for letter in parameter)


def _each(value: Array, node: Population) -> Ints:
    """One value where all neurons have the same, else one for each neuron."""
    full: Ints = broadcast(np.asarray(value, np.int64), node.shape).reshape(-1)
    return full[:1] if (full == full[0]).all() else full
