"""Every wrong argument of a public function is one line: where, what is required, what was found, what to do."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tern2lava
from lossy import network, samples
from tern2lava.api import CompiledNetwork
from tern2lava.compiler.options import MapOptions, Options
from tern2lava.effort import Effort
from tern2lava.errors import InputError, Tern2LavaError

CHOICE = "requires one of the known words; found 'x'; choose "
WHOLE = "requires a whole number from "
EFFORT = "effort: requires an effort; found 'x'; choose quick, normal, thorough, or give a tern2lava.effort.Effort"
FLAG = "requires True or False; found "

# (function, its wrong argument, how the line begins)
TABLE: list[tuple[str, dict[str, Any], str]] = [
    ("load", {"source": None}, "source: requires a network; found None; give a NIR file (.nir), a lava-dl file (.net)"),
    ("load", {"source": b"net.pt"}, "source: requires a network; found b'net.pt'; give"),
    ("load", {"source": "a\0b"}, "source: requires the name of a file or folder; found 'a\\x00b'"),
    (
        "load",
        {"source": "missing.pt", "net": "net.yaml"},
        "missing.pt: requires the path of a checkpoint; found no file there",
    ),
    ("load", {"source": "missing.pt", "net": 3}, "net: requires a path or its text; found 3; name the net.yaml"),
    ("load", {"net": "net.yaml"}, "net: requires a file or a module; found a Graph, which says it itself"),
    ("load", {"steps": 4}, "steps: requires a file or a module; found a Graph, which says it itself"),
    ("load", {"steps": "a"}, f"steps: {WHOLE}0 on; found 'a'"),
    (
        "load",
        {"speed": 4},
        "speed: requires an option of tern2lava.load; found another; choose from input_shape, steps, readout",
    ),
    ("load", {"input_shape": 16}, "input_shape: requires sizes from 1 on; found 16; give the shape of one sample"),
    ("load", {"input_shape": (4.0,)}, f"input_shape: {WHOLE}1 on; found 4.0"),
    ("load", {"readout": "x"}, f"readout: {CHOICE}spike_count, membrane_sum"),
    ("load", {"levels": (1, 0)}, "levels: requires two whole numbers, the smaller one first; found '1, 0'"),
    ("load", {"dt": "1e-3"}, "dt: requires seconds above 0; found '1e-3'; give the time step"),
    ("load", {"assume": ["reset"]}, "assume: requires a mapping; found a list; write 'reset=subtract"),
    ("load", {"effort": "x"}, EFFORT),
    ("compile", {"target": None}, "target: requires a path or its text; found None; name one ("),
    ("compile", {"target": 3}, "target: requires a path or its text; found 3; name one ("),
    (
        "compile",
        {"target": "loihi9"},
        "loihi9: name: found no such profile or file; did you mean loihi2? known profiles: ",
    ),
    ("compile", {"target": "x" * 5000}, "target: requires the name of a file or folder; found 'xxx"),
    ("compile", {"out": 3}, "out: requires a path or its text; found 3; name the folder"),
    ("compile", {"out": ""}, "out: requires the name of a file or folder; found ''"),
    ("compile", {"out": Path(".")}, "/.*: requires a folder that can be replaced; found the working directory"),
    ("compile", {"options": {"steps": 3}}, "options: requires tern2lava.Options; found a dict; write tern2lava.Opt"),
    ("compile", {"map_options": Options()}, "map_options: requires tern2lava.MapOptions; found an Options; write"),
    ("compile", {"data": 3}, "data: spikes: requires an array, list or tensor; found 3; give (samples, steps"),
    (
        "compile",
        {"calibrate": 3},
        "calibrate: spikes: requires an array, list or tensor; found 3; give (samples, steps",
    ),
    ("compile", {"calibrate": Path("missing.npz")}, "missing.npz: requires an npz file; found none there"),
    (
        "what_if",
        {"calibrate": 3},
        "calibrate: spikes: requires an array, list or tensor; found 3; give (samples, steps",
    ),
    ("compile", {"any_steps": 1}, f"any_steps: {FLAG}1; give one of them"),
    ("compile", {"pad": "yes"}, f"pad: {FLAG}'yes'"),
    ("compile", {"recorded": 3}, "recorded: requires a recorded run; found 3; give what tern2lava.record returned"),
    (
        "compile",
        {"recorded": {"spikes": samples()["spikes"]}},
        "recorded: requires a framework's run (spikes.NAME or scores); found none",
    ),
    ("compile", {"progress": 3}, "progress: requires a function or None; found 3; it is told (stage, done, total)"),
    ("compile", {"effort": "x"}, EFFORT),
    ("compile", {"effort": 3}, "effort: requires an effort; found 3; choose quick, normal, thorough"),
    ("what_if", {"effort": "x"}, EFFORT),
    ("what_if", {"targets": "loihi1,loihi2"}, "targets: requires a list of targets; found 'loihi1,loihi2'; write ["),
    ("what_if", {"targets": []}, "targets: requires one target at least; found a list"),
    ("what_if", {"targets": ["tiny", 3]}, "targets: 1: requires a path or its text; found 3"),
    ("simulate", {"bundle": None}, "bundle: requires a compiled network; found None; give what tern2lava.compile"),
    ("simulate", {"bundle": network()}, "bundle: requires a compiled network; found a Graph; compile it: tern2lava."),
    (
        "simulate",
        {"bundle": "missing"},
        "missing: requires the folder of a bundle; found no manifest.json in it; make one with",
    ),
    ("simulate", {"bundle": b"missing"}, "bundle: requires a compiled network; found b'missing'"),
    ("simulate", {"engine": "x"}, f"engine: {CHOICE}fast, reference, images, ray"),
    ("simulate", {"engine": None}, "engine: requires one of the known words; found None; choose fast"),
    ("simulate", {"states": None}, f"states: {FLAG}None"),
    ("simulate", {"deviation": 1}, f"deviation: {FLAG}1"),
    ("worst", {"out": b"out.npz"}, "out: requires a path or its text; found b'out.npz'; name the npz file"),
    ("worst", {"seed": -1}, f"seed: {WHOLE}0 on; found -1; give a whole number"),
    ("worst", {"effort": "x"}, EFFORT),
    ("bench", {"module": 3}, "module: requires a torch module; found 3; give the one that was compiled, or None"),
    ("bench", {"effort": "x"}, EFFORT),
    ("bench", {"energy": "x"}, "energy: "),
    ("simulate", {"dt": 0}, "dt: requires seconds above 0; found 0; give the time step, as 1e-4"),
    ("simulate", {"keep": "no"}, f"keep: {FLAG}'no'"),
    ("simulate", {"out": b"out.npz"}, "out: requires a path or its text; found b'out.npz'; name the npz file"),
    ("simulate", {"data": Path("missing.npz")}, "missing.npz: requires an npz file; found none there"),
    ("simulate", {"effort": "x"}, EFFORT),
    ("verify", {"effort": "x"}, EFFORT),
    ("verify", {"backend": "x"}, f"backend: {CHOICE}lava, reference"),
    ("verify", {"lava_mode": "x"}, f"lava_mode: {CHOICE}mixed, mapped, fused, inprocess, stock, all"),
    ("verify", {"lava_processes": 0}, f"lava_processes: {WHOLE}1 on; found 0; give a number, as 32"),
    ("verify", {"engine": "x"}, f"engine: {CHOICE}local, ray"),
    ("verify", {"stimulus": "x"}, "stimulus: requires cover; found 'x'; write stimulus='cover'"),
    ("verify", {"stimulus": True}, "stimulus: requires cover; found True"),
    ("verify", {"samples": 0}, f"samples: {WHOLE}1 on; found 0; verify at least one, or all with None"),
    ("verify", {"samples": "3"}, f"samples: {WHOLE}1 on; found '3'"),
    ("verify", {"samples": 2.0}, f"samples: {WHOLE}1 on; found 2.0"),
    ("verify", {"samples": True}, f"samples: {WHOLE}1 on; found True"),
    ("verify", {"timeout": -1}, "timeout: requires seconds above 0, at most 1,000,000; found -1; give seconds"),
    ("verify", {"timeout": float("nan")}, "timeout: requires seconds above 0, at most 1,000,000; found nan"),
    ("verify", {"require": 3}, "require: requires a text; found 3; write verdicts"),
    ("verify", {"require": "everything"}, "require: requires verdicts by name; found 'everything'; "),
    ("report", {"compare_bits": 4}, "compare_bits: requires 8, the only width to compare with; found 4; give 8"),
    ("report", {"sample": -1}, "sample: requires a whole number from 0 on; found -1; count samples from 0"),
    ("report", {"sample": 1}, "sample: requires html, the page that shows it; found none; name the file"),
    ("report", {"data": samples()}, "data: requires html, the page that shows it; found none; name the file"),
    ("report", {"html": "p.html", "sample": 1}, "sample: requires data; found neither data nor recorded samples"),
    (
        "report",
        {"html": "p.html", "data": samples(), "sample": 6},
        "sample: requires a sample from 0 to 5; found 6; choose one of these",
    ),
    ("report", {"html": 3}, "html: requires a path or its text; found 3; name the file, as report.html"),
    ("report", {"compare_bits": "8"}, "compare_bits: requires 8, the only width to compare with; found '8'"),
    ("export", {"to": "x"}, f"to: {CHOICE}nir, image, weights"),
    ("export", {"stage": "x"}, f"stage: {CHOICE}imported, real"),
    ("export", {"lossy": 1}, f"lossy: {FLAG}1"),
    ("export", {"dt": 0}, "dt: requires seconds above 0; found 0; give the time step, as 1e-4"),
    ("export", {"codec": 3}, "codec: requires a text; found 3"),
    (
        "export",
        {"settings": {"dt": "0.001"}},
        "settings: dt: requires an option of its own; found dt; give dt by itself",
    ),
    ("export", {"settings": 3}, "settings: requires a mapping; found 3"),
    ("export", {"codec": "rans"}, "codec: requires the format image; found nir; leave it out"),
    ("export", {"out": Path(".")}, ".: requires a file; found a folder; name a file in it"),
    ("export", {"net": "net.yaml"}, "net: requires a file or module that is still to be read; found a network"),
    (
        "export",
        {"to": "image", "out": Path(".")},
        ".: requires a folder that can be replaced; found the working directory",
    ),
    ("record", {"module": None}, "module: requires a torch module; found None; give the network that was trained"),
    ("record", {"module": "net.pt"}, "module: requires a torch module; found 'net.pt'"),
    ("Options", {"ternarize": "x"}, f"ternarize: {CHOICE}refuse, twn, int8"),
    ("Options", {"ranges": "x"}, f"ranges: {CHOICE}proven, steps, calibrated"),
    ("Options", {"steps": "a"}, f"steps: {WHOLE}0 on; found 'a'; give the steps of a sample"),
    ("Options", {"allow_rounding": -0.1}, "allow_rounding: requires a share from 0 on; found -0.1"),
    ("Options", {"effort": "x"}, EFFORT),
    ("Effort", {"exact_steps": 0}, f"effort: exact_steps: {WHOLE}1 on; found 0; see docs/effort.md"),
    ("Effort", {"searched_kinds": True}, f"effort: searched_kinds: {WHOLE}1 on; found True"),
    (
        "Effort",
        {"shortfalls": 3},
        "effort: shortfalls: requires a tuple of whole numbers; found 3; give them as (0, 1,",
    ),
    ("Effort", {"shortfalls": ()}, "effort: shortfalls: requires 0 as the first; found ()"),
    ("Effort", {"offset_bits": (4,)}, "effort: offset_bits: requires two numbers; found 1; give the smallest"),
    ("MapOptions", {"objective": "x"}, f"objective: {CHOICE}cores, traffic, latency, balance"),
    ("MapOptions", {"seed": -1}, f"seed: {WHOLE}0 to 2,147,483,647; found -1"),
    ("MapOptions", {"spare_cores": 1.5}, f"spare_cores: {WHOLE}0 on; found 1.5"),
    ("MapOptions", {"pins": {"h": 0}}, "pins: requires pairs of population and chip; found a dict; write (("),
    ("MapOptions", {"pins": (("h", "0"),)}, f"pins: {WHOLE}0 on; found '0'"),
    ("MapOptions", {"encodings": "dense"}, "encodings: requires names of encodings; found 'dense'; write ("),
    ("MapOptions", {"rate": 0}, "rate: requires spikes per neuron and step above 0; found 0"),
    ("MapOptions", {"max_neurons_per_core": 0}, f"max_neurons_per_core: {WHOLE}1 on; found 0"),
    ("save", {"folder": None}, "folder: requires a path or its text; found None"),
    ("to_frame", {"table": "x"}, f"table: {CHOICE}populations, cores, memory"),
    ("to_frame", {"table": "arithmetic"}, "table: requires a verification for 'arithmetic'; found none; call"),
]
FUNCTIONS = ("bench", "compile", "export", "load", "record", "report", "simulate", "verify", "what_if", "worst")


@pytest.fixture(scope="module")
def held() -> CompiledNetwork:
    return tern2lava.compile(network(), "tiny")


@pytest.fixture
def calls(
    held: CompiledNetwork, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> dict[str, tuple[Callable[..., Any], dict[str, Any]]]:
    """Each function with arguments with which it works, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    return {
        "load": (tern2lava.load, {"source": network()}),
        "compile": (tern2lava.compile, {"source": network(), "target": "tiny"}),
        "what_if": (tern2lava.what_if, {"source": network(), "targets": ["tiny"]}),
        "simulate": (tern2lava.simulate, {"bundle": held, "data": samples()}),
        "worst": (tern2lava.worst, {"bundle": held}),
        "bench": (tern2lava.bench, {"bundle": held, "data": samples()}),
        "verify": (tern2lava.verify, {"bundle": held, "data": samples(), "backend": "reference"}),
        "report": (tern2lava.report, {"bundle": held}),
        "export": (tern2lava.export, {"source": held, "out": "net.nir"}),
        "record": (tern2lava.record, {"module": None, "data": samples()}),
        "Options": (Options, {}),
        "Effort": (Effort, {}),
        "MapOptions": (MapOptions, {}),
        "save": (held.save, {"folder": "b"}),
        "to_frame": (held.to_frame, {}),
    }


