from __future__ import annotations

import re
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from tern2lava.compiler.ir.graph import Arithmetic
from tern2lava.compiler.mapper.placement.slots import location, router_positions
from tern2lava.errors import ProfileError
from tern2lava.hw_profiles import Profile, load_profile, profile_files, profile_names


@pytest.fixture
def data() -> dict[str, Any]:
    text = (resources.files("tern2lava.hw_profiles") / "loihi1.yaml").read_text()
    loaded: dict[str, Any] = yaml.safe_load(text)
    return loaded


def save(path: Path, data: object) -> Path:
    path.write_text(yaml.safe_dump(data))
    return path


@pytest.mark.parametrize("name", profile_names())
def test_every_shipped_profile_loads_and_names_itself(name: str) -> None:
    profile = load_profile(name)
    assert profile.name == name
    assert all(source and unit for _, _, unit, _, source in profile.leaves())
    Arithmetic(**profile.arithmetic_values())


def test_the_targets_are_there() -> None:
    assert {"loihi1", "loihi2", "kapoho-point", "hala-point", "generic-ternary", "tiny"} <= set(profile_names())


def test_loihi1_has_its_published_numbers() -> None:
    profile = load_profile("loihi1")
    assert profile.system.cores_per_chip == 128
    assert profile.core.synapse_memory.value == 128 * 1024 * 8
    assert profile.core.neurons.value == 1024
    assert profile.core.in_axons.value == profile.core.out_axons.value == 4096
    assert profile.neuron.resets.value == ("zero", "none")
    assert profile.arithmetic.threshold_shift.value == 6
    assert profile.energy["davies2018_table2"]["synapse_op"].value == pytest.approx(23.6e-12)
    assert profile.energy["davies2018_table2"]["synapse_op"].kind == "simulated"


def test_a_table_of_energies_keeps_to_the_events_that_are_known_and_their_units(
    data: dict[str, Any], tmp_path: Path
) -> None:
    leaf = {"value": 1e-12, "unit": "J", "kind": "published", "source": "a paper"}
    for event, changed, said in (
        ("synapse", {}, "energy: synapse is none of its events, which are synapse_op, neuron_update_active"),
        ("step", {}, "energy: step is none of its events"),
        ("hop", {"unit": "pJ"}, "energy: the unit of hop must be J"),
        ("hop", {"high": 1e-13}, "high must be at least value"),
        ("hop", {"high": 2e-12, "bound": "least"}, "has no bound beside it"),
    ):
        data["energy"] = {"mine": {event: leaf | changed}}
        with pytest.raises(ProfileError, match=re.escape(said)):
            load_profile(save(tmp_path / "p.yaml", data))
    data["energy"] = {"mine": {"hop": leaf | {"high": 2e-12}}}
    found = load_profile(save(tmp_path / "p.yaml", data)).energy["mine"]["hop"]
    assert (found.span, found.text) == ((1e-12, 2e-12), "1e-12 to 2e-12")


def test_what_truenorths_static_power_rests_on_predicts_the_power_measured_between() -> None:
    # Akopyan 2015, figure 17: 68, 71 and 94 mW at 11.58, 20.07 and 95.93 Hz, 128 synapses of each of 2^20 neurons.
    table = load_profile("truenorth").energy["akopyan2015"]
    for hertz, watts in ((11.58, 68e-3), (20.07, 71e-3), (95.93, 94e-3)):
        events = 2**20 * 128 * hertz
        assert table["chip_power"].value + events * table["synapse_op"].value == pytest.approx(watts, rel=0.01)


def test_the_ternary_core_takes_any_threshold_and_reset() -> None:
    profile = load_profile("generic-ternary")
    assert profile.arithmetic.threshold_shift.value == 0
    assert set(profile.neuron.resets.value) == {"zero", "subtract", "none"}


def test_what_loihi2_does_not_publish_is_listed_as_assumed() -> None:
    lines = load_profile("loihi2").assumptions()
    assert any("core.synapse_memory = 1048576 bits is assumed" in line for line in lines)
    assert any("synapse.weight_bits" in line for line in lines)
    assert not any("payload_bits" in line for line in lines)


