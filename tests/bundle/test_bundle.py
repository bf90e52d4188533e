"""A bundle is whole or absent, replaces nothing but a bundle, and says when it is damaged."""

from __future__ import annotations

import errno
import json
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from command_line import in_process
from drawn import Draw
from reseal import reseal
from tern2lava import bundle
from tern2lava.bundle import read as reading
from tern2lava.bundle import read_bundle, save_report, write_bundle
from tern2lava.compiler.build import Compiled, build
from tern2lava.compiler.image.core_image import decode_core, encode_core
from tern2lava.compiler.ir.files import read_graph
from tern2lava.compiler.passes.pipeline import stage_names
from tern2lava.errors import InputError
from tern2lava.hw_profiles import load_profile
from tern2lava.writing import durable, write_file


@pytest.fixture(scope="module")
def compiled(make_leaky: Draw) -> Compiled:
    return build(make_leaky(4)[0], load_profile("tiny"))


@pytest.fixture
def written(compiled: Compiled, tmp_path: Path) -> Path:
    write_bundle(compiled, tmp_path / "build")
    return tmp_path / "build"


def listing(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in Path(folder).rglob("*"))


def test_a_bundle_comes_back_with_everything_to_run(compiled: Compiled, written: Path) -> None:
    found = read_bundle(written)
    assert found.executable.images == compiled.mapped.images
    assert found.executable.host_image == compiled.mapped.host_image
    for name, graph in (
        ("imported", compiled.lowered.imported), ("real", compiled.lowered.real), ("program", compiled.lowered.program)
    ):  # fmt: skip
        assert [n.name for n in getattr(found.executable, name).nodes] == [n.name for n in graph.nodes]
    assert found.report.target == "tiny"
    assert found.report.verification is None
    assert found.manifest["tool"] == "tern2lava"
    texts = sorted(path.name for path in (written / "ir").iterdir())
    assert texts == [f"{k:02d}-{stage}.txt" for k, stage in enumerate(stage_names())]
    assert load_profile(written / "profile.yaml").name == "tiny"


def test_only_the_bundle_is_left_beside_others(compiled: Compiled, written: Path) -> None:
    assert [path.name for path in written.parent.iterdir()] == ["build"]
    (written / "graphs" / "stale.json").write_text("{}")
    write_bundle(compiled, written)
    assert [path.name for path in written.parent.iterdir()] == ["build"]
    assert "graphs/stale.json" not in listing(written)
    read_bundle(written)