@pytest.mark.parametrize(("name", "wrong", "begins"), TABLE, ids=lambda value: str(value)[:30])
def test_a_wrong_argument_is_one_line_with_its_place(
    calls: Any, tmp_path: Path, name: str, wrong: dict[str, Any], begins: str
) -> None:
    function, valid = calls[name]
    with pytest.raises(Tern2LavaError) as raised:
        function(**(valid | wrong))
    text = str(raised.value)
    matches = re.match(begins, text) if begins.startswith("/") else text.startswith(begins)
    assert matches, text
    assert text.isprintable()
    assert raised.value.exit_code in (2, 3, 4)
    assert list(tmp_path.iterdir()) == []


def test_every_argument_of_every_function_stands_in_the_table_or_is_spikes_or_a_function() -> None:
    listed = {(name, argument) for name, wrong, _ in TABLE for argument in wrong}
    # Checked by one function for all, by the same words: see the entries of compile; spikes: tests/api/test_spikes.py;
    # what a module's options must be: the entries of load; record's: tests/frontends/test_record.py.
    alike = {"any_steps", "pad", "progress", "data", "options", "map_options", "net", "source", "bundle"}
    own = {
        (name, argument)
        for name in ("record",)
        for argument in ("out", "names", "potentials", "call", "scores", "effort")
    }
    for name in FUNCTIONS:
        parameters = inspect.signature(getattr(tern2lava, name)).parameters.values()
        for parameter in parameters:
            if parameter.kind is not parameter.VAR_KEYWORD and parameter.name not in alike:
                assert (name, parameter.name) in listed | own, f"{name}({parameter.name}=...) has no wrong value here"


