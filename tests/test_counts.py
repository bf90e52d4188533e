"""Numbers agree with their nouns."""

from __future__ import annotations

import pytest

from tern2lava.counts import count


@pytest.mark.parametrize(
    ("number", "noun", "text"),
    [
        (1, "neuron", "1 neuron"), (0, "neuron", "0 neurons"), (1_000, "relay neuron", "1,000 relay neurons"),
        (2, "pass", "2 passes"), (2, "axis", "2 axes"), (1, "axis", "1 axis"), (3, "quantity", "3 quantities"),
        (2, "delay", "2 delays"), (2, "batch", "2 batches"), (2, "core", "2 cores"), (3, "epoch", "3 epochs"),
    ],
)  # fmt: skip
def test_a_number_agrees_with_its_noun(number: int, noun: str, text: str) -> None:
    assert count(number, noun) == text
