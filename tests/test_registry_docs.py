"""The tables of docs/ list the entries of the registries, no more and no fewer."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from tern2lava.compiler.image.codecs import CODECS
from tern2lava.compiler.neurons.mechanism import MECHANISMS
from tern2lava.effort import NORMAL
from tern2lava.export.exporters import EXPORTERS
from tern2lava.frontends.sources import SOURCES
from tern2lava.hw_profiles.loader import TARGETS
from tern2lava.registry import Registry
from tern2lava.report import terminal  # noqa: F401  (registers its sections)
from tern2lava.report.model import Report
from tern2lava.report.sections import NOT_SHOWN, SECTIONS
from tern2lava.sim.engines import ENGINES
from tern2lava.sim.verify.executions import EXECUTIONS
from tern2lava.train.algorithms import ALGORITHMS
from tern2lava.train.data.sets import SETS
from tern2lava.train.families import FAMILIES
from tern2lava.train.network import WORDS
from tern2lava.train.neurons.runner import NEURONS
from tern2lava.train.quantisers import QUANTISERS
from tern2lava.train.surrogate import SURROGATES
from tern2lava.zoo import ZOO

ROOT = Path(__file__).parents[1]
REGISTRIES: dict[str, Registry[Any]] = {
    "SOURCES": SOURCES, "EXECUTIONS": EXECUTIONS, "ENGINES": ENGINES, "CODECS": CODECS, "EXPORTERS": EXPORTERS,
    "MECHANISMS": MECHANISMS, "SECTIONS": SECTIONS, "TARGETS": TARGETS,
    "SETS": SETS,
    "NEURONS": NEURONS,
    "FAMILIES": FAMILIES, "WORDS": WORDS, "SURROGATES": SURROGATES,
    "ALGORITHMS": ALGORITHMS, "ZOO": ZOO,
    "QUANTISERS": QUANTISERS,
}  # fmt: skip


def table(file: str, head: str) -> list[list[str]]:
    """The rows of the table in `file` that begins with the line `head`."""
    text = (ROOT / file).read_text(encoding="utf-8")
    _, found, rest = text.partition(f"\n{head}\n")
    assert found, f"{file} has no table {head}"
    lines = rest.split("\n\n", 1)[0].splitlines()[1:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


@pytest.mark.parametrize(
    ("registry", "head"),
    [
        (SOURCES, "| source | what |"), (EXPORTERS, "| exporter | what |"), (ENGINES, "| engine | what |"),
        (SETS, "| data set | what |"),
    ],
)  # fmt: skip
def test_the_tables_of_extending_are_the_registries(registry: Registry[Any], head: str) -> None:
    expected = [[f"`{entry.name}`", entry.what] for entry in registry.registered()]
    assert table("docs/extending.md", head) == expected


def test_the_page_of_networks_has_every_word_neuron_and_surrogate() -> None:
    words = [[f"`{word.name}`", word.what] for word in WORDS.registered()]
    assert table("docs/networks.md", "| word | what |") == words
    assert all(word.pattern.fullmatch(word.name) for word in WORDS.registered())
    families = [
        [f"`{f.name}`", f.what, ", ".join(f"`{key}` {str(value).lower()}" for key, value in f.defaults.items())]
        for f in FAMILIES.registered()
    ]
    assert table("docs/networks.md", "| neuron | what | keys and their defaults |") == families
    curves = [[f"`{curve.name}`", curve.what] for curve in SURROGATES.registered()]
    assert table("docs/networks.md", "| surrogate | derivative |") == curves


def test_the_table_of_report_sections_is_the_registry_and_every_key_is_shown_or_said_not_to_be() -> None:
    rows = table("docs/extending.md", "| report section | what | keys of report.json |")
    sections = SECTIONS.registered()
    assert rows == [[f"`{s.name}`", s.what, ", ".join(f"`{key}`" for key in s.keys)] for s in sections]
    shown = [key for section in sections for key in section.keys]
    assert sorted([*shown, *NOT_SHOWN]) == sorted(Report.model_fields)


def test_the_page_of_verification_has_every_execution_with_what_it_shows() -> None:
    _float_model, *rows = table("docs/verification.md", "| | execution | what it shows |")
    assert {row[0]: row[2] for row in rows} == {entry.name: entry.shows for entry in EXECUTIONS.registered()}
    text = " ".join((ROOT / "docs" / "verification.md").read_text(encoding="utf-8").split())
    assert f"`verify` demands {' == '.join(EXECUTIONS.names())} on every spike" in text
    for entry in EXECUTIONS.registered():
        if entry.mixed is not None:
            most = entry.mixed(NORMAL)
            assert re.search(rf"the first {most}\b", text) or f"({entry.name}) the first {most}" in text


def test_the_table_of_targets_has_every_profile() -> None:
    rows = table("docs/targets.md", "| profile | what |")
    assert sorted(row[0] for row in rows) == sorted(f"`{target.name}`" for target in TARGETS.registered())


def test_extending_says_where_each_registry_is() -> None:
    rows = table("docs/extending.md", "| kind | registry | an entry |")
    places = {match[1]: match[2] for row in rows if (match := re.fullmatch(r"`(\w+)` in `(.+)`", row[1]))}
    assert set(places) == {*REGISTRIES, "PASSES"}
    for name, place in places.items():
        path = ROOT / place / "__init__.py" if place.endswith("/") else ROOT / place
        assert re.search(rf"^{name}\b.*=", path.read_text(encoding="utf-8"), re.MULTILINE), name
    groups = {registry.group for registry in REGISTRIES.values() if registry.group}
    text = (ROOT / "docs/extending.md").read_text(encoding="utf-8")
    assert set(re.findall(r'entry-points\."([\w.]+)"', text)) == groups
