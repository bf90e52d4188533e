from pathlib import Path
from typing import Any

import pytest
import torch

from shown import shown
from tern2lava.api import compile, report
from tern2lava.errors import InputError, ProfileError, UnsupportedError
from tern2lava.report.training import render_training
from tern2lava.train.config import Experiment
from tern2lava.train.experiment import run_experiment
from tern2lava.train.run import Run

pytest.importorskip("snntorch")
SMALL: dict[str, Any] = {
    "data": {"name": "digits", "train": 40, "test": 20},
    "network": {"layers": "24-10", "threshold": 0.3},
    "training": {"steps": 3, "epochs": 2, "learning_rate": 0.02, "batch": 20},
    "algorithm": "direct",
    "ternary": {"ramp": 0},
}


def experiment(target: dict[str, Any], **change: Any) -> Experiment:
    return Experiment.model_validate(SMALL | {"target": target} | change)


def test_zeros_are_chosen_so_that_the_compiled_network_keeps_within_its_bytes(tmp_path: Path) -> None:
    result = run_experiment(experiment({"profile": "generic-ternary", "bytes": 300}), tmp_path)
    target = result["target"]
    assert target["met"]
    assert target["took"]["bytes"] <= 300
    assert target["limits"] == {"bytes": 300}
    assert target["zeros"]["fc1"] > 0
    net = torch.load(tmp_path / "net.pt", weights_only=True)
    for name, fraction in ((name, fraction) for name, fraction in target["zeros"].items() if fraction):
        rows = net[f"{name}.weight"]
        assert (rows == 0).sum(1).tolist() == [round(fraction * rows.shape[1])] * len(rows)
    bundle = tmp_path / "bundle"
    compile(tmp_path / "net.pt", "generic-ternary", net=tmp_path / "net.yaml", out=bundle)
    assert -(-report(bundle).memory.total.stored_bits // 8) == target["took"]["bytes"]
    assert result["integer"]["target"] == "generic-ternary"
    assert "within what was asked of it" in shown(render_training(result), 200)


def test_fan_in_is_a_limit_too(tmp_path: Path) -> None:
    keys = {"profile": "loihi2", "fan_in": 20, "epochs": 0}
    result = run_experiment(experiment(keys), tmp_path)
    assert result["target"]["took"]["fan_in"] <= 20
    assert result["target"]["zeros"] == {"fc1": 0.7, "fc2": 0.15}


def test_what_cannot_be_reached_is_refused_before_anything_is_trained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Run, "train", lambda *_: pytest.fail("trained"))
    with pytest.raises(InputError, match=r"target\.fan_in: requires a limit .*; found 1, and 3 is the least that was"):
        run_experiment(experiment({"profile": "loihi2", "fan_in": 1}), tmp_path)
    with pytest.raises(UnsupportedError, match="truenorth"):
        run_experiment(experiment({"profile": "truenorth"}), tmp_path)
    with pytest.raises(ProfileError, match="loihi9: name: found no such profile"):
        run_experiment(experiment({"profile": "loihi9"}), tmp_path)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"algorithm": "full", "ternary": {}}, r"ternary: requires the algorithm post, direct or indirect"),
        ({"integer": {"target": "loihi1"}}, r"integer\.target: requires the target that the network is trained for, l"),
        (
            {"ternary": {"ramp": 0.75}},
            r"target\.epochs: requires at most the 0 epochs in which weights are ternary; fo",
        ),
        ({"algorithm": "indirect", "ternary": {"frozen": 0}}, r"target\.epochs: requires at most the 0 epochs in whic"),
        (
            {"training": SMALL["training"] | {"mixup": 0.2}},
            r"training\.mixup: requires no epochs through the target's i",
        ),
        ({"algorithm": "post", "ternary": {}, "target": {"profile": "loihi2", "epochs": 1}}, r"target\.epochs: requi"),
    ],
)
def test_keys_that_do_not_go_with_a_target_are_refused(tmp_path: Path, change: dict[str, Any], says: str) -> None:
    with pytest.raises(InputError, match=says):
        run_experiment(Experiment.model_validate(SMALL | {"target": {"profile": "loihi2"}} | change), tmp_path)
