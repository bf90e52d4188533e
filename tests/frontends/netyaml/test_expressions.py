"""Expressions of a net.yaml: torch's numbers in torch's dtypes, and one line with the character for all else."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import reduce
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from nodes import node
from places import ROOT
from tern2lava.compiler.ir.graph import Dense, Graph, Neuron
from tern2lava.errors import InputError, Tern2LavaError
from tern2lava.frontends.netyaml.expressions.evaluate import evaluate
from tern2lava.frontends.netyaml.expressions.functions import FUNCTIONS
from tern2lava.frontends.netyaml.expressions.tree import ExpressionError
from tern2lava.frontends.netyaml.expressions.typed import Tensor, Value
from tern2lava.frontends.netyaml.read import load_checkpoint

DTYPES = (
    torch.float32, torch.float64, torch.float16, torch.bfloat16, torch.int8, torch.uint8, torch.int16, torch.int32,
    torch.int64, torch.bool,
)  # fmt: skip
Write = Callable[[str, str | bytes], Path]


def tensors(dtypes: list[torch.dtype], seed: int) -> dict[str, torch.Tensor]:
    """Tensors a to d of the dtypes given: (2, 3), (2, 1), of no axis, (2, 3)."""
    generator = torch.Generator().manual_seed(seed)
    shapes = ((2, 3), (2, 1), (), (2, 3))
    made = {}
    for name, shape, dtype in zip("abcd", shapes, dtypes, strict=True):
        values = torch.randn(shape, generator=generator) * (4 if dtype not in (torch.bool, torch.uint8) else 0.5)
        made[name] = values.abs().to(dtype) if dtype is torch.uint8 else values.to(dtype)
    return made


def held(tensor: torch.Tensor) -> Tensor:
    dtype = str(tensor.dtype).removeprefix("torch.")
    return Tensor((tensor.float() if tensor.dtype is torch.bfloat16 else tensor).numpy(), dtype)


def ours(text: str, named: dict[str, torch.Tensor]) -> Value:
    return evaluate(text, lambda name, at: held(named[name]), lambda amount, at: None)


def torchs(text: str, named: dict[str, torch.Tensor]) -> Any:
    """What Python and torch make of the same text."""
    known: dict[str, Any] = {
        "t": named.__getitem__, "where": torch.where, "abs": abs, "true": True, "false": False, "round": torch.round,
        "clip": lambda x, low, high: x.clamp(low, high), "floor": torch.floor, "ceil": torch.ceil, "sign": torch.sign,
        "maximum": torch.maximum, "minimum": torch.minimum, "max": torch.amax, "min": torch.amin,
        "sum": torch.sum, "mean": torch.mean, "reshape": torch.reshape, "permute": torch.permute,
        "transpose": lambda x: x.T, **{n: getattr(torch, n) for n in ("exp", "exp2", "log", "sqrt", "tanh", "sigmoid")},
        **{n: lambda x, n=n: x.to(getattr(torch, n)) for n in ("float16", "bfloat16", "float32", "float64", "int64")},
    }  # fmt: skip
    return eval(text, {}, known)


def same(found: Value, expected: Any) -> None:
    if not isinstance(expected, torch.Tensor):
        assert type(found) is type(expected)
        assert found == expected
        return
    assert isinstance(found, Tensor)
    wanted = held(expected)
    assert found.dtype == wanted.dtype
    np.testing.assert_array_equal(found.array, wanted.array)


def full(draw: Callable[[st.SearchStrategy[Any]], Any], depth: int) -> str:
    """An expression of shape (2, 3) that has a tensor of that shape in it."""
    if not depth:
        return str(draw(st.sampled_from(["t('a')", "t('d')"])))
    inner = full(draw, depth - 1)
    other = draw(st.sampled_from(["t('b')", "t('c')", "0.3", "3", "-0.7", "1e-3"])) if draw(st.booleans()) else None
    other = other or full(draw, depth - 1)
    form = draw(
        st.sampled_from(
            ["{0} + {1}", "{0} - {1}", "({0}) * ({1})", "({0}) / ({1})", "{1} + {0}", "({1}) - ({0})", "({1}) * ({0})",
             "({1}) / ({0})", "-({0})", "abs({0})", "sign({0})", "round({0})", "floor({0})", "float32({0})",
             "where(({0}) < ({1}), {0}, {1})", "where(({0}) == ({1}), 0.5, {0})", "clip({0}, -1, 1.5)",
             "transpose(transpose({0}))", "float16({0})", "where(({0}) >= 0.3, 1, -1)"]
        )
    )  # fmt: skip
    return str(form.format(inner, other))


@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_what_is_computed_is_what_torch_computes_bit_for_bit(data: st.DataObject) -> None:
    dtypes = data.draw(st.lists(st.sampled_from(DTYPES), min_size=4, max_size=4))
    named = tensors(dtypes, data.draw(st.integers(0, 9)))
    text = full(data.draw, data.draw(st.integers(0, 3)))
    try:
        found = ours(text, named)
    except ExpressionError as error:
        refused = error.why
    else:
        same(found, torchs(text, named))
        return
    # Integers that leave their dtype, and sums of flags, are refused where torch wraps them.
    assert re.search(r"integers that|found true and false|computes together", refused), refused


def test_the_sign_of_a_row_of_zeros_that_its_mean_divides_is_zero_as_in_torch() -> None:
    named = {"w": torch.tensor([[0.0, 0.0], [-1.0, 3.0]])}
    found = ours("sign(t('w') / mean(abs(t('w')), axis=1, keepdim=true))", named)
    same(found, torch.sign(named["w"] / named["w"].abs().mean(1, keepdim=True)))


@pytest.mark.parametrize("name", ["exp", "exp2", "log", "sqrt", "tanh", "sigmoid", "sum", "mean"])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.int8])
def test_smooth_functions_and_sums_are_those_of_torch_but_for_the_last_bits(name: str, dtype: torch.dtype) -> None:
    x = (torch.rand(400, generator=torch.Generator().manual_seed(0)) * 9 + 1).to(dtype)
    if name == "mean" and dtype is torch.int8:
        with pytest.raises(ExpressionError, match=r"requires real numbers for mean; found int8; write float32"):
            ours("mean(t('x'))", {"x": x})
        return
    found, expected = ours(f"{name}(t('x'))", {"x": x}), torchs(f"{name}(t('x'))", {"x": x})
    assert isinstance(found, Tensor)
    assert f"torch.{found.dtype}" == str(expected.dtype)
    bits = {torch.float64: 53, torch.float32: 24, torch.float16: 11, torch.bfloat16: 8, torch.int64: 63}
    # float64 is computed in float64: neither library rounds it to the nearest, and sums are added in another order.
    last = (8 if dtype is torch.float64 else 1) * 2.0 ** -(bits[expected.dtype] - 1)
    np.testing.assert_allclose(found.array, expected.double().numpy(), rtol=last, atol=0)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("max(t('a'), axis=1)", [3.0, 6.0]), ("min(t('a'), axis=[0, 1])", 1.0), ("max(t('a'))", 6.0),
        ("max(t('a'), axis=-1, keepdim=true)", [[3.0], [6.0]]), ("permute(t('a'), [1, 0])", [[1, 4], [2, 5], [3, 6]]),
        ("reshape(t('a'), [3, -1])", [[1, 2], [3, 4], [5, 6]]), ("transpose(t('a'), 0, -1)", [[1, 4], [2, 5], [3, 6]]),
        ("round(2.5) + round(3.5)", 6.0), ("2 * 3 - 4 / 8", 5.5), ("-2 * -(3)", 6), ("+.5e1", 5.0), ("1 < 2", True),
        ("where(1 > 2, 3, 4)", 4), ("maximum(t('a'), 5)", [[5, 5, 5], [5, 5, 6]]), ("minimum(2, 3)", 2),
        ("abs(-3)", 3), ("sqrt(4)", 2.0), ("clip(7, 0, 5)", 5), ("int8(2.9)", 2), ("sign(-0.5)", -1.0),
        ("dequantize(int8(t('a')), 0.5, zero_point=2)", [[-0.5, 0, 0.5], [1, 1.5, 2]]),
    ],
)  # fmt: skip
def test_functions_give_what_their_names_say(text: str, expected: object) -> None:
    found = ours(text, {"a": torch.arange(1.0, 7.0).reshape(2, 3)})
    np.testing.assert_array_equal(found.array if isinstance(found, Tensor) else found, expected)


def packed(digits: NDArray[Any], base: int, each: int, axis: int, *, low: bool, blocks: bool) -> NDArray[Any]:
    """Digits packed along an axis, written out anew: one at a time."""
    moved = np.moveaxis(digits, axis, 0)
    words = -(-len(moved) // each)
    result = np.zeros((words, *moved.shape[1:]), np.uint64)
    for at, row in enumerate(moved):
        word, place = (at % words, at // words) if blocks else (at // each, at % each)
        result[word] += row.astype(np.uint64) * np.uint64(base ** (place if low else each - 1 - place))
    return np.moveaxis(result, 0, axis)


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_packed_codes_come_out_as_they_were_put_in(data: st.DataObject) -> None:
    shape = tuple(data.draw(st.lists(st.integers(1, 9), min_size=1, max_size=3)))
    axis = data.draw(st.integers(0, len(shape) - 1))
    low, blocks = data.draw(st.booleans()), data.draw(st.booleans())
    three = data.draw(st.booleans())
    dtype = np.uint8 if three else data.draw(st.sampled_from([np.uint8, np.uint16, np.uint32, np.uint64]))
    base, each = (3, 5) if three else (4, 4 * np.dtype(dtype).itemsize)
    digits = np.random.default_rng(data.draw(st.integers(0, 99))).integers(0, base, shape)
    words = packed(digits, base, each, axis, low=low, blocks=blocks).astype(dtype)
    signed = words.view(f"i{words.itemsize}") if not three else words
    codes = [-1, 0, 1, 7][:base]
    text = (
        f"unpack{2 if base == 4 else 3}(t('w'), codes={codes}, order='{'low' if low else 'high'} first', "
        f"axis={axis}, shape={list(shape)}, layout='{'blocks' if blocks else 'adjacent'}')"
    )
    found = evaluate(text, lambda name, at: Tensor(signed, signed.dtype.name), lambda amount, at: None)
    assert isinstance(found, Tensor)
    assert found.dtype == "int8"
    np.testing.assert_array_equal(found.array, np.asarray(codes)[digits])


def test_a_flat_stream_of_packed_codes_takes_the_shape_that_is_written() -> None:
    digits = np.random.default_rng(0).integers(0, 4, 30)
    words = packed(digits, 4, 4, 0, low=True, blocks=False).astype(np.uint8)
    text = "unpack2(t('w'), codes=[0, 1, 0.5, -1], order='low first', axis=0, shape=[5, 6])"
    found = evaluate(text, lambda name, at: Tensor(words, "uint8"), lambda amount, at: None)
    assert isinstance(found, Tensor)
    assert found.dtype == "float32"
    np.testing.assert_array_equal(found.array, np.asarray([0, 1, 0.5, -1])[digits].reshape(5, 6))


NET = """\
input: {shape: [6]}
steps: 8
readout: spike_count
layers:
  - dense:
      weight: WEIGHT
  - neuron: {kind: leaky, beta: "BETA", threshold: 1.0, reset: subtract, reset_delay: true, fire: gt}
