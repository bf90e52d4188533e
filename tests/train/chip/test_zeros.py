from collections.abc import Callable

import pytest

from tern2lava.errors import CapacityError, InputError
from tern2lava.train.chip.zeros import LEVELS, Compiler, Zeros, choose_zeros

WEIGHTS = {"a": 100, "b": 1000, "c": 10}
NONE = {"a": 0.0, "b": 0.0, "c": 0.0}


def stored(zeros: Zeros) -> dict[str, int]:
    """A chip that stores non-zero weights, in blocks of 20, and fits 900 at most."""
    kept = sum(-(-round(WEIGHTS[name] * (1 - fraction)) // 20) * 20 for name, fraction in zeros.items())
    if kept > 900:
        raise CapacityError("network", "weights", kept, 900, "none")
    return {"bytes": kept, "cores": -(-kept // 300)}


def compiler(limits: dict[str, int], ask: Callable[[Zeros], dict[str, int]] = stored) -> Compiler:
    return Compiler(ask, limits)


@pytest.mark.parametrize("limits", [{"bytes": 700}, {"cores": 2}, {"bytes": 500, "cores": 2}, {"bytes": 131}])
def test_limits_are_kept_and_no_layer_alone_can_have_a_level_less(limits: dict[str, int]) -> None:
    found = choose_zeros(compiler(limits), WEIGHTS, NONE)
    asked = compiler(limits)
    assert asked.meets(found)
    for name, fraction in found.items():
        assert fraction in LEVELS
        if fraction:
            less = LEVELS[LEVELS.index(fraction) - 1]
            assert not asked.meets(found | {name: less})


def test_zeros_are_taken_where_most_weights_are() -> None:
    found = choose_zeros(compiler({"bytes": 500}), WEIGHTS, NONE)
    assert found["b"] > 0.5
    assert found["c"] == 0
    assert found["a"] < found["b"]


def test_a_network_that_fits_keeps_the_zeros_it_has() -> None:
    least = {"a": 0.33, "b": 0.5, "c": 0.0}
    asked = compiler({"bytes": 900})
    assert choose_zeros(asked, WEIGHTS, least) == least
    assert len(asked.known) == 1
    more = choose_zeros(compiler({"bytes": 300}), WEIGHTS, least)
    assert all(more[name] >= fraction for name, fraction in least.items())


def test_a_limit_that_no_zeros_keep_is_refused_with_the_least_that_is_reached() -> None:
    with pytest.raises(
        InputError,
        match=r"^target\.bytes: requires a limit that the network can keep; found 30, and 100 is the least that was "
        r"reached with up to 95% zeros in each layer; raise it",
    ):
        choose_zeros(compiler({"bytes": 30}), WEIGHTS, NONE)


def test_what_fits_with_no_zeros_at_all_is_refused_as_the_compiler_does() -> None:
    def never(zeros: Zeros) -> dict[str, int]:
        raise CapacityError("network", "neurons", 9, 1, "none")

    with pytest.raises(CapacityError, match="neurons"):
        choose_zeros(compiler({"bytes": 30}, never), WEIGHTS, NONE)
