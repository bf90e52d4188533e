"""Every command: its help, its tables, its JSON; errors as one line, tracebacks only when asked for."""

from __future__ import annotations

import errno
import json
import os
import shutil
import sys
from contextlib import nullcontext
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer.main

import tern2lava
from archive import save_npz
from command_line import Run, in_process
from lossy import samples, write_lossy
from tern2lava import api
from tern2lava.__main__ import main
from tern2lava.cli import app
from tern2lava.compiler.passes.pipeline import stage_names
from tern2lava.errors import Interrupted
from tern2lava.sim.lava import child as lava_child
from tern2lava.writing import replace

DEMO = Path(str(resources.files("tern2lava.demo")))
NET = (DEMO / "mlp.pt", "--net", DEMO / "mlp.yaml")
COMMANDS = typer.main.get_group(app).commands


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    return in_process(monkeypatch, capsys)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cli") / "build"
    api.compile(DEMO / "mlp.pt", "tiny", net=DEMO / "mlp.yaml", out=folder)
    return folder


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("data") / "test.npz"
    rng = np.random.default_rng(0)
    np.savez(path, spikes=rng.integers(0, 2, (3, 16, 1, 8, 8)).astype(np.uint8), labels=np.array([1, 2, 3]))
    return path


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_help_shows_an_example_and_says_what_the_command_does(run: Run, name: str) -> None:
    code, out, err = run(name, "--help")
    assert (code, err) == (0, "")
    assert f"Example: tern2lava {name}" in " ".join(out.split())
    assert (COMMANDS[name].help or "").split(".")[0].split()[0] in out
    assert {"--json", "--debug"} <= {option for p in COMMANDS[name].params for option in p.opts}
    assert all(getattr(p, "help", "") for p in COMMANDS[name].params), "every argument is explained"


def test_without_a_command_the_commands_are_listed(run: Run) -> None:
    code, out, err = run()
    assert code in (0, 2)
    assert all(name in out + err for name in COMMANDS)


def test_the_exit_codes_are_in_the_help(run: Run) -> None:
    out = " ".join(run("--help")[1].split())
    for text in ("0 ok", "1 a required verdict", "2 bad input or usage", "3 unsupported", "4 does not fit"):
        assert text in out
    assert "5 a backend (Lava, Ray) did not finish" in out


def test_compile_writes_a_bundle_and_prints_its_report(run: Run, tmp_path: Path) -> None:
    code, out, err = run("compile", *NET, "-t", "tiny", "-o", tmp_path / "b")
    assert (code, err) == (0, "")
    assert f"Bundle written to {tmp_path / 'b'}" in out
    assert "Certificate over 16 steps" in out
    code, out, err = run("compile", *NET, "-t", "tiny", "-o", tmp_path / "b", "--json")
    assert (code, err) == (0, "")
    assert json.loads(out)["target"] == "tiny"
    kept = json.loads((tmp_path / "b" / "report.json").read_text())
    assert kept.pop("digest")
    assert kept == json.loads(out)


def test_the_graph_is_printed_after_every_pass_without_a_bundle(run: Run) -> None:
    code, out, _ = run("compile", *NET, "--print-ir", "all")
    assert code == 0
    assert [line[4:] for line in out.splitlines() if line.startswith("--- ")] == list(stage_names())
    code, out, _ = run("compile", *NET, "--print-ir", "to_integer", "--json")
    assert list(json.loads(out)) == ["to_integer"]
    assert "Population(" in json.loads(out)["to_integer"]


def test_simulate_writes_what_it_prints(run: Run, bundle: Path, data: Path, tmp_path: Path) -> None:
    code, out, err = run("simulate", bundle, "--data", data, "-o", tmp_path / "out.npz", "--states")
    assert (code, err) == (0, "")
    assert "3 samples" in out
    with np.load(tmp_path / "out.npz") as file:
        arrays = {name: file[name] for name in file.files}
    reference = api.simulate(bundle, data, engine="reference", states=True)
    for name, spikes in reference.trace.spikes.items():
        assert np.array_equal(arrays[f"spikes.{name}"], spikes)
        assert np.array_equal(arrays[f"v.{name}"], reference.trace.v[name])
    assert np.array_equal(arrays["predictions"], reference.predictions)
    assert np.array_equal(arrays["scores"], reference.scores)


