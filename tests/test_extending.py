"""A codec, an exporter, a source, a report section, an execution and an engine, each made here by one registration and
used from the command line's end to end, and shown to be found out where they are wrong."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError
from rich.text import Text

import lossy
from archive import save_npz
from command_line import Run, in_process
from tern2lava import api
from tern2lava.compiler.build import Compiled
from tern2lava.compiler.image.codecs import CODECS, Codec
from tern2lava.compiler.image.codecs.matrix import check_size, ternary_matrix
from tern2lava.compiler.image.core_image import decode_core, encode_core
from tern2lava.compiler.ir.graph import Dense, Graph, Input, Level, Neuron, Output, Projection
from tern2lava.compiler.ir.shapes import frozen
from tern2lava.errors import InputError, UnsupportedError
from tern2lava.export.exporters import EXPORTERS, Exporter, Written
from tern2lava.frontends.load import load
from tern2lava.frontends.sources import SOURCES, Source
from tern2lava.hw_profiles import Profile, load_profile
from tern2lava.registry import one_of
from tern2lava.report.sections import SECTIONS, Section
from tern2lava.sim.cores import reference as mapped
from tern2lava.sim.engines import ENGINES, Engine, Streamed
from tern2lava.sim.reference import integer
from tern2lava.sim.verify.compare import compare
from tern2lava.sim.verify.executions import EXECUTIONS, Executor, Ran


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    return in_process(monkeypatch, capsys)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("toy") / "build"
    api.compile(lossy.network(), "tiny", out=folder)
    save_npz(folder.parent / "data.npz", **lossy.samples())
    return folder


# A codec: a byte for each code, 1, 2 or 3.


def encode(codes: Any) -> bytes:
    return (ternary_matrix(codes, "toy codes") + 2).astype(np.uint8).tobytes()


def decode(data: bytes, rows: int, columns: int) -> Any:
    check_size(len(data), rows * columns, rows, columns, "toy codes")
    codes = np.frombuffer(data, np.uint8).reshape(rows, columns).astype(np.int8) - np.int8(2)
    if (np.abs(codes) > 1).any():
        raise InputError("toy codes", "a byte that is no code")
    return codes


TOY = Codec(
    200, "toy", "bytes", True, lambda codes: int(codes.size), encode, decode,
    lambda data, rows, columns, row: decode(data, rows, columns)[row],
)  # fmt: skip


def profile_of_toys() -> Profile:
    data = load_profile("generic-ternary").model_dump()
    data["synapse"]["encodings"]["value"] = ("bytes",)
    return Profile.model_validate(data)


def compiled_with(codec: Codec) -> Compiled:
    with CODECS.added(codec):
        return api.compile(lossy.network(), profile_of_toys())


def test_a_codec_is_compiled_with_and_its_images_execute_as_the_integers() -> None:
    spikes = {"x": lossy.samples()["spikes"]}
    with CODECS.added(TOY):
        compiled = api.compile(lossy.network(), profile_of_toys())
        images, program = compiled.mapped.images, compiled.lowered.program
        for data in images:
            image = decode_core(data)
            assert {block.codec for block in image.blocks} == {"toy"}
            assert encode_core(image) == data
        traces = {
            "I": integer.run(program, spikes), "M": mapped.run(images, compiled.mapped.host_image, spikes)
        }  # fmt: skip
        found = compare(traces, program)
    assert found.equal
    assert found.compared_values > 0
    with pytest.raises(InputError, match="codec 200"):
        decode_core(images[0])


def test_a_codec_that_decodes_other_weights_is_found_by_m() -> None:
    def negated(data: bytes, rows: int, columns: int) -> Any:
        return -decode(data, rows, columns)

    spikes = {"x": lossy.samples()["spikes"]}
    with CODECS.added(replace(TOY, decode=negated)):
        compiled = api.compile(lossy.network(), profile_of_toys())
        executed = mapped.run(compiled.mapped.images, compiled.mapped.host_image, spikes)
    traces = {"I": integer.run(compiled.lowered.program, spikes), "M": executed}
    assert compare(traces, compiled.lowered.program).link == "M"


def test_what_a_codec_says_that_rows_take_at_least_is_in_the_bound_on_cores() -> None:
    def a_million(counts: Any) -> Any:
        return np.full(counts.shape[0], 1e6)

    plain, bounded = compiled_with(TOY), compiled_with(replace(TOY, least_bits=a_million))
    assert plain.mapped.cores_lower_bound <= len(plain.mapped.images) < bounded.mapped.cores_lower_bound


def test_profiles_allow_the_encoding_of_a_codec_while_it_is_registered() -> None:
    with CODECS.added(TOY):
        assert profile_of_toys().synapse.encodings.value == ("bytes",)
    with pytest.raises(ValidationError, match="golomb, rans, bit_planes or axon_pairs"):
        profile_of_toys()
    with CODECS.added(replace(TOY, in_cores=False)), pytest.raises(ValidationError):
        profile_of_toys()


# An exporter: the names and shapes of the weights as JSON.


def write_shapes(order: Any) -> Written:
    shapes = {node.name: node.weight.shape for node in order.graph.nodes if isinstance(node, Dense | Projection)}
    title = order.options.get("title", "no title")
    order.write_file(lambda path: path.write_text(json.dumps({"title": title, "shapes": shapes})))
    return Written(notes=(f"{len(shapes)} weights",))


SHAPES = Exporter(name="toy", what="the shapes of its weights", run=write_shapes, options=("title", "stage"))


def test_an_exporter_writes_from_the_command_line_with_options_of_its_own(
    run: Run, bundle: Path, tmp_path: Path
) -> None:
    out = tmp_path / "shapes.json"
    with EXPORTERS.added(SHAPES):
        done = run("export", bundle, "--to", "toy", "--set", "title=mine", "-o", out)
        assert (done.returncode, done.stdout) == (0, f"- 2 weights\nwritten to {out}\n")
        assert json.loads(out.read_text()) == {"title": "mine", "shapes": {"w1": [20, 16], "w2": [4, 20]}}
        real = run("export", bundle, "--to", "toy", "--stage", "real", "-o", out, "--json")
        assert json.loads(real.stdout) == {"out": str(out), "notes": ["2 weights"]}
        for words, why in (
            (("--set", "name=mine"), "name: requires an option of toy (title, stage); found name; leave it out"),
            (("--codec", "rans"), "codec: requires the format image; found toy; leave it out"),
            (("--lossy",), "lossy: requires the format nir or netx; found toy; leave it out"),
            (("--set", "title"), "--set: requires NAME=VALUE; found 'title'; write for example depth=3"),
        ):
            refused = run("export", bundle, "--to", "toy", *words, "-o", out)
            assert (refused.returncode, refused.stderr) == (2, f"tern2lava: {why}\n")
    gone = run("export", bundle, "--to", "toy", "-o", out)
    assert (gone.returncode, gone.stderr) == (
        2,
        f"tern2lava: --to: requires a known exporter; found 'toy'; choose {one_of(EXPORTERS.names())}\n",
    )


# A source: weights as JSON, in files that begin with "toy".


def read_toy(offer: Any, options: dict[str, Any]) -> Graph:
    weights = json.loads(offer.path.read_text()[3:])
    nodes: list[Any] = [Input(name="x", shape=(len(weights[0][0]),))]
    for number, weight in enumerate(weights):
        nodes.append(Dense(name=f"w{number}", inputs=(nodes[-1].name,), weight=frozen(weight, np.float64)))
        threshold = frozen(options.get("threshold", 1.0))
        nodes.append(
            Neuron(name=f"n{number}", inputs=(f"w{number}",), shape=(len(weight),), threshold=threshold)
        )  # fmt: skip
    output = Output(name="out", inputs=(nodes[-1].name,))
    return Graph(level=Level.IMPORTED, nodes=(*nodes, output), steps=4, source=offer.path.name)


READER = Source(
    name="toy", what="a toy file (.toy)", many="toy files", options=("threshold",), suffixes=(".toy",), read=read_toy,
    recognises=lambda offer: offer.path is not None and offer.path.is_file() and offer.path.read_bytes()[:3] == b"toy",
)  # fmt: skip


@pytest.fixture
def toy_file(tmp_path: Path) -> Path:
    path = tmp_path / "x.toy"
    path.write_text("toy" + json.dumps([[[1, -1, 0], [0, 1, 1]], [[1, 1]]]))
    return path


def test_a_source_is_loaded_and_compiled_and_takes_its_own_options_alone(
    run: Run, toy_file: Path, tmp_path: Path
) -> None:
    with SOURCES.added(READER):
        graph = load(toy_file, threshold=2.0)
        assert [node.name for node in graph.nodes] == ["x", "w0", "n0", "w1", "n1", "out"]
        assert graph["n1"].threshold == 2.0  # type: ignore[union-attr]
        for option, why in (
            ({"dt": 1e-3}, r"x.toy: requires NIR files and lava-dl files for option dt; found a toy file \(\.toy\)"),
            ({"other": 1}, "x.toy: requires an option that toy files take; found other; choose from threshold"),
            ({"net": "net.yaml"}, "x.toy: requires no net.yaml, .*; found --net; leave --net out"),
        ):
            with pytest.raises(InputError, match=why):
                load(toy_file, **option)
        done = run("compile", toy_file, "-t", "tiny", "-o", tmp_path / "build", "--json")
        assert done.returncode == 0, done.stderr
        assert [row["name"] for row in json.loads(done.stdout)["populations"]] == ["n0", "n1"]
        with pytest.raises(InputError, match=r"found a dict; give .* a toy file \(.toy\)"):
            load({})  # type: ignore[arg-type]
    (tmp_path / "net.yaml").write_text("layers: []\n")
    with pytest.raises(InputError, match=r"x.toy: requires .*; found a file that begins with"):
        load(toy_file, tmp_path / "net.yaml")


# A report section.


def test_a_report_section_stands_in_the_report_of_the_command_line(run: Run, bundle: Path) -> None:
    section = Section(
        name="toy", what="a toy", keys=("target", "chips"),
        render=lambda report: [Text(f"{report.target} is {report.chips} chip of fun")],
    )  # fmt: skip
    assert "chip of fun" not in run("report", bundle, "--full").stdout
    with SECTIONS.added(section):
        assert run("report", bundle, "--full").stdout.endswith("tiny is 1 chip of fun\n")
        assert "chip of fun" not in run("report", bundle).stdout
    with SECTIONS.added(replace(section, short=section.render)):
        assert "tiny is 1 chip of fun\n" in run("report", bundle).stdout


# An execution: the integers once more, right or with one spike too many.


def once_more(change: int) -> Executor:
    def execute(setup: Any, data: Any, tell: Any) -> Ran:
        trace = integer.run(setup.executable.program, data.values())
        trace.spikes["h"][2, 3, 7] ^= change
        return Ran(trace)

    return Executor(name="T", what="a toy", shows="nothing new", stage="toy", run=execute)


def test_an_execution_is_compared_by_verify_and_makes_it_fail_where_it_is_wrong(run: Run, bundle: Path) -> None:
    words = ("verify", bundle, "--data", bundle.parent / "data.npz", "--backend", "reference", "--json")
    with EXECUTIONS.added(once_more(0)):
        done = run(*words)
    found = json.loads(done.stdout)
    assert done.returncode == 0, done.stderr
    assert found["chain"] == ["I", "E", "M", "T"]
    row = found["executions"][3]
    assert (row["name"], row["what"], row["samples"]) == ("T", "a toy", 6)
    assert row["values"] == found["executions"][2]["values"] > 0
    with EXECUTIONS.added(once_more(1)):
        wrong = run(*words)
    found = json.loads(wrong.stdout)
    assert wrong.returncode == 1
    assert not found["met"]
    assert found["first_difference"].startswith("I differs from T: first difference in step 4")
    assert "of sample 2, population h, neuron 7: spike" in found["first_difference"]
    assert json.loads(run(*words).stdout)["chain"] == ["I", "E", "M"]


def test_an_execution_refuses_a_program_that_it_cannot_execute_before_anything_runs(run: Run, bundle: Path) -> None:
    def refuse(program: Graph) -> None:
        raise UnsupportedError("h", "neurons of toys", "others", "leave it out")

    def run_never(setup: Any, data: Any, tell: Any) -> Ran:
        raise AssertionError

    entry = replace(once_more(0), check=refuse, run=run_never)
    with EXECUTIONS.added(entry):
        done = run("verify", bundle, "--data", bundle.parent / "data.npz", "--backend", "reference")
    assert done.returncode == 3
    assert done.stderr == "tern2lava: h: requires neurons of toys; found others; leave it out\n"


# An engine of `simulate`.


def test_an_engine_simulates_from_the_command_line(run: Run, bundle: Path) -> None:
    def silent(executable: Any, parts: Any, states: bool, progress: Any, effort: Any) -> Streamed:
        def traces() -> Iterator[Any]:
            for part in parts:
                yield integer.run(executable.program, {"x": np.zeros_like(part["x"])}, states=states)

        return Streamed(traces())

    words = ("simulate", bundle, "--data", bundle.parent / "data.npz", "--json", "--engine", "silent")
    with ENGINES.added(Engine(name="silent", what="without input", run=silent)):
        assert json.loads(run(*words).stdout)["spikes"] == {"h": 0, "y": 0}
    done = run(*words)
    assert (
        done.stderr
        == "tern2lava: --engine: requires a known engine; found 'silent'; choose fast, reference, images or ray\n"
    )
