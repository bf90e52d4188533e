"""Calibration through both front doors: what is taken, what is written, what is said, and that nothing else changes."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tern2lava
from archive import save_npz
from calibrated_nets import NETS, spikes_of
from command_line import Run, in_process
from reseal import reseal
from tern2lava.compiler.ir.graph import Graph, Population
from tern2lava.compiler.options import Options
from tern2lava.errors import InputError

CALIBRATED = Options(ranges="calibrated")


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    return in_process(monkeypatch, capsys)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network and spike files; "soft" is a recurrent layer behind a dense one."""
    place = tmp_path_factory.mktemp("calibrate")
    NETS["soft"].load(place)
    save_npz(place / "cal.npz", spikes=spikes_of(12, 31))
    save_npz(place / "test.npz", spikes=spikes_of(4, 32), labels=np.arange(4))
    save_npz(place / "loud.npz", spikes=spikes_of(4, 33, 0.95))
    save_npz(place / "wrong.npz", spikes=np.zeros((2, 25, 7), np.uint8))
    save_npz(place / "empty.npz", spikes=np.zeros((0, 25, 24), np.uint8))
    save_npz(place / "short.npz", spikes=np.zeros((2, 3, 24), np.uint8))
    (place / "junk.npz").write_text("no archive", encoding="utf-8")
    return place


@pytest.fixture(scope="module")
def bundle(folder: Path) -> Path:
    compiled(folder, calibrate=folder / "cal.npz", options=CALIBRATED, out=folder / "build")
    return folder / "build"


def compiled(folder: Path, **more: Any) -> Any:
    return tern2lava.compile(folder / "net.npz", "loihi2", net=folder / "net.yaml", **more)


def same(one: Graph, other: Graph) -> bool:
    """Whether two programs hold equal integers."""
    pairs = zip(one.nodes, other.nodes, strict=True)
    return all(np.array_equal(v, vars(b)[k]) for a, b in pairs for k, v in vars(a).items() if isinstance(v, np.ndarray))


def test_arrays_and_files_of_the_same_spikes_choose_the_same_integers(folder: Path) -> None:
    x = spikes_of(12, 31)
    programs = [
        compiled(folder, calibrate=given, options=CALIBRATED).lowered.program
        for given in (folder / "cal.npz", str(folder / "cal.npz"), x, {"spikes": x}, {"input": x}, x.tolist())
    ]
    assert all(same(programs[0], other) for other in programs[1:])
    assert not same(programs[0], compiled(folder).lowered.program)


def test_data_measure_traffic_and_change_no_integer(folder: Path) -> None:
    plain = compiled(folder)
    measured = compiled(folder, data=folder / "cal.npz")
    assert same(plain.lowered.program, measured.lowered.program)
    assert measured.report.mapping.measured
    assert measured.report.calibration is None


def test_the_manifest_holds_the_hash_of_the_file(bundle: Path, folder: Path) -> None:
    told = json.loads((bundle / "manifest.json").read_text(encoding="utf-8"))
    digest = hashlib.sha256((folder / "cal.npz").read_bytes()).hexdigest()
    assert told["calibration"] == {"file": "cal.npz", "sha256": digest, "samples": 12, "run": 12, "steps": 25}
    assert told["options"]["ranges"] == "calibrated"
    report = tern2lava.report(bundle)
    assert report.calibration is not None
    assert (report.calibration.sha256, report.calibration.file, report.ranges) == (digest, "cal.npz", "calibrated")
    assert (report.calibration.u_margin, report.calibration.v_margin) == (2, 1.25)


def test_arrays_have_a_hash_that_their_values_decide(folder: Path) -> None:
    x = spikes_of(12, 31)
    other = x.copy()
    other[3, 4, 5] ^= 1
    blocks = [compiled(folder, calibrate=each).report.calibration for each in (x, x.copy(), other)]
    assert blocks[0] == blocks[1]
    assert blocks[0].file is None
    assert blocks[0].sha256 != blocks[2].sha256