@pytest.mark.parametrize("engine", ["fast", "reference", "images"])
def test_every_engine_gives_the_same_summary(run: Run, bundle: Path, data: Path, engine: str) -> None:
    code, out, _ = run("simulate", bundle, "--data", data, "--engine", engine, "--json")
    summary = json.loads(out)
    assert code == 0
    assert summary["samples"] == 3
    assert summary["spikes"] == api.simulate(bundle, data, engine="reference").spikes


def test_verify_and_report_agree_on_the_proof(run: Run, bundle: Path, data: Path) -> None:
    code, out, err = run("verify", bundle, "--data", data, "--backend", "reference", "--json")
    assert (code, err) == (0, "")
    proof = json.loads(out)
    assert proof["equal"] is True
    assert proof["samples"] == 3
    assert {"I", "M"} <= set(proof["chain"])
    code, out, _ = run("report", bundle, "--json")
    assert json.loads(out)["verification"] == proof
    code, out, _ = run("report", bundle)
    assert "VERIFIED" in out


def test_verify_begins_with_the_verdicts_in_tables_and_json(run: Run, bundle: Path, data: Path) -> None:
    code, out, _ = run("verify", bundle, "--data", data, "--backend", "reference")
    assert code == 0
    assert out.startswith("Execution   VERIFIED I == E == M: ")
    assert [line.split()[0] for line in out.splitlines() if line and not line.startswith(" ")][1:3] == [
        "Arithmetic", "Reading",
    ]  # fmt: skip
    assert "float model (as mlp.yaml describes it)" in " ".join(out.split())
    code, out, _ = run("verify", bundle, "--data", data, "--backend", "reference", "--json")
    assert list(json.loads(out))[:2] == ["verdicts", "met"]


def test_spikes_that_are_lost_end_in_one_and_what_is_required_decides(run: Run, tmp_path: Path) -> None:
    lossy = write_lossy(tmp_path / "b", {"h": 1})
    save_npz(tmp_path / "x.npz", **samples())
    verify = ("verify", lossy, "--data", tmp_path / "x.npz", "--backend", "reference")
    code, out, err = run(*verify)
    assert (code, err) == (1, "")
    assert "EXCEEDS 1 %" in out
    assert run(*verify, "--require", "execution")[0] == 0
    assert run(*verify, "--require", "execution,arithmetic=90%")[0] == 0
    assert run(*verify, "--require", "execution,arithmetic=0.1%")[0] == 1
    code, out, _ = run(*verify, "--require", "reading")
    assert code == 1
    assert "NOT COMPARED with your framework" in out
    code, out, err = run(*verify, "--require", "arithmetic=0.1")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "require: requires a share for arithmetic; found 'arithmetic=0.1'; write 0.1%" in err


def test_a_right_network_meets_arithmetic_to_the_last_spike(run: Run, tmp_path: Path) -> None:
    right = write_lossy(tmp_path / "b", {})
    save_npz(tmp_path / "x.npz", **samples())
    verify = ("verify", right, "--data", tmp_path / "x.npz", "--backend", "reference", "--require")
    assert run(*verify, "arithmetic=0")[0] == 0
    assert run(*verify, "execution,reading")[0] == 1


def test_a_backend_that_dies_ends_in_five_and_leaves_the_report_as_it_was(
    run: Run, bundle: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lava_child, "_BOOT", "import os, signal; os.kill(os.getpid(), signal.SIGKILL)")
    before = api.report(bundle)
    code, out, err = run("verify", bundle, "--data", data, "--lava-mode", "fused")
    assert (code, out) == (5, "")
    assert err.startswith("tern2lava: the run in Lava failed: its main process was killed by SIGKILL")
    assert err.count("\n") == 1
    assert api.report(bundle) == before


