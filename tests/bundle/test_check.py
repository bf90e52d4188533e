"""A bundle is what was written, file by file, or it is refused in one line that names the file."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from functools import partial
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tern2lava
from command_line import in_process
from reseal import reseal
from sample_nets import SAMPLES
from tern2lava.bundle import check as checking
from tern2lava.bundle import read_bundle, save_report
from tern2lava.errors import InputError

DEMO = resources.files("tern2lava.demo")


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Bundles of two networks, of several cores and with every kind of file: a and b."""
    folder = tmp_path_factory.mktemp("bundles")
    with resources.as_file(DEMO) as demo:
        tern2lava.compile(
            demo / "mlp.pt", "tiny", net=demo / "mlp.yaml", out=folder / "a", recorded=demo / "mlp-run.npz"
        )
    SAMPLES["grouped"].load(folder)
    tern2lava.compile(folder / "sample.npz", "tiny", net=folder / "sample.yaml", out=folder / "b")
    return folder


@pytest.fixture
def bundle(bundles: Path, tmp_path: Path) -> Path:
    shutil.copytree(bundles / "a", tmp_path / "build")
    return tmp_path / "build"


def names(bundle: Path) -> list[str]:
    return sorted(path.relative_to(bundle).as_posix() for path in bundle.rglob("*") if path.is_file())


def refusal(bundle: Path, read: Callable[[Path], object] = read_bundle) -> InputError:
    with pytest.raises(InputError) as raised:
        read(bundle)
    assert "\n" not in str(raised.value)
    return raised.value


