"""Arrays, lists and tensors are accepted as spikes, and give what the file of the same values gives."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tern2lava
from lossy import network, samples
from tern2lava.api import CompiledNetwork
from tern2lava.errors import InputError

SPIKES, LABELS = samples()["spikes"], samples()["labels"]


@pytest.fixture(scope="module")
def held() -> CompiledNetwork:
    return tern2lava.compile(network(), "tiny")


def tensor(change: Callable[[Any, Any], Any]) -> Callable[[], Any]:
    """What `change` makes of torch and the spikes as a float tensor."""

    def make() -> Any:
        torch = pytest.importorskip("torch", reason="torch is not installed")
        return change(torch, torch.tensor(SPIKES, dtype=torch.float32))

    return make


FORMS: dict[str, Callable[[], Any]] = {
    "uint8": lambda: SPIKES,
    "bool": lambda: SPIKES.astype(bool),
    "float16": lambda: SPIKES.astype(np.float16),
    "float64": lambda: SPIKES.astype(float),
    "int64": lambda: SPIKES.astype(np.int64),
    "not contiguous": lambda: np.asfortranarray(SPIKES),
    "read-only": lambda: np.broadcast_to(SPIKES, SPIKES.shape),
    "lists": lambda: SPIKES.tolist(),
    "list of arrays": lambda: list(SPIKES),
    "named": lambda: {"spikes": SPIKES},
    "named as the input": lambda: {"x": SPIKES.tolist()},
    "with what is let be": lambda: {"spikes": SPIKES, "note": object(), "lengths": None, "labels": None},
    "with labels": lambda: (SPIKES, LABELS),
    "lists with labels": lambda: (SPIKES.tolist(), LABELS.tolist()),
    "no labels": lambda: (SPIKES, None),
    "frame": lambda: Frame(),
    "tensor": tensor(lambda torch, x: x),
    "bool tensor": tensor(lambda torch, x: x.bool()),
    "bfloat16": tensor(lambda torch, x: x.bfloat16()),
    "half": tensor(lambda torch, x: x.half()),
    "with a gradient": tensor(lambda torch, x: x.requires_grad_()),
    "of a graph": tensor(lambda torch, x: x.requires_grad_() * 1),
    "parameter": tensor(lambda torch, x: torch.nn.Parameter(x)),
    "sparse": tensor(lambda torch, x: x.to_sparse()),
    "sparse with a gradient": tensor(lambda torch, x: x.to_sparse().requires_grad_()),
    "transposed view": tensor(lambda torch, x: x.transpose(0, 1).contiguous().transpose(0, 1)),
    "negative view": tensor(lambda torch, x: torch._neg_view(-x)),
    "list of tensors": tensor(lambda torch, x: list(x)),
    "lists of tensors": tensor(lambda torch, x: [list(sample.requires_grad_()) for sample in x]),
    "tensors with labels": tensor(lambda torch, x: (x, torch.tensor(LABELS))),
    "named tensors": tensor(lambda torch, x: {"spikes": x, "labels": torch.tensor(LABELS)}),
}


LABELLED_TENSORS = ("tensors with labels", "named tensors")


class Frame:
    """What gives an array of itself, as frames and arrays of other libraries do."""

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        return np.asarray(SPIKES, dtype)


@pytest.mark.parametrize("form", FORMS)
def test_every_form_gives_what_the_file_gives(held: CompiledNetwork, tmp_path: Path, form: str) -> None:
    given = FORMS[form]()
    np.savez(tmp_path / "data.npz", spikes=SPIKES)
    wanted = tern2lava.simulate(held, tmp_path / "data.npz")
    found = tern2lava.simulate(held, given)
    assert wanted.scores.any()
    assert np.array_equal(found.scores, wanted.scores)
    assert (found.accuracy is not None) == (form in ("with labels", "lists with labels", *LABELLED_TENSORS))


@pytest.mark.parametrize(
    "form", ["bool", "lists", "with labels", "tensor", "with a gradient", "sparse", "named tensors"]
)
def test_verify_compile_and_record_take_them_too(held: CompiledNetwork, form: str) -> None:
    given = FORMS[form]()
    report = tern2lava.verify(held, given, backend="reference")
    assert report.verification is not None
    assert report.verification.samples == len(SPIKES)
    measured = tern2lava.compile(network(), "tiny", data=given).report.mapping
    assert measured.measured
    assert measured == tern2lava.compile(network(), "tiny", data=SPIKES).report.mapping
    torch = pytest.importorskip("torch", reason="torch is not installed")
    snn = pytest.importorskip("snntorch", reason="snnTorch is not installed")
    module = torch.nn.Sequential(torch.nn.Linear(16, 4), snn.Leaky(beta=0.5, init_hidden=True))
    found, wanted = tern2lava.record(module, given), tern2lava.record(module, SPIKES)
    assert np.array_equal(found["spikes"], SPIKES)
    assert np.array_equal(found["v.1"], wanted["v.1"])


def test_a_tensor_on_another_device_is_fetched(held: CompiledNetwork) -> None:
    torch = pytest.importorskip("torch", reason="torch is not installed")
    if not torch.cuda.is_available():
        pytest.skip("there is no other device")
    there = torch.tensor(SPIKES, device="cuda")
    assert np.array_equal(tern2lava.simulate(held, there).scores, tern2lava.simulate(held, SPIKES).scores)


def test_the_tensor_that_was_given_stays_as_it_was(held: CompiledNetwork) -> None:
    torch = pytest.importorskip("torch", reason="torch is not installed")
    given = torch.tensor(SPIKES, dtype=torch.float32, requires_grad=True)
    tern2lava.simulate(held, given)
    assert given.requires_grad
    assert given.is_leaf
    assert given.grad is None
    assert np.array_equal(given.detach().numpy(), SPIKES)


def test_samples_of_different_lengths_may_be_tensors(held: CompiledNetwork) -> None:
    torch = pytest.importorskip("torch", reason="torch is not installed")
    parts = [SPIKES[0], SPIKES[1, :7], SPIKES[2, :4]]
    wanted = tern2lava.simulate(held, {"spikes": parts}, pad=True)
    assert np.array_equal(
        tern2lava.simulate(held, [torch.tensor(part) for part in parts], pad=True).scores, wanted.scores
    )
    joined = {"spikes": torch.tensor(np.concatenate(parts)), "lengths": torch.tensor([10, 7, 4])}
    assert np.array_equal(tern2lava.simulate(held, joined, pad=True).scores, wanted.scores)


def test_arrays_do_not_import_torch() -> None:
    script = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from lossy import network, samples\n"
        "import tern2lava\n"
        "held = tern2lava.compile(network(), 'tiny')\n"
        "tern2lava.simulate(held, samples()['spikes'].tolist(), engine='reference')\n"
        "tern2lava.verify(held, samples()['spikes'], backend='reference')\n"
        "print([name for name in ('torch', 'pandas', 'lava') if name in sys.modules])\n"
    )
    helpers = Path(__file__).parents[1] / "helpers"
    done = subprocess.run([sys.executable, "-c", script, str(helpers)], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


WRONG: dict[str, tuple[Callable[[], Any], str]] = {
    "a sample alone": (lambda: SPIKES[0], r"data: spikes: requires shape \(samples, steps, 16\).*found \(10, 16\)"),
    "another width": (lambda: SPIKES[..., :3], r"data: spikes: requires steps of shape \(16,\) .*found \(3,\)"),
    "other values": (lambda: SPIKES * 2, "data: spikes: requires whole numbers from 0 to 1; found 2 in sample 0"),
    "halves": (lambda: SPIKES / 2, "data: spikes: requires whole numbers from 0 to 1; found 0.5"),
    "no number": (lambda: np.where(SPIKES, np.nan, 0), "data: spikes: requires whole numbers from 0 to 1; found nan"),
    "texts": (lambda: SPIKES.astype(str), "data: spikes: requires an array, list or tensor of numbers"),
    "complex": (lambda: SPIKES.astype(complex), "data: spikes: requires numbers; found complex128"),
    "objects": (lambda: np.array(object()), "data: spikes: requires an array, list or tensor of numbers; found an nd"),
    "nothing": (lambda: None, "data: spikes: requires an array, list or tensor; found None; give"),
    "bytes": (lambda: b"\0\1", "data: spikes: requires an array, list or tensor; found b"),
    "an empty list": (list, "data: spikes: requires one sample at least; found none"),
    "an iterator": (lambda: iter([]), "data: spikes: requires an array, list or tensor of numbers; found a list_it"),
    "a ragged step": (lambda: [[[1, 0], [1]]], "data: spikes: sample 0: requires one array of numbers; found a list"),
    "steps first": (
        lambda: np.swapaxes(samples(7)["spikes"], 0, 1),
        r"data: requires samples of 10 steps.* looks like \(steps,.*swapaxes",
    ),
    "fewer steps": (lambda: SPIKES[:, :9], "requires samples of 10 steps.*; found 6 samples of 9 steps"),
    "three of a tuple": (lambda: (SPIKES, LABELS, 1), r"data: requires \(spikes, labels\) where it is a tuple"),
    "too few labels": (lambda: (SPIKES, LABELS[:2]), "data: labels: requires 6 integers, one for each sample"),
    "a label beyond": (lambda: (SPIKES, LABELS + 9), "data: labels: requires labels of 0 to 3.*; found 9 for sample 0"),
    "no labels": (lambda: (SPIKES, [[1], [1, 2]]), "data: labels: requires one array of numbers; found a list"),
    "numbers as names": (lambda: {1: SPIKES}, "data: requires texts as its keys; found 1"),
    "no spikes": (lambda: {"labels": LABELS}, "data: requires an array 'spikes'; found labels"),
    "words as scores": (lambda: {"spikes": SPIKES, "scores": "high"}, "data: scores: requires an array, list or"),
    "a frame of two axes": (lambda: Wide(), r"data: spikes: requires shape \(samples, steps, 16\)"),
    "an array that fails": (lambda: Failing(), "data: spikes: requires an array, list or tensor; found a Failing"),
    "a meta tensor": (tensor(lambda torch, x: x.to("meta")), "data: spikes: requires a tensor with values; found a T"),
    "lists without end": (lambda: endless(), "data: spikes: requires .*nested more than 8 times"),
}


class Wide:
    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        return np.zeros((4, 16))


class Failing:
    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        raise RuntimeError("no\nvalues")


def endless() -> list[Any]:
    found: list[Any] = []
    found.append(found)
    return found


@pytest.mark.parametrize("what", WRONG)
def test_what_is_no_spikes_is_one_line_with_its_place(held: CompiledNetwork, what: str) -> None:
    make, message = WRONG[what]
    for run in (tern2lava.simulate, lambda held, data: tern2lava.verify(held, data, backend="reference")):
        with pytest.raises(InputError, match=message) as raised:
            run(held, make())
        assert "\n" not in str(raised.value)


def test_a_run_of_another_network_is_refused_by_verify(held: CompiledNetwork) -> None:
    with pytest.raises(InputError, match="data: v.z: requires names of populations"):
        tern2lava.verify(held, {"spikes": SPIKES, "v.z": 1.0 * SPIKES, "v_when": "after"}, backend="reference")
