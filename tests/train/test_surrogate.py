import math

import pytest
import torch

from tern2lava.errors import InputError
from tern2lava.train.surrogate import SURROGATES, ArcTangent, surrogate

snntorch = pytest.importorskip("snntorch")


def test_the_arc_tangent_is_snntorchs() -> None:
    shift = torch.linspace(-2, 2, 41)
    ours, theirs = shift.clone().requires_grad_(), shift.clone().requires_grad_()
    a, b = ArcTangent(3.0)(ours), snntorch.surrogate.atan(alpha=3.0)(theirs)
    assert torch.equal(a, b)
    a.sum().backward()
    b.sum().backward()
    assert ours.grad is not None
    torch.testing.assert_close(ours.grad, theirs.grad)


def derivative(name: str, slope: float, shift: torch.Tensor) -> torch.Tensor:
    leaf = shift.clone().requires_grad_()
    spikes = surrogate(name, slope)(leaf)
    assert torch.equal(spikes, (shift > 0).to(shift.dtype))
    spikes.sum().backward()
    assert leaf.grad is not None
    return leaf.grad


def test_each_curve_is_its_equation() -> None:
    points = [-2.0, -0.3, 0.0, 0.1, 1.5]
    expected = {
        "arctan": [1.5 / (1 + (math.pi / 2 * 3 * x) ** 2) for x in points],
        "slayer": [1.5 * math.exp(-3 * abs(x)) for x in points],
        "fast_sigmoid": [1 / (1 + 3 * abs(x)) ** 2 for x in points],
        "triangle": [max(0.0, 1 - 3 * abs(x)) for x in points],
    }
    assert set(expected) == set(SURROGATES.names())
    for name, values in expected.items():
        found = derivative(name, 3.0, torch.tensor(points, dtype=torch.float64))
        torch.testing.assert_close(found, torch.tensor(values, dtype=torch.float64), msg=name)


def test_the_fast_sigmoid_is_snntorchs_and_slayers_curve_has_an_area_of_one() -> None:
    shift = torch.linspace(-2, 2, 41)
    theirs = shift.clone().requires_grad_()
    snntorch.surrogate.fast_sigmoid(slope=5)(theirs).sum().backward()
    torch.testing.assert_close(derivative("fast_sigmoid", 5.0, shift), theirs.grad)
    wide = torch.linspace(-20, 20, 40_001, dtype=torch.float64)
    assert torch.trapezoid(derivative("slayer", 2.0, wide), wide).item() == pytest.approx(1.0, rel=1e-4)
    with pytest.raises(InputError, match="known surrogate; found 'square'"):
        surrogate("square", 1.0)
