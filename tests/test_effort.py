"""How much is tried is one object: its presets, what depends on it, and where it is said."""

from __future__ import annotations

import json
import re
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from archive import save_npz
from command_line import Run, in_process
from lossy import samples, write_lossy
from places import ROOT
from tern2lava import api
from tern2lava.compiler.certify import tie_search
from tern2lava.compiler.ir.graph import Compare, Dense, Graph, Input, Level, Neuron, Output, Population, Reset
from tern2lava.compiler.ir.shapes import frozen
from tern2lava.effort import EFFORTS, NORMAL, Effort, effort_of
from tern2lava.errors import InputError
from tern2lava.sim.verify.shard import amounts


def untied(thresholds: int = 3, steps: int = 16, **neuron: Any) -> Graph:
    """Neurons of several thresholds, none of which has a code that is proven to keep every spike."""
    kind: dict[str, Any] = {"alpha_v": frozen(0.75), "compare": Compare.GE, "reset": Reset.ZERO} | neuron
    codes = np.where(np.arange(24 * 40).reshape(24, 40) * 7 % 5 < 2, 0, (-1) ** np.arange(40))
    levels = np.repeat(0.5 * np.arange(2, 2 + thresholds), 24 // thresholds)
    return Graph(
        level=Level.IMPORTED,
        steps=steps,
        nodes=(
            Input(name="x", shape=(40,)),
            Dense(name="w", inputs=("x",), weight=frozen(codes * 0.5)),
            Neuron(
                name="n", inputs=("w",), shape=(24,), threshold=frozen(levels), reset_amount=frozen(1.0), **kind,
            ),
            Output(name="y", inputs=("n",)),
        ),
    )  # fmt: skip


def test_every_number_has_a_line_that_says_what_it_is_and_where_it_comes_from() -> None:
    text = (ROOT / "tern2lava" / "effort.py").read_text(encoding="utf-8")
    for field in fields(Effort):
        found = re.search(rf"((?:    #: .*\n)+)    {field.name}: ", text)
        assert found is not None, field.name
        assert re.search(r"Chosen|Measured", found[1]), field.name


def test_quick_tries_less_than_normal_and_thorough_more() -> None:
    for field in fields(Effort):
        low, mid, high = (getattr(EFFORTS[name], field.name) for name in ("quick", "normal", "thorough"))
        if isinstance(mid, tuple):
            assert len(low) <= len(mid) <= len(high), field.name
        else:
            assert low <= mid <= high, field.name
    assert len(set(EFFORTS.values())) == 3


def test_a_preset_knows_its_name_and_numbers_of_ones_own_are_custom() -> None:
    assert [effort_of(name).name for name in EFFORTS] == list(EFFORTS) == ["quick", "normal", "thorough"]
    own = replace(NORMAL, exact_steps=65)
    assert own.name == "custom"
    assert [repr(effort) for effort in (NORMAL, EFFORTS["quick"], own)] == [
        "Effort(normal)", "Effort(quick)", "Effort(exact_steps=65)",
    ]  # fmt: skip
    with pytest.raises(InputError, match="effort: requires an effort; found 'slow'; choose quick, normal, thorough"):
        effort_of("slow")


@pytest.mark.parametrize(
    "wrong", [{"exact_steps": 0}, {"drawn_sequences": 1.5}, {"shortfalls": ()}, {"shortfalls": (1, 2)},
              {"offset_bits": (4,)}, {"searched_kinds": True}],
)  # fmt: skip
def test_numbers_that_are_none_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="effort"):
        replace(NORMAL, **wrong)


def chosen_neurons(effort: Effort) -> tuple[int, Population]:
    """Neurons whose threshold exact runs chose, and the population."""
    program = api.compile(untied(), "loihi2", effort=effort).lowered.program
    note = next((n for n in program.notes if "exact runs chose" in n), "n: 0 thresholds")
    population = program["n"]
    assert isinstance(population, Population)
    return int(note.split(": ")[1].split()[0]), population


def test_thresholds_are_searched_for_as_many_kinds_of_neurons_as_asked_for() -> None:
    assert [chosen_neurons(replace(NORMAL, searched_kinds=kinds))[0] for kinds in (1, 2, 3)] == [8, 16, 24]


