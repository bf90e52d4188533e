import pytest
import torch

from tern2lava.train.surrogate import ArcTangent

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
