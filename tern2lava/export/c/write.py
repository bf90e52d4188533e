"""`export --to c`: a compiled network as C files of its own."""

from __future__ import annotations

import json
from pathlib import Path

from tern2lava.compiler.ir.graph import Graph
from tern2lava.export.c.harness import harness
from tern2lava.export.c.model import model
from tern2lava.export.c.names import PREFIX, checked_prefix
from tern2lava.export.c.readme import readme
from tern2lava.export.c.source import sources
from tern2lava.export.images import write_new_folder

READOUT, HARNESS, README = "readout.json", "main.c", "README.md"


def c_files(program: Graph, *, version: str, prefix: str = PREFIX) -> dict[str, str]:
    """The text of each file, by its name. Raises InputError for a prefix that no name in C begins with,
    UnsupportedError for neurons or numbers that have no C."""
    prefix = checked_prefix(prefix)
    file = "model" if prefix == PREFIX else prefix
    made = model(program, prefix)
    header, source, table_bytes = sources(made, file, version)
    readouts = {"written_by": f"tern2lava {version}", "readouts": [each.document() for each in made.scores]}
    return {
        f"{file}.h": header,
        f"{file}.c": source,
        HARNESS: harness(made, file),
        README: readme(made, file, table_bytes, version),
        READOUT: json.dumps(readouts, indent=1) + "\n",
    }


def export_c(program: Graph, folder: Path, *, version: str, prefix: str = PREFIX) -> list[str]:
    """Write model.h, model.c, main.c (a harness for computers), README.md and readout.json to a new folder; the names
    of the files. Raises as `c_files`, and InputError where the folder holds something or cannot be written."""
    files = c_files(program, version=version, prefix=prefix)

    def write(aside: Path) -> None:
        for name, text in files.items():
            (aside / name).write_bytes(text.encode("utf-8"))

    write_new_folder(folder, write)
    return list(files)