def flips(size: int) -> Iterator[tuple[int, int]]:
    """Places and bits: the ends, and twelve drawn."""
    rng = np.random.default_rng(size)
    for at in {0, 1, size // 2, size - 2, size - 1, *rng.integers(0, size, 12).tolist()}:
        yield at, int(rng.integers(8))


def test_a_flipped_bit_of_any_file_names_that_file(bundle: Path) -> None:
    kinds = {name.split("/")[0] if "/" in name else name for name in names(bundle)}
    assert kinds == {"manifest.json", "report.json", "profile.yaml", "recorded.npz", "graphs", "ir", "cores"}
    for name in names(bundle):
        path = bundle / name
        whole = path.read_bytes()
        for at, bit in flips(len(whole)):
            path.write_bytes(whole[:at] + bytes([whole[at] ^ 1 << bit]) + whole[at + 1 :])
            assert refusal(bundle).where == str(path), (name, at, bit)
        path.write_bytes(whole)
    assert read_bundle(bundle).digest


@pytest.mark.parametrize("change", ["cut", "longer", "empty", "gone"])
def test_a_file_of_another_size_or_none_is_named(bundle: Path, change: str) -> None:
    for name in names(bundle):
        path = bundle / name
        whole = path.read_bytes()
        if change == "gone":
            path.unlink()
        else:
            path.write_bytes({"cut": whole[:-1], "longer": whole + b"\n", "empty": b""}[change])
        found = refusal(bundle)
        assert found.where == (str(bundle) if (change, name) == ("gone", "manifest.json") else str(path))
        path.write_bytes(whole)


def test_nothing_is_read_of_a_file_of_another_size(bundle: Path) -> None:
    with (bundle / "graphs" / "real.npz").open("r+b") as file:
        file.truncate(1 << 40)
    found = refusal(bundle)
    assert "real.npz: requires " in str(found)
    assert "as when it was written; found 1,099,511,627,776; compile again" in str(found)


def test_every_pair_of_files_swapped_within_a_bundle_names_one_of_them(bundle: Path) -> None:
    listed = [name for name in names(bundle) if (bundle / name).stat().st_size]
    for first, second in zip(listed, listed[1:] + listed[:1], strict=True):
        one, other = (bundle / first).read_bytes(), (bundle / second).read_bytes()
        if one == other:
            continue
        (bundle / first).write_bytes(other)
        (bundle / second).write_bytes(one)
        assert refusal(bundle).where in (str(bundle / first), str(bundle / second))
        (bundle / first).write_bytes(one)
        (bundle / second).write_bytes(other)


def test_a_file_of_another_bundle_is_named(bundle: Path, bundles: Path) -> None:
    for name in names(bundle):
        other, whole = bundles / "b" / name, (bundle / name).read_bytes()
        if not other.exists() or other.read_bytes() == whole:
            continue
        shutil.copyfile(other, bundle / name)
        found = refusal(bundle)
        # Which of manifest and report is the other bundle's, none of the two can say: the line names both.
        assert found.where == str(bundle / ("report.json" if name == "manifest.json" else name))
        assert name != "manifest.json" or "manifest.json" in str(found)
        (bundle / name).write_bytes(whole)


@pytest.mark.parametrize(
    ("name", "folder"),
    [("more.txt", False), ("graphs/stale.json", False), ("cores/core-99999.img", False), ("ir/x", True), ("x", True)],
)
def test_a_file_or_folder_too_many_is_named(bundle: Path, name: str, folder: bool) -> None:
    (bundle / name).mkdir() if folder else (bundle / name).write_text("")
    found = refusal(bundle)
    assert found.where == str(bundle / name)
    assert "found one more; move it out of the bundle" in str(found)


def test_a_renamed_file_is_missing(bundle: Path) -> None:
    (bundle / "ir" / "00-imported.txt").rename(bundle / "ir" / "0-imported.txt")
    assert refusal(bundle).where.endswith("00-imported.txt")


def test_a_file_where_a_folder_should_be_is_named(bundle: Path) -> None:
    shutil.rmtree(bundle / "ir")
    (bundle / "ir").write_text("")
    assert Path(refusal(bundle).where).parent == bundle / "ir"


def test_links_are_refused_wherever_they_lead(bundle: Path, tmp_path: Path) -> None:
    moved = tmp_path / "moved"
    for name in (*names(bundle), "graphs", "ir", "cores"):
        path = bundle / name
        path.rename(moved)
        path.symlink_to(moved)
        found = refusal(bundle)
        assert found.where == str(path)
        assert "requires the files themselves in a bundle; found a link" in str(found)
        path.unlink()
        path.symlink_to(tmp_path / "nowhere")
        assert refusal(bundle).where == str(path)
        path.unlink()
        moved.rename(path)
    (bundle / "extra").symlink_to(bundle / "profile.yaml")
    assert refusal(bundle).where == str(bundle / "extra")


def test_the_folder_itself_may_be_a_link_and_a_file_have_a_second_name(bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "latest").symlink_to(bundle)
    image = bundle / "cores" / "core-00000.img"
    os.link(image, tmp_path / "second")
    assert read_bundle(tmp_path / "latest").digest == read_bundle(bundle).digest
    # Through the second name the file is changed: it is the same file.
    (tmp_path / "second").write_bytes(image.read_bytes()[::-1])
    assert refusal(bundle).where == str(image)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no pipes")
def test_a_pipe_in_a_bundle_is_refused_at_once(bundle: Path) -> None:
    for name in names(bundle):
        path = bundle / name
        whole = path.read_bytes()
        path.unlink()
        os.mkfifo(path)
        found = refusal(bundle)
        assert found.where == str(path)
        assert "found a pipe; compile again" in str(found)
        path.unlink()
        path.write_bytes(whole)


def test_what_a_killed_run_left_of_a_report_is_no_file_of_the_bundle(
    bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checking, "is_leftover", lambda name: name == ".half")
    (bundle / ".half").write_bytes(b"{")
    assert read_bundle(bundle).digest
    # Only where such a file is made, and by no other name.
    for name in ("graphs/.half", ".hal"):
        (bundle / name).write_bytes(b"{")
        assert refusal(bundle).where == str(bundle / name)
        (bundle / name).unlink()


def test_every_command_and_function_that_takes_a_bundle_refuses_a_changed_one(
    bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    data = {"spikes": np.zeros((1, 16, 1, 8, 8), np.uint8)}
    np.savez(tmp_path / "data.npz", spikes=data["spikes"])
    text = bundle / "ir" / "00-imported.txt"
    text.write_bytes(text.read_bytes()[::-1])
    for call in (
        tern2lava.report, tern2lava.prove, partial(tern2lava.report, compare_bits=8),
        partial(tern2lava.verify, data=data, backend="reference"), partial(tern2lava.simulate, data=data),
        partial(tern2lava.export, out=tmp_path / "x"), partial(tern2lava.export, out=tmp_path / "x", to="image"),
    ):  # fmt: skip
        assert refusal(bundle, call).where == str(text)
    run = in_process(monkeypatch, capsys)
    for words in (
        ("report", bundle), ("report", bundle, "--json"), ("report", bundle, "--compare-bits", 8), ("prove", bundle),
        ("verify", bundle, "--data", tmp_path / "data.npz"), ("simulate", bundle, "--data", tmp_path / "data.npz"),
        ("export", bundle, "--to", "nir", "-o", tmp_path / "x"),
        ("export", bundle, "--to", "weights", "-o", tmp_path / "x"),
    ):  # fmt: skip
        done = run(*words)
        assert done.returncode == 2, words
        assert done.stdout == ""
        assert done.stderr.count("\n") == 1
        assert "00-imported.txt: requires the bytes that were written, of SHA-256 " in done.stderr
    assert not (tmp_path / "x").exists()


def test_the_report_of_a_bundle_that_was_replaced_meanwhile_is_not_written_into_the_other(
    bundle: Path, bundles: Path
) -> None:
    found = read_bundle(bundle)
    shutil.rmtree(bundle)
    shutil.copytree(bundles / "b", bundle)
    before = (bundle / "report.json").read_bytes()
    with pytest.raises(InputError, match="requires the bundle that the report is of, .*; run the command again"):
        save_report(bundle, found.report)
    assert (bundle / "report.json").read_bytes() == before
    shutil.rmtree(bundle)
    with pytest.raises(InputError, match="found none, for it was replaced meanwhile"):
        save_report(bundle, found.report)
    assert not bundle.exists()


def test_a_bundle_that_is_replaced_while_it_is_read_is_read_anew(
    bundle: Path, bundles: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names_of = checking._check_names
    calls: list[Path] = []
    folders = {bundle.stat().st_ino}

    def replaced(folder: Path, names: list[str]) -> None:
        if not calls:
            shutil.rmtree(bundle)
            shutil.copytree(bundles / "b", bundle)
            folders.add(bundle.stat().st_ino)
        calls.append(folder)
        names_of(folder, names)

    monkeypatch.setattr(checking, "_check_names", replaced)
    assert read_bundle(bundle).digest == read_bundle(bundles / "b").digest
    # The old and the new one, and that of the other folder; and once more where the file system gave the new one
    # another inode, by which it is told that the folder was replaced.
    assert len(calls) == 2 + len(folders)


def test_the_manifest_says_what_the_bundle_was_made_of(tmp_path: Path) -> None:
    SAMPLES["grouped"].load(tmp_path)
    data = (np.random.default_rng(1).random((2, 10, 4, 7, 9)) < 0.4).astype(np.uint8)
    np.savez(tmp_path / "data.npz", spikes=data)
    profile = tmp_path / "mine.yaml"
    profile.write_bytes(b"extends: tiny\r\nname: mine\r\nsummary: tiny, by another name\r\n")
    tern2lava.compile(
        tmp_path / "sample.npz", profile, net=tmp_path / "sample.yaml", out=tmp_path / "b", data=tmp_path / "data.npz"
    )
    tiny = resources.files("tern2lava.hw_profiles") / "tiny.yaml"
    made_of = json.loads((tmp_path / "b" / "manifest.json").read_text())["made_of"]
    given: list[tuple[str, Any]] = [
        ("network", tmp_path / "sample.npz"), ("net.yaml", tmp_path / "sample.yaml"), ("profile", profile),
        ("profile", tiny), ("data", tmp_path / "data.npz"),
    ]  # fmt: skip
    assert made_of == [
        {"what": what, "file": file.name, "sha256": hashlib.sha256(file.read_bytes()).hexdigest()}
        for what, file in given
    ]
    graph = tern2lava.load(tmp_path / "sample.npz", tmp_path / "sample.yaml")
    held = tern2lava.compile(graph, "tiny", data={"spikes": data})
    other = tern2lava.compile(graph, "tiny", data={"spikes": 1 - data})
    (own,), (its,) = ([o for o in each.made_of if o.what == "data"] for each in (held, other))
    assert own.file == its.file == ""
    assert own.sha256 != its.sha256


def test_the_manifest_names_the_versions_that_bytes_depend_on(bundle: Path) -> None:
    import numba
    import scipy

    versions = json.loads((bundle / "manifest.json").read_text())["versions"]
    assert versions["numpy"] == np.__version__
    assert versions["scipy"] == scipy.__version__
    assert versions["numba"] == numba.__version__
    assert {"python", "zlib", "networkx", "pyyaml", "pydantic"} <= set(versions)
    # No torch: a checkpoint is read without it, whatever was imported before.
    assert "torch" not in versions


def test_sealed_again_by_other_hands_it_is_the_same_bundle(bundle: Path) -> None:
    """The helper of the tests makes seals by hashlib and json alone, as docs/bundle.md says."""
    before = (bundle / "manifest.json").read_bytes(), json.loads((bundle / "report.json").read_bytes())
    order = list(json.loads(before[0])["files"])

    def as_it_was(document: dict[str, Any]) -> None:
        document["files"] = {name: document["files"][name] for name in order}

    assert reseal(bundle, manifest=as_it_was) == read_bundle(bundle).digest
    assert (bundle / "manifest.json").read_bytes() == before[0]
    assert json.loads((bundle / "report.json").read_bytes()) == before[1]


def test_many_readers_read_while_the_report_is_replaced(bundle: Path) -> None:
    report = read_bundle(bundle).report
    stop, faults = threading.Event(), []

    def read() -> None:
        while not stop.is_set():
            try:
                read_bundle(bundle)
            except InputError as error:
                faults.append(str(error))

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    for turn in range(40):
        save_report(bundle, report.model_copy(update={"notes": [f"turn {turn}"]}))
    stop.set()
    for reader in readers:
        reader.join()
    assert faults == []
    assert read_bundle(bundle).report.notes == ["turn 39"]


def test_the_page_on_bundles_reads_a_seal_as_it_says(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = Path(tern2lava.__file__).parents[1] / "docs" / "bundle.md"
    if not page.exists():
        pytest.skip("the documents are not beside the package")
    code = page.read_text(encoding="utf-8").split("```")[1]
    monkeypatch.chdir(bundle.parent)
    exec(code, {})
    path = bundle / "manifest.json"
    path.write_bytes(path.read_bytes().replace(b'"steps": 16', b'"steps": 17'))
    with pytest.raises(AssertionError):
        exec(code, {})