def test_the_same_samples_write_the_same_bytes(bundle: Path, folder: Path, tmp_path: Path) -> None:
    compiled(folder, calibrate=folder / "cal.npz", options=CALIBRATED, out=tmp_path / "again")
    first = {path.relative_to(bundle): path.read_bytes() for path in bundle.rglob("*") if path.is_file()}
    second = {
        path.relative_to(tmp_path / "again"): path.read_bytes()
        for path in (tmp_path / "again").rglob("*")
        if path.is_file()
    }
    assert first == second


def test_a_calibrated_bundle_is_simulated_exported_and_reported_as_it_was_compiled(
    bundle: Path, folder: Path, tmp_path: Path
) -> None:
    fresh = compiled(folder, calibrate=folder / "cal.npz", options=CALIBRATED)
    spikes = tern2lava.simulate(fresh, folder / "test.npz").trace.spikes
    for name, found in tern2lava.simulate(bundle, folder / "test.npz").trace.spikes.items():
        np.testing.assert_array_equal(found, spikes[name])
    tern2lava.export(bundle, tmp_path / "images", to="image")
    assert any((tmp_path / "images").iterdir())
    report = tern2lava.report(bundle)
    assert report == fresh.report.model_copy(update={"bundle": report.bundle})
    frame = report.to_frame("integers")
    assert list(frame["population"]) == [p.name for p in fresh.lowered.program.of_kind(Population)]
    (row,) = report.integers
    assert (row.ranges, row.samples, row.saved) == ("observed", 12, (row.changed_without or 0) - (row.changed or 0))
    assert [c.verdict for c in report.certificate] == ["CONDITIONAL"]


def test_verify_keeps_to_observed_ranges_on_like_data_and_says_where_loud_data_leave_them(
    bundle: Path, folder: Path
) -> None:
    quiet = tern2lava.verify(bundle, folder / "test.npz", backend="reference").verification
    assert quiet is not None
    assert quiet.verdict("ranges").status == "equal"
    loud = tern2lava.verify(bundle, folder / "loud.npz", backend="reference", require="execution,ranges").verification
    assert loud is not None
    assert loud.verdict("execution").status == "equal"
    assert loud.verdict("ranges").status == "differs"
    assert loud.verdict("ranges").sentence.startswith("LEFT in 1 of 1 population: certificates are conditional")
    assert not loud.met
    assert loud.ranges[0].left > 0


def test_a_report_with_other_words_is_refused_in_one_line(bundle: Path, folder: Path, tmp_path: Path) -> None:
    compiled(folder, calibrate=folder / "cal.npz", out=tmp_path / "b")
    path = tmp_path / "b" / "report.json"
    text = path.read_text(encoding="utf-8")
    for old, new in (
        ('"samples": 12', '"samples": "twelve"'),
        ('"u_margin"', '"margin"'),
        ('"moved": ', '"moved": "x", "was": '),
    ):
        assert old in text
        path.write_text(text.replace(old, new), encoding="utf-8")
        with pytest.raises(InputError, match="requires the text that was written") as caught:
            tern2lava.report(tmp_path / "b")
        reseal(tmp_path / "b")
        with pytest.raises(InputError, match="requires a report as this version writes it; found ") as caught:
            tern2lava.report(tmp_path / "b")
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--calibrate", "none.npz"), "none.npz: requires an npz file; found none there"),
        (("--calibrate", "wrong.npz"), "wrong.npz: spikes: requires steps of shape (24,)"),
        (
            ("--calibrate", "empty.npz"),
            "empty.npz: spikes: requires shape (samples, steps, 24), one sample and one step",
        ),
        (("--calibrate", "short.npz"), "short.npz: requires samples of 25 steps"),
        (("--calibrate", "junk.npz"), "junk.npz: requires an npz file; found "),
        (("--calibrate", "."), "requires an npz file; found a folder"),
        (
            ("--range", "calibrated"),
            "--range: requires samples for calibrated ranges; found none; add --calibrate FILE",
        ),
        (("--range", "wide"), "--range: requires one of proven, steps, calibrated; found 'wide'"),
        (("--range", "proven"), "neuron1: requires integers that no input can make overflow, in any number of steps"),
    ],
)
def test_wrong_words_and_files_are_one_line(
    words: tuple[str, ...], said: str, run: Run, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    net = "net.yaml"
    if "proven" in words:
        text = (folder / "net.yaml").read_text(encoding="utf-8").replace("kind: leaky, beta: beta", "kind: if")
        net = str(tmp_path / "if.yaml")
        Path(net).write_text(text + "ignore: [beta]\n", encoding="utf-8")
    done = run("compile", "net.npz", "--net", net, "-o", tmp_path / "b", *words)
    assert done.returncode == (3 if "proven" in words else 2)
    assert done.stdout == ""
    assert said in done.stderr
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "b").exists()