@pytest.mark.parametrize("name", FUNCTIONS)
def test_missing_unknown_and_too_many_arguments_are_one_line(name: str) -> None:
    function = getattr(tern2lava, name)
    with pytest.raises(
        InputError,
        match=rf"{name}: requires the arguments .*; found a call with others \(missing a required argument: '",
    ):
        function()
    with pytest.raises(
        InputError,
        match=rf"{name}: requires the arguments .*; found a call with others \(too many positional arguments",
    ):
        function(*range(9))
    if name not in ("compile", "load", "what_if", "export"):
        valid = [None] * 2 if name not in ("report", "worst") else [None]
        with pytest.raises(
            InputError,
            match=rf"{name}: requires the arguments .*got an unexpected keyword argument 'speed'",
        ):
            function(*valid, speed=3)


def test_numpy_numbers_and_flags_are_taken_as_python_ones(held: CompiledNetwork) -> None:
    numbers: dict[str, Any] = {"samples": np.int64(2), "timeout": np.float32(60)}
    report = tern2lava.verify(held, samples(), backend="reference", **numbers)
    assert report.verification is not None
    assert report.verification.samples == 2
    assert type(report.verification.samples) is int
    passes: dict[str, Any] = {"steps": np.int32(4)}
    assert type(Options(**passes).steps) is int
    assert MapOptions(pins=[["h", np.int8(1)]], seed=np.uint8(3)) == MapOptions(pins=(("h", 1),), seed=3)  # type: ignore[arg-type]
    assert tern2lava.simulate(held, samples(), states=np.True_).trace.v  # type: ignore[arg-type]