"""


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    generator = torch.Generator().manual_seed(0)
    codes = torch.randint(-1, 2, (8, 6), generator=generator).to(torch.int8)
    state = {
        "0.codes": codes, "0.scale": torch.rand(8, generator=generator), "0.one": torch.tensor(0.3),
        "0.flat": torch.rand(6, generator=generator), "0.packed": torch.zeros(2, 6, dtype=torch.uint8),
        "tau_m": torch.tensor(20.0), "0.wp": torch.tensor([0.5]), "0.wn": torch.tensor([0.25]),
        "latent": torch.randn(8, 6, generator=generator), "0.bf": torch.rand(8, 1).bfloat16(),
    }  # fmt: skip
    torch.save(state, tmp_path / "n.pt")
    return tmp_path / "n.pt"


def loaded(saved: Path, write: Write, weight: str, beta: str = "0.5") -> Graph:
    text = NET.replace("WEIGHT", weight).replace("BETA", beta) + 'ignore: ["*"]\n'
    return load_checkpoint(saved, write("n.yaml", text))


@pytest.mark.parametrize(
    ("text", "oracle"),
    [
        ("t('0.codes') * t('0.one')", lambda s: s["0.codes"] * s["0.one"]),
        ("t('0.codes') * reshape(t('0.scale'), [-1, 1])", lambda s: s["0.codes"] * s["0.scale"][:, None]),
        ("t('0.codes') * t('0.bf')", lambda s: s["0.codes"] * s["0.bf"]),
        (
            "reshape(reshape(t('0.codes'), [8, 2, 3]) * reshape(t('0.scale'), [8, 1, 1]), [8, 6])",
            lambda s: s["0.codes"] * s["0.scale"][:, None],
        ),
        (
            "where(t('0.codes') > 0, t('0.wp'), where(t('0.codes') < 0, -t('0.wn'), 0))",
            lambda s: (s["0.codes"] > 0) * s["0.wp"] - (s["0.codes"] < 0) * s["0.wn"],
        ),
        (
            "round(clip(t('latent') / t('0.one'), -1, 1)) * t('0.one')",
            lambda s: (s["latent"] / s["0.one"]).clamp(-1, 1).round() * s["0.one"],
        ),
    ],
)  # fmt: skip
def test_a_weight_is_the_one_that_torch_computes(saved: Path, write: Write, text: str, oracle: Any) -> None:
    graph = loaded(saved, write, text)
    expected = oracle(torch.load(saved)).double().numpy()
    np.testing.assert_array_equal(node(graph, "dense1", Dense).weight, expected)
    assert f"layers[0].dense.weight = {text}" in graph.notes


def test_a_time_constant_becomes_a_decay(saved: Path, write: Write) -> None:
    graph = loaded(saved, write, "float32(t('0.codes'))", "exp(-1 / t('tau_m'))")
    expected = np.float32(np.exp(np.float64(np.float32(-0.05))))
    assert node(graph, "neuron1", Neuron).alpha_v == expected
    assert node(loaded(saved, write, "t('0.codes')", "1 - 1 / 20"), "neuron1", Neuron).alpha_v == 0.95


def test_tensors_of_an_expression_are_used_and_others_are_not(saved: Path, write: Write) -> None:
    text = NET.replace("WEIGHT", "t('0.codes') * t('0.one')").replace("BETA", "0.5")
    ignore = 'ignore: ["0.[spwfb]*", latent, tau_m]\n'
    assert loaded(saved, write, "t('0.codes')").steps == 8
    load_checkpoint(saved, write("n.yaml", text + ignore))
    with pytest.raises(InputError, match=r"tensor 0\.one: requires a use for each tensor"):
        load_checkpoint(saved, write("n.yaml", text.replace(" * t('0.one')", "") + ignore))


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (
            "t('0.codes') * t('0.scale')",
            r"dense\.weight, character 14: requires operands of one shape, or one number; found \(8, 6\) and \(8,\); "
            r"write reshape\(t\('0\.scale'\), \[8, 1\]\)$",
        ),
        ("t('0.codes') * t('0.flat')", r"found \(8, 6\) and \(6,\); write reshape\(t\('0\.flat'\), \[1, 6\]\)$"),
        ("reshape(t('0.flat'), [1, 6]) * t('0.bf')", r"character 30: requires operands of.*\(1, 6\) and \(8, 1\)"),
        ("t('0.codes') * t('0.scales')", r"character 18: requires the name of a tensor; found '0\.scales', which"),
        ("t('0.codes') * 0.scale", r"character 18: requires an operator or the end; found scale"),
        ("t('0.codes') * (t('0.one')", r"character 27: requires '\)'; found the end; complete it \(within braces"),
        ("t('0.codes' * 3)", r"character 1: requires the name of one tensor in quotes"),
        ("t('0.codes) * 3", r"character 3: requires a closing quote; found none for '0\.codes\) \* 3"),
        ("scale(t('0.codes'), 2)", r"character 1: requires a known function; found scale; choose from t, "),
        ("t('0.codes') * 200", r"requires integers that int8 holds; found -?200; write int64\(...\) or float32"),
        ("-t('0.packed') - 1", r"requires integers that uint8 holds; found -1"),
        ("t('0.codes') / 0 * 0", r"weight = t\('0\.codes'\) / 0 \* 0: requires finite numbers; found 48 of 48 numbers"),
        ("log(t('0.codes'))", r"weight = log\(t\('0\.codes'\)\): requires finite numbers"),
        ("t('0.codes') * (1 / 0)", r"character 19: requires a divisor other than 0; found 0"),
        ("clip(t('0.codes'), 1)", r"character 1: requires the arguments of clip\(x, low, high\); found no high"),
        ("max(t('0.codes'), axis=2)", r"character 1: requires an axis from -2 to 1, those of a tensor; found 2"),
        ("log(t('0.codes'))", r"the first (nan|-inf) at index .*; mend the expression$"),
        ("0.codes * 0.5", r"it holds .*\(within an expression a tensor is t\('NAME'\)\)$"),
        ("max(t('0.codes'), axis='x')", r"character 24: requires an axis, or several in brackets, written out"),
        ("max(axis=1, t('0.codes'))", r"character 13: requires a keyword, for one stands before it"),
        ("where(t('0.codes'), 1, 2)", r"character 1: requires a comparison as the first argument of where"),
        ("reshape(t('0.codes'), [5, -1])", r"character 1: requires sizes for 48 numbers, of which one may be -1"),
        ("unpack2(t('0.packed'), codes=[0, 1, -1], order='low first', axis=0, shape=[8, 6])", r"4 codes, .*; found 3"),
        (
            "unpack2(t('0.packed'), codes=[none, 0, 1, -1], order='low first', axis=0, shape=[8, 6])",
            r"requires codes without the digit 0, which stands for none; found it at index \[0, 0\]",
        ),
        (
            "unpack2(t('0.packed'), codes=[-1, 0, 1, none], order='low first', axis=0, shape=[9, 6])",
            r"requires as many integers along axis 0 as 9 codes need; found 2 integers of 4 codes",
        ),
        ("unpack2(t('0.one'), codes=[0], order='x', axis=0, shape=[1])", r"'low first' or 'high first'; found 'x'"),
        ("unpack3(t('latent'), codes=[0, 1, 2], order='low first', axis=0, shape=[1])", r"packed bytes; found float32"),
        ("t('0.codes') + " + "(" * 60 + "1" + ")" * 60, r"requires at most 40 parts within each other; found more"),
        ("t('0.codes')" + " + 1" * 60, r"requires at most 40 parts within each other; found more"),
        ("t('0.codes')" + " " * 2000, r"requires an expression of at most 2,000 characters; found 2,012"),
        ("t('0.codes') * 1e400", r"character 16: requires a number that 64 bits hold"),
        ("__import__('os')", r"requires a known function; found __import__"),
        ("t('0.codes').T(1)", r"character 13: requires a number, a function, .*; found '\.'"),
        ("[x for x in t('a')]", r"character 2: requires a function with its arguments in parentheses; found x"),
        ("'0.codes' * t('0.one')", r"character 1: requires a number or a tensor; found a text; write t\('0\.codes'\)"),
        ("mean(t('0.codes'))", r"requires real numbers for mean; found int8"),
        ("true * t('0.one')", r"character 1: requires a number or a tensor; found another"),
    ],
)  # fmt: skip
def test_a_mistake_is_one_line_with_file_line_and_character(saved: Path, write: Write, text: str, why: str) -> None:
    with pytest.raises(InputError, match=why) as caught:
        loaded(saved, write, f'"{text}"')
    assert "\n" not in str(caught.value)
    assert "n.yaml:6: layers[0].dense.weight" in str(caught.value)


def test_a_name_that_the_file_holds_is_no_expression(tmp_path: Path, write: Write) -> None:
    torch.save({"t(0) * 2": torch.ones(8, 6), "1-2": torch.tensor(0.25)}, tmp_path / "n.pt")
    graph = load_checkpoint(
        tmp_path / "n.pt", write("n.yaml", NET.replace("WEIGHT", "t(0) * 2").replace("BETA", "1-2"))
    )
    assert node(graph, "neuron1", Neuron).alpha_v == 0.25


def test_what_would_not_fit_is_refused_before_it_is_computed(
    saved: Path, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tern2lava.frontends.netyaml.tensors.MAX_WORK", 100)
    with pytest.raises(InputError, match=r"character \d+: requires an expression of at most 100 numbers in all its"):
        loaded(saved, write, "t('0.codes') * 2 + 1")
    monkeypatch.setattr("tern2lava.memory_need.SMALL", 0)
    monkeypatch.setattr("tern2lava.memory_need.available", lambda: 100)
    with pytest.raises(InputError, match=r"requires about .* of memory to compute with 48 numbers"):
        loaded(saved, write, "t('0.codes')*1")


PIECES = (
    *FUNCTIONS, "t", "(", ")", "[", "]", ",", "=", "+", "-", "*", "/", "<", "==", "'0.codes'", "'0.one'", "1", "0.5",
    "-1", "2", "none", "true", "axis", "shape", "codes", "order", "'low first'", " ", "t('0.codes')", "t('0.packed')",
    "1e300", "9223372036854775807", "\x00", "é", '"', "'",
)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(pieces=st.lists(st.sampled_from(PIECES), max_size=30))
def test_texts_of_any_kind_end_in_a_value_or_one_line(pieces: list[str]) -> None:
    named = {"0.codes": torch.ones(8, 6, dtype=torch.int8), "0.packed": torch.ones(2, 6, dtype=torch.uint8)}
    spent = []

    def tensor(name: str, at: int) -> Value:
        if name not in named:
            raise ExpressionError(at, "requires a tensor; found none; name one")
        return held(named[name])

    for text in ("".join(pieces), " ".join(pieces), f"float32({''.join(pieces)})"):
        try:
            value = evaluate(text, tensor, lambda amount, at: spent.append(amount))
        except ExpressionError as error:
            caught = error
        else:
            assert isinstance(value, Tensor | int | float)
            continue
        assert caught.why.startswith("requires ")
        assert 1 <= caught.at <= len(text) + 1
    assert all(amount <= 48 * 32 for amount in spent)


@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_a_damaged_expression_ends_in_a_value_or_one_line(data: st.DataObject) -> None:
    text = data.draw(st.sampled_from([
        "unpack2(t('p'), codes=[-1, 0, 1, none], order='low first', axis=0, shape=[8, 6]) * reshape(t('s'), [-1, 1])",
        "where(t('c') > 0.5, max(abs(t('c')), axis=[0], keepdim=true), -t('s1')) / 3",
        "dequantize(t('c'), t('s1'), zero_point=1) + mean(float32(t('c'))) - exp(-1 / 20)",
    ]))  # fmt: skip
    named = {
        "p": torch.full((2, 6), 0b01100100, dtype=torch.uint8), "s": torch.rand(8), "c": torch.ones(8, 6).char(),
        "s1": torch.tensor(0.5),
    }  # fmt: skip
    damaged = list(text)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(damaged) - 1))
        damaged[at : at + 1] = data.draw(st.sampled_from(["", "(", ")", "9", "-", ",", "[", "]", "'", "t", " ", "e"]))
    try:
        evaluate("".join(damaged), lambda name, at: held(named.get(name, named["s1"])), lambda amount, at: None)
    except ExpressionError as error:
        caught = error
    else:
        return
    assert caught.why.startswith("requires ")
    assert caught.why.count(";") >= 2


def test_every_function_of_the_table_is_in_the_documentation_and_no_other() -> None:
    text = (ROOT / "docs" / "net-yaml.md").read_text()
    rows = re.findall(r"^\| (`[^|]*`) \| ", text.split("## Expressions")[1].split("\n## ")[0], re.M)
    named = reduce(lambda found, row: found | set(re.findall(r"`(\w+)\(", row)), rows, set[str]())
    assert named == {"t", *FUNCTIONS}


def test_the_expressions_of_the_documentation_are_read(saved: Path, write: Write) -> None:
    text = (ROOT / "docs" / "net-yaml.md").read_text().split("## Expressions")[1].split("\n## ")[0]
    examples = re.findall(r"^ *(?:weight|alpha|beta): (.*?)(?:  +#.*)?$", text, re.M)
    assert len(examples) >= 8
    generator = torch.Generator().manual_seed(0)
    named = {
        "fc.codes": torch.randint(-1, 2, (8, 6), generator=generator).char(), "fc.scale": torch.tensor(0.5),
        "fc.scales": torch.rand(8), "fc.blocks": torch.rand(8, 2), "fc.packed": torch.zeros(2, 6, dtype=torch.uint8),
        "fc.trits": torch.zeros(8, 2, dtype=torch.uint8), "fc.weight_orig": torch.randn(8, 6),
        "fc.weight_mask": torch.ones(8, 6), "fc.wp": torch.tensor([0.5]), "fc.wn": torch.tensor([0.25]),
        "fc.weight": torch.randn(8, 6), "fc.step": torch.tensor(0.5), "tau_m": torch.tensor(20.0),
        "fc.int8": torch.ones(8, 6).char(), "fc.zero": torch.zeros(8, dtype=torch.int64),
    }  # fmt: skip
    for example in examples:
        found = ours(example, named)
        if "t('fc" in example:
            assert isinstance(found, Tensor), example
            assert found.array.shape == (8, 6), example


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("t('0.one')", r"requires a weight"), ("3 * 4", r"requires a weight"),
        ("reshape(t('latent'), [2, 4, 6])", r"requires a weight"),
    ],
)  # fmt: skip
def test_what_is_no_weight_is_refused_as_a_tensor_would_be(saved: Path, write: Write, text: str, why: str) -> None:
    with pytest.raises(Tern2LavaError, match=why):
        loaded(saved, write, text)
