from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import Any

import pytest
import yaml

from tern2lava.compiler.ir import Arithmetic
from tern2lava.errors import ProfileError
from tern2lava.hw_profiles import Profile, load_profile, profile_names


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


def test_the_four_targets_are_there() -> None:
    assert {"loihi1", "loihi2", "generic-ternary", "tiny"} <= set(profile_names())


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
        ("a: [1", "plain YAML"),
        ("a: !!python/object/apply:os.system ['true']", "plain YAML"),
        ("- 1\n- 2\n", "mapping"),
        ("", "mapping"),
        ("name: x\nname: y\n", "twice"),
        ("[" * 5000, "plain YAML"),
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
    with pytest.raises(ProfileError, match="known profiles: generic-ternary, loihi1"):
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
