"""Whatever an argument is given, a public function ends in its result or in one line of the project's own errors."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import tern2lava
from junk import OBJECTS, junk
from lossy import network, samples
from tern2lava.effort import Effort
from tern2lava.errors import Tern2LavaError
from tern2lava.hw_profiles import load_profile

Call = tuple[Any, dict[str, Any], tuple[str, ...]]


@pytest.fixture(scope="module", autouse=True)
def _in_a_folder_of_its_own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("junk"))
        yield


@pytest.fixture(scope="module")
def calls() -> dict[str, Call]:
    """By name: a function, arguments with which it works, and the arguments that are replaced."""
    tiny = load_profile("tiny")
    held = tern2lava.compile(network(), tiny)
    data, loading = samples(2), OPTIONS
    common = ("any_steps", "pad", "progress", "effort")
    found: dict[str, Call] = {
        "load": (tern2lava.load, {"source": network()}, ("source", "effort", *loading)),
        "compile": (
            tern2lava.compile, {"source": network(), "target": tiny},
            (
                "source", "target", "out", "options", "map_options", "data", "calibrate", "recorded", "nonsense",
                *common, *loading,
            ),
        ),
        "what_if": (
            tern2lava.what_if, {"source": network(), "targets": [tiny]},
            ("source", "targets", "options", "map_options", "data", "nonsense", *common, *loading),
        ),
        "simulate": (
            tern2lava.simulate, {"bundle": held, "data": data, "engine": "reference"},
            ("bundle", "data", "engine", "states", "keep", "out", "nonsense", *common),
        ),
        "verify": (
            tern2lava.verify, {"bundle": held, "data": data, "backend": "reference"},
            ("bundle", "data", "backend", "lava_mode", "engine", "samples", "timeout", "require", "nonsense", *common),
        ),
        "report": (tern2lava.report, {"bundle": held}, ("bundle", "compare_bits", "nonsense")),
        "export": (
            tern2lava.export, {"source": held, "out": "out.nir", "lossy": True},
            ("source", "out", "to", "stage", "dt", "lossy", "codec", *loading),
        ),
        "export image": (tern2lava.export, {"source": held, "out": "i", "to": "image"}, ("out", "codec", "source")),
        "Options": (tern2lava.Options, {}, ("ternarize", "steps", "allow_rounding", "effort")),
        "Effort": (Effort, {}, tuple(field.name for field in fields(Effort))),
        "MapOptions": (
            lambda **options: tern2lava.compile(network(), tiny, map_options=tern2lava.MapOptions(**options)), {},
            ("max_neurons_per_core", "placement", "share_cores", "encodings", "seed", "pins", "spare_cores", "rate",
             "objective"),
        ),
        "save": (held.save, {}, ("folder",)),
        "to_frame": (held.to_frame, {}, ("table",)),
    }  # fmt: skip
    return found


def answers(function: Any, arguments: dict[str, Any]) -> None:
    """The call gives a result, or one line of an error of the project's own."""
    try:
        function(**arguments)
    except Tern2LavaError as error:
        text = str(error)
        assert text
        assert text.isprintable(), text
    except KeyboardInterrupt:
        raise


NAMES = ("load", "compile", "what_if", "simulate", "verify", "report", "export", "export image", "Options",
         "Effort", "MapOptions", "save", "to_frame")  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=100, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(draw=st.data())
def test_junk_in_one_argument(calls: dict[str, Call], name: str, draw: st.DataObject) -> None:
    function, valid, replaced = calls[name]
    which, value = draw.draw(st.sampled_from(replaced)), draw.draw(junk())
    answers(function, valid | {which: value})


@pytest.mark.parametrize("name", NAMES)
def test_objects_of_other_kinds_in_every_argument(calls: dict[str, Call], name: str) -> None:
    function, valid, replaced = calls[name]
    for which in replaced:
        for value in OBJECTS:
            # What a function of the user raises is the user's.
            if not (which == "progress" and callable(value)):
                answers(function, valid | {which: value})


OPTIONS = ("net", "input_shape", "steps", "readout", "levels", "call", "dt", "assume")
RECORDING = ("module", "data", "out", "names", "potentials", "call", "scores", "effort", "nonsense")
MODULE = {"input_shape": (16,), "steps": 10}


@pytest.fixture(scope="module")
def module() -> Any:
    torch = pytest.importorskip("torch", reason="torch is not installed")
    snn = pytest.importorskip("snntorch", reason="snnTorch is not installed")
    return torch.nn.Sequential(torch.nn.Linear(16, 4, bias=False), snn.Leaky(beta=0.5, init_hidden=True))


@settings(max_examples=150, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(which=st.sampled_from(OPTIONS), value=junk())
def test_junk_in_one_option_of_a_module(module: Any, which: str, value: Any) -> None:
    answers(tern2lava.load, {"source": module} | MODULE | {which: value})


@settings(max_examples=150, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(which=st.sampled_from(RECORDING), value=junk())
def test_junk_in_one_argument_of_record(module: Any, which: str, value: Any) -> None:
    answers(tern2lava.record, {"module": module, "data": samples(2)["spikes"]} | {which: value})


def test_objects_of_other_kinds_for_a_module(module: Any) -> None:
    for value in OBJECTS:
        for which in OPTIONS:
            answers(tern2lava.load, {"source": module} | MODULE | {which: value})
        for which in RECORDING:
            if not (which == "scores" and callable(value)):
                answers(tern2lava.record, {"module": module, "data": samples(2)["spikes"]} | {which: value})


def test_nothing_is_left_behind_where_junk_was_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for value in (3, b"x", None, "\0", ["a"]):
        with pytest.raises(Tern2LavaError):
            tern2lava.compile(network(), "tiny", out="build", data=value if value is not None else 0)
    assert list(tmp_path.iterdir()) == []