def test_a_profile_read_from_a_file_equals_the_shipped_one(tmp_path: Path, data: dict[str, Any]) -> None:
    assert load_profile(save(tmp_path / "mine.yaml", data)) == load_profile("loihi1")


def change(data: dict[str, Any], key: str, value: Any) -> None:
    *path, last = key.split(".")
    for part in path:
        data = data[part]
    if value is ...:
        del data[last]
    else:
        data[last] = value


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("core.neurons.source", ..., ["core.neurons.source", "required"]),
        ("core.neurons.source", "", ["core.neurons.source"]),
        ("core.neurons.value", -5, ["core.neurons.value", "-5"]),
        ("core.neurons.value", 1.5, ["core.neurons.value", "1.5"]),
        ("core.neurons.value", True, ["core.neurons.value"]),
        ("core.neurons.kind", "guessed", ["core.neurons.kind", "guessed"]),
        ("core.neurones", {"value": 1}, ["core.neurones", "unknown key"]),
        ("core.neurons.unit", ..., ["core.neurons.unit", "required"]),
        ("core", ..., ["core", "required"]),
        ("core", [1, 2], ["core"]),
        ("synapse.encodings.value", [], ["synapse.encodings.value"]),
        ("synapse.encodings.value", ["zip"], ["synapse.encodings.value", "zip"]),
        ("neuron.resets.value", "zero", ["neuron.resets.value"]),
        ("arithmetic.state_bits.value", 60, ["arithmetic", "at most 62"]),
        ("energy.davies2018_table2.synapse_op.value", float("nan"), ["energy.davies2018_table2.synapse_op.value"]),
        ("core.neurons.value", 1 << 50, ["core.neurons.value"]),
        ("system.chip_cores", {"value": 129, "unit": "cores", "kind": "assumed", "source": "-"}, ["129", "128 cores"]),
    ],
)
def test_a_bad_leaf_names_file_and_key(
    tmp_path: Path, data: dict[str, Any], key: str, value: Any, words: list[str]
) -> None:
    change(data, key, value)
    with pytest.raises(ProfileError) as caught:
        load_profile(save(tmp_path / "bad.yaml", data))
    message = str(caught.value)
    assert "bad.yaml" in message
    assert "\n" not in message
    for word in words:
        assert word in message


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("a: [1", "requires valid YAML"),
        ("a: !!python/object/apply:os.system ['true']", "requires plain YAML"),
        ("- 1\n- 2\n", "mapping"),
        ("", "mapping"),
        ("name: x\nname: y\n", "twice"),
        ("[" * 5000, "line 1: found more; requires at most 20 levels"),
    ],
)
def test_an_unreadable_file_is_one_line(tmp_path: Path, text: str, word: str) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text(text)
    with pytest.raises(ProfileError, match=word) as caught:
        load_profile(path)
    assert "\n" not in str(caught.value)


def test_bytes_and_unknown_names_are_refused(tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ProfileError, match="UTF-8"):
        load_profile(tmp_path / "bad.yaml")
    with pytest.raises(ProfileError, match="known profiles: generic-ternary, hala-point"):
        load_profile("loihi3")
    with pytest.raises(ProfileError, match="no such profile or file"):
        load_profile(tmp_path)
    big = tmp_path / "big.yaml"
    big.write_text("#" * (1 << 20) + "\n")
    with pytest.raises(ProfileError, match="bytes"):
        load_profile(big)


def test_a_profile_cannot_be_changed() -> None:
    profile: Profile = load_profile("tiny")
    with pytest.raises(ValueError, match="frozen"):
        profile.core = None  # type: ignore[assignment]


def test_boards_of_loihi2_chips_differ_from_one_chip_in_their_number_only() -> None:
    chip, board, system = (load_profile(name) for name in ("loihi2", "kapoho-point", "hala-point"))
    assert (chip.system.chips, board.system.chips, system.system.chips) == (1, 8, 1152)
    assert (chip.system.cores, board.system.cores, system.system.cores) == (128, 1024, 140_544)
    assert chip.core == board.core == system.core
    assert chip.synapse == board.synapse == system.synapse
    assert (chip.routing, chip.neuron, chip.arithmetic) == (system.routing, system.neuron, system.arithmetic)


