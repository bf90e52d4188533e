"""One experiment from its YAML file to checkpoint, net.yaml and metrics.json; goes on where it was interrupted."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from tern2lava.compiler.progress import Progress
from tern2lava.errors import InputError
from tern2lava.extras import require
from tern2lava.files.json_text import read_json
from tern2lava.hw_profiles import load_profile
from tern2lava.train import checkpoint
from tern2lava.train.algorithms import ALGORITHMS
from tern2lava.train.chip.target import judged, with_zeros, zeros_for
from tern2lava.train.config import DataKeys, Experiment, IntegerKeys, TrainingKeys
from tern2lava.train.conflicts import conflict
from tern2lava.train.data import Dataset, hold_out, limit, load_dataset
from tern2lava.train.describe import describe
from tern2lava.train.evaluate import evaluate
from tern2lava.train.graphs import imported, merged, plain_copy
from tern2lava.train.outputs import check_outputs
from tern2lava.train.regularizer import SoftLabels, check_labels, soft_labels
from tern2lava.train.run import Run, scale_input
from tern2lava.train.student import trained_student
from tern2lava.train.teachers import needs_teacher, trained_teacher
from tern2lava.train.ternarize import layers_with_weights
from tern2lava.train.uncertainty.judge import prepared
from tern2lava.writing import write_file


def weight_storage(model: nn.Sequential, state: dict[str, Tensor]) -> dict[str, float]:
    """Bits of all weights as float32, int8 and two-bit codes, and the fraction that is zero (scales not counted)."""
    weights = [state[f"{name}.weight"] for name in layers_with_weights(model)]
    count = sum(weight.numel() for weight in weights)
    zeros = sum(int((weight == 0).sum()) for weight in weights)
    return {
        "weights": count, "fp32_bits": 32 * count, "int8_bits": 8 * count, "ternary_bits": 2 * count,
        "zeros": zeros / count,
    }  # fmt: skip


def chosen(keys: DataKeys, training: TrainingKeys, folder: Path | None) -> Dataset:
    """The samples that an experiment's `data` names. What is held out does not depend on how many are trained on.

    Raises InputError where their time axis, or that they have none, does not fit the training's steps and encoding.
    """
    dataset = load_dataset(keys.name, folder, steps=training.steps, **keys.options)
    if dataset.time != (training.encoding == "none"):
        rule, hint = ("none, since the data have a time axis", "write encoding: none") if dataset.time else (
            "another than none, since the data have no time axis", "write encoding: rate, or data.time: true where "
            "the second axis of an npz is time")  # fmt: skip
        raise InputError("training.encoding", f"requires {rule}; found {training.encoding}; {hint}")
    if dataset.steps not in (None, training.steps):
        raise InputError(
            "training.steps", f"requires the steps of the data, {dataset.steps}; found {training.steps}; write steps: "
            f"{dataset.steps}",
        )  # fmt: skip
    if keys.hold_out is not None:
        dataset = hold_out(dataset, keys.hold_out)
    return limit(dataset, keys.train, keys.test)


def run_experiment(
    experiment: Experiment, out: Path, *, data_dir: Path | None = None, progress: Progress | None = None
) -> dict[str, Any]:
    """The content of the metrics.json written to `out`, beside net.pt, net.yaml, and the teacher's teacher.pt.

    A folder that holds the finished experiment is read, not trained again (where other `integer` keys are given, its
    network is measured again); an interrupted one goes on from its last epoch and ends in the same weights. Raises
    InputError, and MissingPackageError where snnTorch is not installed, or TensorBoard where the experiment asks for
    its events.
    """
    require("train")
    if experiment.tensorboard:
        require("tensorboard", why="the key tensorboard needs it")
    if (found := conflict(experiment)) is not None:
        raise InputError(".".join(found[0]), found[1])
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            out, f"requires a folder that can be made; found {error.strerror}; choose another with -o"
        ) from None
    done, held = out / "metrics.json", None
    if done.exists():
        held = read_json(done)
        if not isinstance(held, dict) or held.get("digest") != experiment.digest:
            raise InputError(
                done, "requires a folder of this experiment; found one of another; choose another folder or remove it"
            )
    dataset = chosen(experiment.data, experiment.training, data_dir)
    run = Run(experiment=experiment, dataset=dataset, out=out, progress=progress)
    judge = None
    if experiment.judge is not None:
        judge = prepared(experiment.judge, dataset, run.build(), data_dir)
        dataset = judge.dataset
        run = replace(run, dataset=dataset)
    if held is not None:
        if held.get("data", {}).get("digest", dataset.digest) != dataset.digest:
            raise InputError(
                done, "requires the samples that this folder's network was trained on; found others; choose another "
                "folder or remove it",
            )  # fmt: skip
        if experiment.integer is None or held.get("config", {}).get("integer") == experiment.integer.model_dump():
            finished: dict[str, Any] = held
            return finished
        # The states of all stages are kept: nothing is trained again, and what is asked of its integers is measured.
    if experiment.integer is not None:
        load_profile(experiment.integer.target)
    check_outputs(run)
    if experiment.regularizer is not None:
        check_labels(experiment.regularizer, dataset)
    began = time.perf_counter()
    options = experiment.options()
    samples = {"train": len(dataset.train_y), "test": len(dataset.test_y), "digest": dataset.digest}
    result: dict[str, Any] = {
        "digest": experiment.digest, "config": experiment.model_dump(), "data": samples, "teacher": None,
    }  # fmt: skip
    if experiment.target is not None:
        zeros, result["target"] = zeros_for(run)
        run = replace(run, experiment=with_zeros(experiment, zeros))
    teacher = trained_teacher(run) if needs_teacher(experiment) else None
    if teacher is not None:
        result["teacher"] = evaluate(teacher, dataset, options).metrics(
            options.logit_gain, merged(imported(teacher, run))
        )
        checkpoint.save(out / "teacher.pt", scale_input(teacher, teacher.state_dict(), 1 / run.top))
    labels: SoftLabels | None = None
    if experiment.regularizer is not None:
        labels = soft_labels(run, experiment.regularizer)
        result["out_of_fold"] = labels.judged
    trained = trained_student(run, teacher, labels)
    plain = plain_copy(trained, run)
    graph = imported(plain, run)
    result["model"] = evaluate(plain, dataset, options, folded=True).metrics(options.logit_gain, merged(graph))
    if judge is not None:
        result["judge"] = judge.judge(plain, options, folded=True)
    result["storage"] = weight_storage(plain, plain.state_dict())
    checkpoint.save(out / "net.pt", plain.state_dict())
    integer = experiment.integer
    if (target := experiment.target) is not None:
        integer = (integer or IntegerKeys()).model_copy(update={"target": target.profile})
    if integer is not None and ALGORITHMS.get(experiment.algorithm).ternary:
        from tern2lava.train.compiled import compiled_metrics

        result |= compiled_metrics(graph, dataset, options, integer)
    if target is not None:
        result["target"] = judged(result["target"], result["compiled"])
    result["seconds"] = time.perf_counter() - began
    net = describe(plain, dataset.shape, options.steps, levels=(0, run.top), readout=experiment.network.readout)
    write_file(out / "net.yaml", lambda path: path.write_text(net, encoding="utf-8"))
    # The last of all: a folder that has it is finished.
    text = json.dumps(result, indent=2) + "\n"
    write_file(done, lambda path: path.write_text(text, encoding="utf-8"))
    return result