def test_record_names_its_wrong_arguments() -> None:
    torch = pytest.importorskip("torch", reason="torch is not installed")
    module = torch.nn.Sequential(torch.nn.Linear(16, 4))
    for wrong, begins in (
        ({"out": 3}, "out: requires a path or its text; found 3"),
        ({"names": ["h"]}, "names: requires a mapping; found a list; give {'LAYER': 'POPULATION'}"),
        ({"names": {"0": 3}}, "names: 0: requires a text; found 3"),
        ({"potentials": {"0": "v"}}, "potentials: 0: requires (attribute, 'before' or 'after'); found 'v'"),
        ({"potentials": {0: ("v", "after")}}, "potentials: requires texts as its keys; found 0"),
        ({"effort": "x"}, EFFORT),
        ({"call": 3}, "call: requires a text; found 3"),
        ({"scores": 3}, "scores: requires a function or None; found 3"),
        ({"data": b"x"}, "data: spikes: requires an array, list or tensor; found b'x'"),
        ({"data": (1, 2, 3)}, "data: requires (spikes, labels) where it is a tuple; found a tuple"),
    ):
        with pytest.raises(InputError) as raised:
            tern2lava.record(module, **({"data": samples()["spikes"]} | wrong))
        assert str(raised.value).startswith(begins)