@pytest.mark.parametrize("command", [("simulate",), ("verify", "--backend", "reference")])
def test_data_of_other_steps_are_refused_unless_they_are_meant(
    run: Run, bundle: Path, tmp_path: Path, command: tuple[str, ...]
) -> None:
    x = np.random.default_rng(0).integers(0, 2, (3, 9, 1, 8, 8)).astype(np.uint8)
    np.savez(tmp_path / "x.npz", spikes=x)
    words = (command[0], bundle, "--data", tmp_path / "x.npz", *command[1:])
    code, out, err = run(*words)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "requires samples of 16 steps, which the network is compiled for; found 3 samples of 9 steps" in err
    assert "--any-steps" in err
    found = {}
    for option in ("--any-steps", "--pad"):
        code, out, _ = run(*words, option, "--json")
        assert code == 0
        found[option] = json.loads(out)
    if command[0] == "verify":
        assert (found["--any-steps"]["steps"], found["--pad"]["steps"]) == (9, 16)


def test_traffic_is_measured_on_data_of_the_networks_steps(run: Run, tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", spikes=np.ones((16, 3, 1, 8, 8), np.uint8))
    words = ("compile", *NET, "-t", "tiny", "-o", tmp_path / "b", "--data", tmp_path / "x.npz")
    code, out, err = run(*words)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "looks like (steps, samples, ...); transpose with np.swapaxes(x, 0, 1)" in err
    assert not (tmp_path / "b").exists()
    assert run(*words, "--any-steps")[0] == 0
    assert run("compile", *NET, "--what-if", "tiny", "--data", tmp_path / "x.npz")[0] == 2


@pytest.mark.parametrize("command", [("profiles",), ("profiles", "loihi2"), ("rules",), ("inspect", DEMO / "conv.pt")])
def test_tables_and_json_of_the_other_commands(run: Run, command: tuple[str, ...]) -> None:
    code, out, err = run(*command)
    assert (code, err) == (0, "")
    assert len(out.splitlines()) > 5
    code, out, err = run(*command, "--json")
    assert (code, err) == (0, "")
    assert json.loads(out)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ("compile", *NET, "-o", "b", "--ternarize", "maybe"),
            "--ternarize: requires refuse, twn or int8; found 'maybe'",
        ),
        (("compile", *NET), "--out: requires a folder for the bundle; found none"),
        (("compile", *NET, "--print-ir", "nowhere"), "--print-ir: requires the name of a stage; found 'nowhere'"),
        (("simulate", "b", "--data", "d", "--engine", "warp"), "--engine: requires a known engine; found 'warp'"),
        (("verify", "b", "--data", "d", "--backend", "chip"), "--backend: requires lava or reference; found 'chip'"),
        (("profiles", "abacus"), "abacus: name: found no such profile or file"),
        (("report", "nowhere"), "nowhere: requires the folder of a bundle"),
    ],
)
def test_options_that_are_no_choice_are_one_line(run: Run, arguments: tuple[Path | str, ...], said: str) -> None:
    code, out, err = run(*arguments)
    assert (code, out) == (2, "")
    assert err.startswith("tern2lava: ")
    assert said in err
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    "arguments", [("fly",), ("compile",), ("verify", "b"), ("rules", "--no-such"), ("demo", "--samples", "0")]
)
def test_wrong_usage_ends_in_two(run: Run, arguments: tuple[str, ...]) -> None:
    code, _, err = run(*arguments)
    assert code == 2
    assert "Traceback" not in err


