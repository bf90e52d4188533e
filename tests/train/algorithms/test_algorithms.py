from pathlib import Path
from typing import Any

import pytest
import torch

from places import ROOT
from tern2lava.errors import InputError
from tern2lava.train.algorithms import ALGORITHMS
from tern2lava.train.config import Experiment
from tern2lava.train.data import digits, limit
from tern2lava.train.encode import encode
from tern2lava.train.experiment import run_experiment
from tern2lava.train.experiment_file import read_experiment
from tern2lava.train.network import network
from tern2lava.train.ternarize import finalize, ternarize

pytest.importorskip("snntorch")
SMALL: dict[str, Any] = {
    "data": {"name": "digits", "train": 60, "test": 20},
    "network": {"layers": "8-10", "threshold": 0.2},
    "training": {"steps": 2, "epochs": 2, "learning_rate": 0.02, "batch": 20},
}


def experiment(**change: Any) -> Experiment:
    return Experiment.model_validate(SMALL | change)


def is_ternary(weight: torch.Tensor) -> bool:
    return all(len(set(row.abs().tolist()) - {0.0}) <= 1 for row in weight)


@pytest.mark.parametrize("distillation", [False, True], ids=["alone", "distilled"])
@pytest.mark.parametrize("name", ALGORITHMS.names())
def test_each_algorithm_ends_in_weights_of_its_kind_with_and_without_a_teacher(
    tmp_path: Path, name: str, distillation: bool
) -> None:
    keys: dict[str, Any] = {"algorithm": name, **({"distillation": {}} if distillation else {})}
    algorithm = ALGORITHMS.get(name)
    if distillation and "distillation" in algorithm.unused:
        with pytest.raises(InputError, match=r"distillation: requires the algorithm full, direct or indirect; found "):
            run_experiment(experiment(**keys), tmp_path)
        return
    result = run_experiment(experiment(**keys), tmp_path)
    net = torch.load(tmp_path / "net.pt", weights_only=True)
    assert [is_ternary(net[key]) for key in ("fc1.weight", "fc2.weight")] == [algorithm.ternary] * 2
    log = (tmp_path / "log.jsonl").read_text()
    assert ('"distil"' in log) == distillation
    assert ('"admm"' in log) == (name == "indirect")
    assert (result["teacher"] is not None) == (distillation or algorithm.after)
    assert (result["storage"]["zeros"] > 0.1) == algorithm.ternary


def test_plain_projections_have_no_augmented_lagrangian(tmp_path: Path) -> None:
    run_experiment(experiment(algorithm="indirect", indirect={"projection": "plain"}), tmp_path)
    assert '"admm"' not in (tmp_path / "log.jsonl").read_text()


def test_epochs_with_frozen_codes_keep_them_and_others_do_not(tmp_path: Path) -> None:
    torch.manual_seed(0)
    start = finalize(ternarize(network("8-10", (1, 8, 8)), "twn", per="channel"))
    kept = []
    for frozen in (2, 0):
        keys = {"method": "twn", "frozen": frozen, "ramp": 0}
        run_experiment(experiment(algorithm="direct", ternary=keys), tmp_path / str(frozen))
        net = torch.load(tmp_path / str(frozen) / "net.pt", weights_only=True)
        kept.append(torch.equal(torch.sign(net["fc1.weight"]), torch.sign(start["fc1.weight"])))
    assert kept == [True, False]


def test_batch_norm_is_estimated_again_with_the_weights_that_come_out(tmp_path: Path) -> None:
    means = []
    for key in ({}, {"reestimate": 3}):
        keys = {"training": SMALL["training"] | key, "network": {"layers": "2c3-10"}}
        run_experiment(experiment(algorithm="direct", **keys), tmp_path / str(len(key)))
        net = torch.load(tmp_path / str(len(key)) / "net.pt", weights_only=True)
        data = limit(digits(), 60, 20)
        x = torch.from_numpy(encode(data.train_x, 2, top=data.top)).flatten(0, 1).float()
        means.append(
            (net["bn1.running_mean"], torch.nn.functional.conv2d(x, net["conv1.weight"], padding=1).mean((0, 2, 3)))
        )
    (old, _), (new, expected) = means
    torch.testing.assert_close(new, expected)  # three batches of 20: all training samples
    assert not torch.allclose(old, expected, atol=1e-3)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (
            "algorithm: ternary",
            r"e\.yaml:3: algorithm: requires full, post, direct or indirect; found ternary; write algorithm: direct$",
        ),
        ("algorithm: distil", r"found distil; write algorithm: direct with distillation: \{\}$"),
        ("algorithm: magic", r"found magic; choose one of them$"),
        (
            "algorithm: indirect\nternary: {ramp: 0.5}",
            r"e\.yaml:4: ternary\.ramp: requires the algorithm direct; found indirect, to which it means nothing; l",
        ),
        (
            "algorithm: direct\nindirect: {rho: 1}",
            r"e\.yaml:4: indirect: requires the algorithm indirect; found direct",
        ),
        ("algorithm: full\nternary: {}", r"ternary: requires the algorithm post, direct or indirect; found full"),
        ("algorithm: direct\nternary: {frozen: 11}", r"ternary\.frozen: requires at most the training's 10 epochs; fo"),
        ("algorithm: indirect\nindirect: {growth: 0.5}", r"indirect\.growth: requires greater than or equal to 1"),
    ],
)
def test_what_does_not_go_together_is_refused_with_its_line(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "e.yaml").write_text(f"data: {{name: digits}}\nnetwork: {{layers: '10'}}\n{text}\n")
    with pytest.raises(InputError, match=says):
        read_experiment(tmp_path / "e.yaml")


def test_the_page_lists_the_algorithms() -> None:
    _, _, rest = (ROOT / "docs" / "training.md").read_text().partition("\n| algorithm | what |\n")
    rows = rest.split("\n\n", 1)[0].splitlines()[1:]
    assert rows == [f"| `{each.name}` | {each.what} |" for each in ALGORITHMS.registered()]
