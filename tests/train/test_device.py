import pytest
import torch

from tern2lava.errors import InputError
from tern2lava.train.config import Experiment
from tern2lava.train.device import device_of

KEYS = {"data": {"name": "digits"}, "network": {"layers": "10"}, "algorithm": "full"}


def test_auto_is_the_gpu_where_there_is_one_and_the_processor_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    for there, expected in ((True, "cuda"), (False, "cpu")):
        monkeypatch.setattr(torch.cuda, "is_available", lambda there=there: there)
        assert device_of("auto").type == expected
        assert device_of("cpu").type == "cpu"


def test_a_gpu_that_is_not_there_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(InputError, match="device: requires a GPU that torch reaches; found none; take cpu"):
        device_of("cuda")


def test_the_device_makes_no_other_experiment() -> None:
    one, other = (Experiment.model_validate(KEYS | {"device": device}) for device in ("cpu", "cuda"))
    assert one.digest == other.digest