def test_two_scales_in_one_layer_are_two_groups_or_refused_by_the_target(run: Run, tmp_path: Path) -> None:
    from tern2lava.frontends.files.checkpoint import read_checkpoint

    arrays = {name: np.array(value) for name, value in read_checkpoint(DEMO / "mlp.pt").tensors.items()}
    weight = arrays["fc1.weight"]
    arrays["fc1.weight"] = np.where(weight < 0, weight * 0.7310585, weight).astype(np.float32)
    save_npz(tmp_path / "net.npz", **arrays)
    command = ("compile", tmp_path / "net.npz", "--net", DEMO / "mlp.yaml", "-o", tmp_path / "b", "--target")
    code, out, err = run(*command, "loihi1")
    assert (code, out) == (3, "")
    assert "gains that are no common power of two" in err
    assert err.count("\n") == 1
    assert [entry.name for entry in tmp_path.iterdir()] == ["net.npz"]
    code, out, _ = run(*command, "generic-ternary")
    assert code == 0
    assert "fc1: weights of 2 scales, kept exactly as 2 groups of ternary synapses" in " ".join(out.split())


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is full")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_full_disk_is_one_line(
    run: Run, bundle: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What is written aside goes to a device on which every write ends in ENOSPC.
    monkeypatch.setattr(replace, "claimed_file", lambda place, token: nullcontext(Path("/dev/full")))
    code, _, err = run("simulate", bundle, "--data", data, "-o", tmp_path / "out.npz")
    assert code == 2
    assert "requires a file that can be written; found No space left on device" in err
    assert err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "words",
    [
        ("simulate", "copy", "--data", "DATA", "-o", "copy/out.npz"),
        ("simulate", "copy", "--data", "DATA", "-o", "link/cores/a/b/out.npz"),
        ("worst", "copy", "-o", "copy/worst.npz"),
        ("export", "copy", "--to", "image", "-o", "copy/images"),
        ("export", "copy", "--to", "nir", "--lossy", "-o", "copy/net.nir"),
        ("compile", *NET, "-o", "copy/inner"),
    ],
    ids=lambda words: f"{words[0]} {words[-1]}",
)
def test_nothing_is_written_into_a_bundle_which_could_not_be_read_again(
    words: tuple[object, ...], run: Run, bundle: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = Path(shutil.copytree(bundle, tmp_path / "copy"))
    (tmp_path / "link").symlink_to(copy)
    monkeypatch.chdir(tmp_path)
    before = sorted(copy.rglob("*"))
    code, out, err = run(*(data if word == "DATA" else word for word in words))
    assert (code, out) == (2, "")
    assert err == (
        f"tern2lava: {words[-1]}: requires a place that is in no bundle; found one in copy, which holds what its "
        "manifest lists and nothing else; choose another\n"
    )
    assert sorted(copy.rglob("*")) == before


@pytest.mark.parametrize("number", [errno.EACCES, errno.EROFS, errno.ENOSPC])
def test_verdicts_on_a_bundle_that_may_only_be_read_are_given_and_said_not_to_be_kept(
    number: int, run: Run, bundle: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = Path(shutil.copytree(bundle, tmp_path / "copy"))
    before = (copy / "report.json").read_bytes()

    def refused(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(replace, "claimed_folder", refused)
    monkeypatch.setattr(replace, "claimed_file", refused)
    words = ("verify", copy, "--data", data, "--backend", "reference", "--require", "execution")
    code, out, err = run(*words)
    assert err.count("\n") == 1
    assert (copy / "report.json").read_bytes() == before
    if number == errno.ENOSPC:
        assert (code, out) == (2, "")
        return
    assert code == 0
    assert "VERIFIED" in out
    assert err == (
        f"tern2lava: {copy}: the result is not kept in it, for it may not be written; copy it to keep results\n"
    )


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_an_unwritable_folder_is_one_line(run: Run, bundle: Path, data: Path, tmp_path: Path) -> None:
    tmp_path.chmod(0o555)
    try:
        simulation = ("simulate", bundle, "--data", data, "-o", tmp_path / "o.npz")
        for arguments in (("compile", *NET, "-o", tmp_path / "b"), simulation):
            code, _, err = run(*arguments)
            assert (code, err.count("\n")) == (2, 1)
            assert "Permission denied" in err
    finally:
        tmp_path.chmod(0o755)
    assert list(tmp_path.iterdir()) == []


def fail_with(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise error

    monkeypatch.setattr(api, "report", fail)


def test_an_error_of_our_own_is_one_line_and_code_70(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    fail_with(monkeypatch, ZeroDivisionError("division\nby zero"))
    code, out, err = run("report", "b")
    assert (code, out) == (70, "")
    assert err.startswith("tern2lava: an error of its own (ZeroDivisionError: division by zero)")
    assert err.count("\n") == 1


def test_out_of_memory_is_one_line(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    fail_with(monkeypatch, MemoryError())
    code, _, err = run("report", "b")
    assert code == 2
    assert "requires more memory than there is" in err


def test_an_interruption_says_what_was_done(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    fail_with(monkeypatch, Interrupted("interrupted: 3 of 10 samples were simulated; nothing was written"))
    code, _, err = run("report", "b")
    assert code == 130
    assert "interrupted: 3 of 10 samples" in err


def test_the_traceback_is_shown_only_when_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    fail_with(monkeypatch, ZeroDivisionError())
    monkeypatch.setattr(sys, "argv", ["tern2lava", "report", "b", "--debug"])
    with pytest.raises(ZeroDivisionError):
        main()


def test_the_package_has_the_functions_of_the_commands_and_no_more() -> None:
    functions = [
        "bench", "check", "compile", "conformance", "export", "load", "prove", "record", "report", "simulate", "verify",
        "what_if", "worst",
    ]  # fmt: skip
    assert sorted(tern2lava.__all__) == sorted([*functions, "MapOptions", "Options", "Tern2LavaError"])
    for name in functions:
        assert getattr(tern2lava, name) is getattr(api, name), "the subpackage report must not hide the function"
    with pytest.raises(AttributeError, match="has no attribute 'fly'"):
        _ = tern2lava.fly


def test_options_of_a_mapping_reach_manifest_and_report(run: Run, data: Path, tmp_path: Path) -> None:
    out = tmp_path / "build"
    code, text, err = run(
        "compile", *NET, "-t", "tiny", "-o", out, "--max-neurons-per-core", 20, "--pin", "lif1=1", "--pin", "lif2=0",
        "--spare-cores", 3, "--placement", "hilbert", "--seed", 5, "--objective", "traffic", "--data", data, "--json",
    )  # fmt: skip
    assert (code, err) == (0, "")
    found = json.loads(text)["mapping"]
    asked = {"objective": "traffic", "placement": "hilbert", "seed": 5, "max_neurons_per_core": 20, "spare_cores": 3}
    assert asked.items() <= found.items()
    assert found["pins"] == ["lif1=1", "lif2=0"]
    assert found["measured"] is True
    assert found["rate"] is None
    cores = json.loads(text)["cores"]
    assert {(core["chip"], name) for core in cores for name in core["populations"]} == {(1, "lif1"), (0, "lif2")}
    assert max(core["neurons"][0] for core in cores) <= 20
    assert max(core["id"] % 16 for core in cores) < 13
    manifest = json.loads((out / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["map_options"]["objective"] == "traffic"
    assert manifest["map_options"]["pins"] == [["lif1", 1], ["lif2", 0]]
    assert set(manifest["measured_rates"]) == {"input", "lif1", "lif2"}
    shown = " ".join(run("report", out, "--full")[1].split())
    assert "Asked for: objective traffic, placement hilbert, seed 5, at most 20 neurons a core" in shown
    assert "Traffic (measured on data)" in shown


def test_traffic_is_assumed_at_the_rate_given(run: Run, tmp_path: Path) -> None:
    hops = []
    for rate in (0.1, 0.2):
        text = run("compile", *NET, "-t", "tiny", "-o", tmp_path / "build", "--rate", rate, "--json")[1]
        found = json.loads(text)["mapping"]
        assert (found["measured"], found["rate"]) == (False, rate)
        hops.append(found["spike_hops"])
    assert hops[1] == pytest.approx(2 * hops[0])
    assert "Traffic (assumed: 0.2 spikes per neuron and step)" in run("report", tmp_path / "build", "--full")[1]


def test_what_if_compares_targets_in_one_table_and_names_why_one_is_out(run: Run, tmp_path: Path) -> None:
    small = tmp_path / "small.yaml"
    text = Path(str(resources.files("tern2lava.hw_profiles"))).joinpath("tiny.yaml").read_text(encoding="utf-8")
    small.write_text(
        text.replace("name: tiny", "name: small").replace("chip_rows: {value: 1", "chip_rows: {value: 1")
        .replace("neurons: {value: 64", "neurons: {value: 1"), encoding="utf-8",
    )  # fmt: skip
    code, out, err = run("compile", *NET, "--what-if", f"tiny,{small},loihi2")
    assert (code, err) == (0, "")
    assert "on 3 targets" in out
    assert "small: the network: needs" in out
    rows = json.loads(run("compile", *NET, "--what-if", f"tiny,{small},loihi2", "--json")[1])
    assert [(row["target"], row["fits"]) for row in rows] == [("tiny", True), ("small", False), ("loihi2", True)]
    assert rows[1]["cores"] is None
    alone = json.loads(run("compile", *NET, "-t", "tiny", "-o", tmp_path / "build", "--json")[1])
    assert rows[0]["cores"] == len(alone["cores"])
    assert rows[0]["spike_hops"] == alone["mapping"]["spike_hops"]
    assert rows[0]["image_bits"] == alone["memory"]["total"]["image_bits"]
    assert run("compile", *NET, "--what-if", str(small))[0] == 4
    assert run("compile", *NET, "--what-if", "tiny", "-o", tmp_path / "x")[0] == 2


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("--pin", "lif1"), 2, "--pin: requires POPULATION=CHIP; found 'lif1'"),
        (("--pin", "lif1=-1"), 2, "--pin: requires POPULATION=CHIP; found 'lif1=-1'"),
        (("--pin", "other=0"), 2, "found 'other' to chip 0; choose from lif1, lif2"),
        (("--pin", "lif1=7"), 4, "chips for a pin to chip 7"),
        (
            ("--objective", "fast"),
            2,
            "found 'fast'; choose cores, traffic, latency, balance",
        ),
        (("--placement", "best"), 2, "placement: requires the name of a placement; found 'best'"),
        (("--rate", "-1"), 2, "rate: requires spikes per neuron and step above 0; found -1.0"),
        (("--spare-cores", "16"), 4, "spare at most 15"),
        (("--data", "missing.npz"), 2, "missing.npz: requires an npz file; found none there"),
        (("--seed", "99999999999"), 2, "seed: requires a whole number from 0 to 2,147,483,647; found 99999999999"),
    ],
)
def test_options_that_cannot_be_followed_are_one_line_and_an_exit_code(
    run: Run, tmp_path: Path, arguments: tuple[str, ...], code: int, message: str
) -> None:
    found, out, err = run("compile", *NET, "-t", "tiny", "-o", tmp_path / "build", *arguments)
    assert (found, out) == (code, "")
    assert message in err
    assert err.count("\n") == 1
    assert not (tmp_path / "build").exists()


def test_rounding_that_loses_too_much_is_refused_until_it_is_allowed(run: Run, tmp_path: Path) -> None:
    np.savez(tmp_path / "net.npz", weight=np.ones((3, 4)), bias=np.full(3, 0.125))
    (tmp_path / "net.yaml").write_text(
        "input: {shape: [4]}\nsteps: 8\nreadout: spike_count\nlayers:\n  - dense: {weight: weight, bias: bias}\n"
        "  - neuron: {kind: leaky, beta: 1.0, threshold: 1.0, fire: '>=', reset: zero, reset_delay: false}\n"
    )
    arguments = ("compile", tmp_path / "net.npz", "--net", tmp_path / "net.yaml", "-o", tmp_path / "build")
    code, out, err = run(*arguments, "--target", "paicore2")
    assert (code, out, err.count("\n")) == (3, "", 1)
    assert "found bias 0.125 that would become 0 on paicore2, a shift of 100 %" in err
    assert "compile for loihi2" in err
    assert not (tmp_path / "build").exists()
    code, _, err = run(*arguments, "--target", "paicore2", "--allow-rounding", "100")
    assert (code, "--allow-rounding: requires a share; found '100'; write 100% (or 1)" in err) == (2, True)
    assert run(*arguments, "--target", "paicore2", "--allow-rounding", "0.99")[0] == 3
    assert run(*arguments, "--target", "paicore2", "--allow-rounding", "100%")[0] == 0
    manifest = json.loads((tmp_path / "build" / "manifest.json").read_text())
    assert manifest["options"]["allow_rounding"] == 1.0
    (row,) = api.report(tmp_path / "build").roundings
    assert (row.quantity, row.real, row.became) == ("bias", 0.125, 0.0)
    assert run(*arguments, "--target", "loihi2")[0] == 0
    assert api.report(tmp_path / "build").roundings == []


@pytest.mark.parametrize("share", ["much", "-5%", "nan", "inf%"])
def test_a_share_that_is_none_is_one_line(run: Run, tmp_path: Path, share: str) -> None:
    code, out, err = run("compile", *NET, "-o", tmp_path / "b", f"--allow-rounding={share}")
    assert (code, out) == (2, "")
    assert err.count("\n") == 1
    assert f"--allow-rounding: requires a share; found '{share}'; write it as 20% or 0.2" in err