def test_a_chip_with_fewer_cores_than_places_leaves_out_the_last_ones() -> None:
    profile = load_profile("hala-point")
    assert location(profile, 121) == location(load_profile("loihi2"), 121)
    assert location(profile, 122).chip == 1
    row, col, chip = router_positions(profile, np.array([0, 121, 122, 140_543]))
    assert (row.tolist(), col.tolist(), chip.tolist()) == ([0, 7, 0, 255], [0, 9, 16, 569], [0, 0, 1, 1151])


def extend(path: Path, base: object, **sections: object) -> Path:
    return save(path, {"name": path.stem, "summary": "mine", "extends": base, **sections})


def test_a_profile_that_extends_another_replaces_whole_leaves(tmp_path: Path) -> None:
    leaf = {"value": 77, "unit": "neurons", "kind": "assumed", "source": "a test"}
    extend(tmp_path / "a.yaml", "loihi1", core={"neurons": leaf})
    table = {"mine": {"synapse_op": {"value": 1e-12, "unit": "J", "kind": "assumed", "source": "a test"}}}
    mine = load_profile(extend(tmp_path / "b.yaml", "a.yaml", energy=table))
    base = load_profile("loihi1")
    assert (mine.name, mine.summary, mine.core.neurons.value, mine.core.neurons.source) == ("b", "mine", 77, "a test")
    assert mine.core.in_axons == base.core.in_axons
    assert set(mine.energy) == {*base.energy, "mine"}
    with pytest.raises(ProfileError, match="core.neurons.source: found nothing"):
        load_profile(extend(tmp_path / "c.yaml", "loihi1", core={"neurons": {"value": 5, "unit": "neurons"}}))


def test_a_base_that_is_unknown_wrong_or_circular_is_named(tmp_path: Path, data: dict[str, Any]) -> None:
    with pytest.raises(
        ProfileError, match=r"a.yaml: extends: found no such .*: loihi9; did you mean loihi2\? known profiles"
    ):
        load_profile(extend(tmp_path / "a.yaml", "loihi9"))
    with pytest.raises(ProfileError, match=r"a.yaml: extends: found 3; must be the name"):
        load_profile(extend(tmp_path / "a.yaml", 3))
    extend(tmp_path / "a.yaml", "b.yaml")
    extend(tmp_path / "b.yaml", "a.yaml")
    with pytest.raises(ProfileError, match=r"extends: found a extends b extends a; a profile cannot extend itself"):
        load_profile(tmp_path / "a.yaml")
    with pytest.raises(ProfileError, match="extends: found c extends c"):
        load_profile(extend(tmp_path / "c.yaml", "c.yaml"))
    change(data, "core.neurons.value", -5)
    save(tmp_path / "base.yaml", data)
    with pytest.raises(ProfileError, match=r"base.yaml: core.neurons.value: found -5"):
        load_profile(extend(tmp_path / "d.yaml", "base.yaml"))
    with pytest.raises(ProfileError, match="name: found nothing"):
        load_profile(save(tmp_path / "e.yaml", {"extends": "loihi1", "summary": "no name"}))


def test_the_files_of_a_profile_are_its_own_and_all_that_it_extends(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_bytes(b"extends: sub/yours.yaml\r\nname: mine\r\n")
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "yours.yaml").write_bytes(b"extends: tiny\nname: yours\n")
    shipped = resources.files("tern2lava.hw_profiles").joinpath("tiny.yaml").read_bytes()
    assert profile_files(tmp_path / "mine.yaml") == [
        ("mine.yaml", b"extends: sub/yours.yaml\r\nname: mine\r\n"),
        ("yours.yaml", b"extends: tiny\nname: yours\n"),
        ("tiny.yaml", shipped),
    ]