def test_an_empty_folder_and_new_parents_are_filled(compiled: Compiled, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    write_bundle(compiled, tmp_path / "empty")
    write_bundle(compiled, tmp_path / "a" / "b" / "c")
    read_bundle(tmp_path / "empty")
    read_bundle(tmp_path / "a" / "b" / "c")


def test_what_is_no_bundle_is_never_replaced(compiled: Compiled, tmp_path: Path, written: Path) -> None:
    web = tmp_path / "web"
    web.mkdir()
    (web / "manifest.json").write_text('{"name": "a web page"}')
    notes = tmp_path / "notes"
    notes.mkdir()
    (notes / "thesis.tex").write_text("years")
    (tmp_path / "file").write_text("text")
    (written / "spikes.npz").write_bytes(b"mine")
    before = listing(tmp_path)
    for name, message in (
        ("web", "a new or empty folder, or a bundle"), ("notes", "requires a new or empty folder, or a bundle"),
        ("file", "requires a folder for the bundle; found a file"), ("build", "found spikes.npz in it"),
    ):  # fmt: skip
        with pytest.raises(InputError, match=message):
            write_bundle(compiled, tmp_path / name)
    assert listing(tmp_path) == before


FAILURES: dict[str, tuple[str, BaseException]] = {
    "graphs": ("tern2lava.bundle.contents.graph_files", OSError(errno.ENOSPC, "No space left on device")),
    "images": ("pathlib.Path.write_bytes", OSError(errno.ENOSPC, "No space left on device")),
    "report": ("tern2lava.bundle.write.dump_report", OSError(errno.EIO, "Input/output error")),
    "rename": ("os.rename", OSError(errno.EACCES, "Permission denied")),
    "interrupt": ("tern2lava.bundle.contents.print_graph", KeyboardInterrupt()),
}


@pytest.mark.parametrize("failure", list(FAILURES))
@pytest.mark.parametrize("exists", [False, True])
def test_a_failure_leaves_what_was_there_and_nothing_else(
    compiled: Compiled, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failure: str, exists: bool
) -> None:
    target = tmp_path / "deep" / "er" / "build"
    if exists:
        write_bundle(compiled, target)
    before = listing(tmp_path)
    name, error = FAILURES[failure]

    def fail(*_: Any, **__: Any) -> None:
        raise error

    monkeypatch.setattr(name, fail)
    with pytest.raises(KeyboardInterrupt if failure == "interrupt" else InputError) as raised:
        write_bundle(compiled, target)
    monkeypatch.undo()
    assert listing(tmp_path) == before
    if isinstance(error, OSError):
        assert f"{target}: requires a folder that can be written; found {error.strerror}" in str(raised.value)
    if exists:
        read_bundle(target)


def test_the_old_bundle_comes_back_where_the_new_one_cannot_take_its_place(
    compiled: Compiled, written: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    marked = read_bundle(written).report.model_copy(update={"source": "the old one"})
    save_report(written, marked)
    rename = os.rename

    def fail_last(source: Path, target: Path) -> None:
        # The former folder has made room; the new one is about to take its place.
        if target == written and not written.exists() and source.name.endswith("-new"):
            raise OSError(errno.EIO, "Input/output error")
        rename(source, target)

    monkeypatch.setattr(durable, "exchange", lambda one, other: False)
    monkeypatch.setattr(os, "rename", fail_last)
    with pytest.raises(InputError, match="Input/output error"):
        write_bundle(compiled, written)
    monkeypatch.undo()
    assert read_bundle(written).report.source == "the old one"
    assert [path.name for path in written.parent.iterdir()] == ["build"]


def test_a_report_about_another_bundle_than_the_one_that_lies_there_is_not_written(
    make_leaky: Draw, written: Path
) -> None:
    found = read_bundle(written)
    write_bundle(build(make_leaky(5)[0], load_profile("tiny")), written)
    before = (written / "report.json").read_bytes()
    with pytest.raises(InputError, match="requires the bundle that the report is of, .* replaced meanwhile"):
        save_report(written, found.report)
    assert (written / "report.json").read_bytes() == before
    assert [path.name for path in written.parent.iterdir()] == ["build"]


def test_a_bundle_that_is_replaced_while_it_is_read_is_read_again(
    compiled: Compiled, written: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    report = read_bundle(written).report
    save_report(written, report.model_copy(update={"source": "old"}))
    usual, loads = read_graph, []

    def replace_first(document: bytes, *more: Any) -> Any:
        loads.append(document)
        if len(loads) == 1:
            save_report(written, report.model_copy(update={"source": "new"}))
        return usual(document, *more)

    monkeypatch.setattr(reading, "read_graph", replace_first)
    assert read_bundle(written).report.source == "new"
    assert len(loads) == 6


def test_a_bundle_whose_replacement_was_cut_off_is_read(compiled: Compiled, written: Path) -> None:
    left = written.with_name(".build.0123abcd.tern2lava-old")
    written.rename(left)
    read_bundle(written)
    assert [path.name for path in written.parent.iterdir()] == ["build"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_folder_is_named(compiled: Compiled, tmp_path: Path) -> None:
    tmp_path.chmod(0o555)
    try:
        with pytest.raises(InputError, match="Permission denied"):
            write_bundle(compiled, tmp_path / "build")
        assert listing(tmp_path) == []
    finally:
        tmp_path.chmod(0o755)


def test_names_that_no_file_system_takes_are_one_line(compiled: Compiled, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="File name too long"):
        write_bundle(compiled, tmp_path / ("a" * 300))
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError):
        write_bundle(compiled, tmp_path / "file" / "build")
    with pytest.raises(InputError, match=r"out\.npz: requires a file that can be written; found File exists"):
        write_file(tmp_path / "file" / "out.npz", lambda path: path.write_text(""))
    assert listing(tmp_path) == ["file"]


def test_a_file_written_aside_is_whole_or_absent(tmp_path: Path) -> None:
    path = tmp_path / "out.txt"
    write_file(path, lambda p: p.write_text("first"))

    def half(p: Path) -> None:
        p.write_text("ha")
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(InputError, match="No space left"):
        write_file(path, half)
    assert path.read_text() == "first"
    assert listing(tmp_path) == ["out.txt"]


DAMAGE: dict[str, tuple[str, Callable[[Path], object]]] = {
    "no manifest": ("", lambda b: (b / "manifest.json").unlink()),
    "manifest cut": ("manifest.json", lambda b: (b / "manifest.json").write_text('{"tool"')),
    "manifest of a list": ("manifest.json", lambda b: (b / "manifest.json").write_text("[]")),
    "binary manifest": ("manifest.json", lambda b: (b / "manifest.json").write_bytes(b"\xff\xfe\x00")),
    "no image": ("cores/core-00000.img", lambda b: (b / "cores" / "core-00000.img").unlink()),
    "no host image": ("cores/host.img", lambda b: (b / "cores" / "host.img").unlink()),
    "no report": ("report.json", lambda b: (b / "report.json").unlink()),
    "no graphs": ("graphs/imported.json", lambda b: shutil.rmtree(b / "graphs")),
    "no arrays": ("graphs/real.npz", lambda b: (b / "graphs" / "real.npz").unlink()),
    "graphs swapped": (
        "graphs/program.json", lambda b: shutil.copy(b / "graphs" / "imported.json", b / "graphs" / "program.json")
    ),
}  # fmt: skip


@pytest.mark.parametrize("damage", list(DAMAGE))
def test_a_damaged_bundle_is_named_in_one_line(written: Path, damage: str) -> None:
    name, do = DAMAGE[damage]
    do(written)
    with pytest.raises(InputError) as raised:
        read_bundle(written)
    assert raised.value.where == str(written / name)
    assert "\n" not in str(raised.value)


def told(folder: Path, **words: Any) -> None:
    """Let the manifest say this, sealed again."""
    reseal(folder, manifest=lambda document: document.update(words))


def said(folder: Path, **words: Any) -> None:
    """Let the report say this, sealed again."""
    reseal(folder, report=lambda report: report.update(words))


def listed(entries: dict[str, Any], folder: Path) -> None:
    """Let the manifest list these files too, sealed again."""
    reseal(folder, manifest=lambda document: document["files"].update(entries))


def rewritten(folder: Path, name: str, data: bytes) -> None:
    """Give a file another content, sealed again."""
    (folder / name).write_bytes(data)
    reseal(folder)


def graphs_swapped(folder: Path) -> None:
    rewritten(folder, "graphs/program.json", (folder / "graphs" / "imported.json").read_bytes())


FORGED: dict[str, tuple[str, str, Callable[[Path], object]]] = {
    "another tool": ("manifest.json", "format 3; found another", partial(told, tool="x")),
    "another format": ("manifest.json", "format 3; found format 77; compile again", partial(told, format=77)),
    "images outside": ("manifest.json", "found no ../../etc/passwd in it", partial(told, images=["../../etc/passwd"])),
    "images no list": ("manifest.json", "found no images in it", partial(told, images=5)),
    "files no list": ("manifest.json", "found no graphs/imported.json in it", partial(told, files=5)),
    "files outside": (
        "../x", "requires every file that manifest.json lists; found none there",
        partial(listed, {"../x": {"bytes": 1, "sha256": "0" * 64}}),
    ),
    "sizes no numbers": (
        "manifest.json", "requires bytes and SHA-256 of each file; found others of 'profile.yaml'",
        partial(listed, {"profile.yaml": {"bytes": "1", "sha256": "0" * 64}}),
    ),
    "report of another shape": (
        "report.json", "found cores: field required", lambda b: reseal(b, report=lambda said: said.pop("cores"))
    ),
    "report of another bundle": (
        "report.json", "found that of bundle 000000000000", partial(said, bundle="0" * 64)
    ),
    "report of no bundle": ("report.json", "found that of bundle none", partial(said, bundle=None)),
    "graphs swapped": ("graphs/program.json", "compile again", graphs_swapped),
    "no graph": ("graphs/program.json", "compile again", lambda b: rewritten(b, "graphs/program.json", b"[]")),
    "no archive": ("graphs/real.npz", "compile again", lambda b: rewritten(b, "graphs/real.npz", b"PK nothing")),
}  # fmt: skip


@pytest.mark.parametrize("forgery", list(FORGED))
def test_a_bundle_that_is_sealed_again_is_still_read_with_care(written: Path, forgery: str) -> None:
    name, words, do = FORGED[forgery]
    do(written)
    with pytest.raises(InputError) as raised:
        read_bundle(written)
    assert raised.value.where == str(written / name)
    assert words in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_bundle_of_an_earlier_format_says_to_compile_again(written: Path) -> None:
    document = json.loads((written / "manifest.json").read_text())
    del document["digest"], document["files"]
    (written / "manifest.json").write_text(json.dumps(document | {"format": 2}, indent=1) + "\n")
    with pytest.raises(InputError, match="requires a bundle manifest of format 3; found format 2; compile again"):
        read_bundle(written)


def test_a_folder_that_is_none_says_how_one_is_made(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="make one with 'tern2lava compile'"):
        read_bundle(tmp_path / "nowhere")


def test_certificates_without_a_bound_survive_the_report(compiled: Compiled, tmp_path: Path) -> None:
    # So it is of a mechanism through which errors are not known to follow (Mechanism.error_follows).
    first, *others = compiled.lowered.certificates
    unbounded = replace(first, eps=np.array(np.inf), eps_relative=np.inf)
    lowered = replace(compiled.lowered, certificates=(unbounded, *others))
    write_bundle(replace(compiled, lowered=lowered), tmp_path / "build")
    row = read_bundle(tmp_path / "build").report.certificate[0]
    assert (row.eps, row.eps_relative) == (None, None)
    assert bundle.dump_report(read_bundle(tmp_path / "build").report).count("null") > 0


@pytest.mark.parametrize(
    ("change", "said"), [("lost", "routes from 0 neurons of x"), ("doubled", "twice; the program requires each once")]
)
def test_a_bundle_with_a_route_that_is_wrong_is_not_written_and_is_an_error_of_our_own(
    compiled: Compiled, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
    change: str, said: str,
) -> None:  # fmt: skip
    host = decode_core(compiled.mapped.host_image)
    routes = host.routes[1:] if change == "lost" else (*host.routes, host.routes[0])
    wrong = replace(compiled.mapped, host_image=encode_core(replace(host, routes=routes)))
    with pytest.raises(RuntimeError, match=f"the core images DIFFER from the program: .*{said}"):
        write_bundle(replace(compiled, mapped=wrong), tmp_path / "b")
    assert not (tmp_path / "b").exists()
    monkeypatch.setattr("tern2lava.api.compiling.build", lambda *_: replace(compiled, mapped=wrong))
    demo = resources.files("tern2lava.demo")
    done = in_process(monkeypatch, capsys)(
        "compile", demo / "mlp.pt", "--net", demo / "mlp.yaml", "--target", "tiny", "-o", tmp_path / "b"
    )
    assert done.returncode == 70
    assert said in done.stderr
