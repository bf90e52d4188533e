"""The compiled artefact on disk: one folder, written aside and renamed, so that it is whole or absent.

The same compilation writes the same bytes: no time, no folder's name and no order of a set is in them.

build/
  manifest.json            what was compiled, of what, for which target, by which versions; size and SHA-256 of every
                           file below but the report; sealed with its own SHA-256, the bundle's digest (docs/bundle.md)
  profile.yaml             the hardware profile it was compiled for
  graphs/{imported,real,program}.{json,npz}   the graph as imported, its real dynamics, the INTEGER program
  ir/NN-stage.txt          the graph as text after every pass
  cores/core-NNNNN.img     one packed image per core; cores/host.img: the inputs and their routes
  recorded.npz             a few samples of the framework's own run of a live module, packed (docs/oracle.md)
  report.json              the report, which names that digest and is sealed too; verify adds its result
"""

from __future__ import annotations

from tern2lava.bundle.bundle import (
    Bundle,
    in_memory,
    induction_of,
    map_options_of,
    measured_rates_of,
    profile_of,
    recorded_run,
    translation_of,
)
from tern2lava.bundle.check import read_sealed
from tern2lava.bundle.manifest import make_manifest, tool_version
from tern2lava.bundle.read import read_bundle
from tern2lava.bundle.replace import check_outside
from tern2lava.bundle.write import dump_report, save_report, write_bundle

__all__ = [
    "Bundle",
    "check_outside",
    "dump_report",
    "in_memory",
    "induction_of",
    "make_manifest",
    "map_options_of",
    "measured_rates_of",
    "profile_of",
    "read_bundle",
    "read_sealed",
    "recorded_run",
    "save_report",
    "tool_version",
    "translation_of",
    "write_bundle",
]