def test_the_shortfalls_that_are_tried_decide_the_integers() -> None:
    # Held at its threshold, the potential comes down to it for ever: an offset that survives subtractions is the best.
    graph = untied(1, 64, alpha_v=frozen(0.5), compare=Compare.GT, reset=Reset.SUBTRACT)

    def integers(effort: Effort) -> set[tuple[int, int, int]]:
        population = api.compile(graph, "loihi2", effort=effort).lowered.program["n"]
        assert isinstance(population, Population)
        found = np.broadcast_arrays(population.threshold, population.bias, population.reset_amount)
        return set(zip(*(np.ravel(values).tolist() for values in found), strict=True))

    found = integers(NORMAL)
    assert integers(replace(NORMAL, shortfalls=(0,))) != found


def test_as_many_offsets_are_tried_as_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[int] = []
    listed = tie_search.integers_of

    def counted(kind: Any, choices: Any, arithmetic: Any) -> Any:
        tried.append(len(choices))
        return listed(kind, choices, arithmetic)

    monkeypatch.setattr(tie_search, "integers_of", counted)
    for most in (4, 5, 7):
        api.compile(untied(1), "loihi2", effort=replace(NORMAL, offset_bits=(4, most)))
    one, two, four = tried
    assert two - one > 0
    assert four - one == 3 * (two - one)


def test_the_certificate_counts_ties_of_as_many_kinds_as_asked_for() -> None:
    ran = [
        api.compile(untied(), "loihi2", effort=replace(NORMAL, examined_kinds=kinds)).lowered.certificates[0].ties.ran
        for kinds in (1, 2)
    ]
    assert ran == [8, 16]


def test_the_effort_is_recorded_in_manifest_and_report_and_said_of_a_verification(tmp_path: Path) -> None:
    assert NORMAL.name == api.compile(untied(), "loihi2", out=tmp_path / "a").options.effort.name
    api.compile(untied(), "loihi2", out=tmp_path / "b", effort="quick")
    manifest = json.loads((tmp_path / "b" / "manifest.json").read_text())
    assert manifest["options"]["effort"]["searched_kinds"] == EFFORTS["quick"].searched_kinds
    assert [api.report(tmp_path / name).effort for name in "ab"] == ["normal", "quick"]
    data = {"spikes": np.zeros((2, 16, 40), np.uint8)}
    own = replace(NORMAL, runtime_samples=3)
    found = [api.verify(tmp_path / "b", data, backend="reference", effort=e).verification for e in ("thorough", own)]
    assert [block.effort for block in found if block is not None] == ["thorough", "custom"]


def test_lava_runs_as_many_samples_as_the_effort_says() -> None:
    others = dict.fromkeys("IEM", 1000)
    quick, normal = EFFORTS["quick"], EFFORTS["normal"]
    assert dict(amounts("lava", "mixed", 1000, quick)) == others | {"L2": 1000, "L3": 4, "L1": 1}
    assert dict(amounts("lava", "mixed", 1000, normal)) == others | {"LM": 1, "L2": 1000, "L3": 32, "L1": 8}
    assert dict(amounts("lava", "all", 1000, quick)) == others | {"LM": 1000, "L2": 1000, "L3": 1000, "L1": 1000}


def test_the_command_takes_a_preset_and_refuses_other_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run: Run = in_process(monkeypatch, capsys)
    folder = write_lossy(tmp_path / "b", {})
    save_npz(tmp_path / "x.npz", **samples(2))
    data = ("--data", tmp_path / "x.npz", "--backend", "reference", "--json")
    done = run("verify", folder, *data, "--effort", "quick", "--require", "execution")
    assert json.loads(done.stdout)["effort"] == "quick"
    wrong = run("verify", folder, *data, "--effort", "slow")
    assert wrong.returncode == 2
    assert "--effort: requires an effort; found 'slow'; choose quick, normal, thorough" in wrong.stderr


def test_the_documentation_has_every_number_and_its_presets() -> None:
    text = (ROOT / "docs" / "effort.md").read_text(encoding="utf-8")
    tabled = dict(re.findall(r"^\| `(\w+)` \| .* \| (\S.* \| .* \| .*) \|$", text, re.M))
    for field in fields(Effort):
        values = [getattr(preset, field.name) for preset in EFFORTS.values()]
        if len(set(values)) == 1 and field.name not in tabled:
            assert f"`{field.name}`" in text.partition("## Pieces of work")[2]
            continue
        said = " | ".join(", ".join(f"{n:,}" for n in (v if isinstance(v, tuple) else (v,))) for v in values)
        assert tabled[field.name] == said