def test_the_command_says_what_samples_bought_and_where_finer_integers_are_to_be_had(
    run: Run, folder: Path, tmp_path: Path
) -> None:
    def printed(*words: object) -> str:
        done = run("compile", folder / "net.npz", "--net", folder / "net.yaml", "-o", tmp_path / "b", *words)
        assert (done.returncode, done.stderr) == (0, "")
        return " ".join(run("report", tmp_path / "b", "--full").stdout.split())

    plain = printed()
    assert "chosen without calibration samples." in plain
    assert "Integers, chosen on samples" not in plain
    steps = printed("--calibrate", folder / "cal.npz")
    assert "Integers, chosen on samples" in steps
    assert "Samples: 12 of 12 in cal.npz, 25 steps" in steps
    assert "--range calibrated lets 1 population take finer integers: neuron1." in steps
    observed = printed("--calibrate", folder / "cal.npz", "--range", "calibrated")
    assert "finer integers" not in observed
    assert "Certificates are conditional on them" in observed
    assert "for any input (CONDITIONAL: that keeps to observed ranges)" in observed
    silent = tmp_path / "silent.npz"
    save_npz(silent, spikes=np.zeros((2, 25, 24), np.uint8))
    assert "finer integers" not in printed("--calibrate", silent)


def test_targets_are_compared_with_samples_too(run: Run, folder: Path) -> None:
    words = ("compile", folder / "net.npz", "--net", folder / "net.yaml", "--what-if", "loihi2,generic-ternary")
    done = run(*words, "--calibrate", folder / "cal.npz", "--range", "calibrated", "--json")
    assert done.returncode == 0
    assert [row["fits"] for row in json.loads(done.stdout)] == [True, True]


def test_progress_tells_of_samples_and_then_of_populations(folder: Path) -> None:
    told: list[tuple[str, int, int]] = []
    compiled(folder, calibrate=folder / "cal.npz", progress=lambda *what: told.append(what))
    stages = list(dict.fromkeys(stage for stage, _, _ in told))
    assert stages[:5] == ["network", "passes", "calibration", "integers on samples", "certificate"]
    assert [what for what in told if what[0] == "calibration"] == [("calibration", 0, 12), ("calibration", 12, 12)]
    assert ("integers on samples", 1, 1) in told
    told.clear()
    compiled(folder, progress=lambda *what: told.append(what))
    assert not {"calibration", "integers on samples"} & {stage for stage, _, _ in told}


def test_python_says_in_one_line_what_is_wrong(folder: Path) -> None:
    with pytest.raises(
        InputError, match='^calibrate: requires calibration samples for ranges "calibrated"; found None'
    ):
        compiled(folder, options=CALIBRATED)
    with pytest.raises(InputError, match="^calibrate: "):
        compiled(folder, calibrate=object())
    with pytest.raises(InputError, match="^calibrate: spikes: requires"):
        compiled(folder, calibrate=np.zeros((2, 25, 7)))
    with pytest.raises(InputError, match="^ranges: "):
        Options(ranges="wide")  # type: ignore[arg-type]
