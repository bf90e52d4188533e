"""Files of users are opened at one door: no other module reads one by itself."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import tern2lava

ROOT = Path(tern2lava.__file__).parent

# What opens, reads or parses a file, by the name under which it is called.
READERS = {
    "open", "read_text", "read_bytes", "load", "loads", "safe_load", "load_all", "compose", "ZipFile", "GzipFile",
    "fromfile", "memmap", "File", "genfromtxt", "loadtxt", "is_zipfile", "unpack_archive", "read_array", "fdopen",
    "Unpickler", "TarFile", "run_path", "read_array_header_1_0", "read_array_header_2_0", "model_validate_json",
    "validate_json", "parse_raw", "parse_file", "decompress",
}  # fmt: skip
# Modules through which they are called, and what is called so elsewhere: numpy.load is a reader, registry.load is none.
OF_MODULES = {
    "np",
    "numpy",
    "json",
    "yaml",
    "pickle",
    "torch",
    "h5py",
    "zipfile",
    "gzip",
    "io",
    "os",
    "tarfile",
    "runpy",
    "zlib",
}
ALWAYS = READERS - {"load", "loads", "open", "compose", "File"}
# Each with why it may.
MAY = {
    "bundle/check.py": "the manifest of a bundle that is to be replaced and its report, whose bytes come from the door",
    "bundle/bundle.py": "options, written as JSON by the function itself",
    "__main__.py": "the null device, in the place of streams that the shell closed",
    "memory_need.py": "the system's own files",
    "prove/arithmetic/graphs.py": "bytes that the door has read and bounded; it shares nothing with the compiler",
    "sim/engine/kept_code.py": "machine code that it keeps itself in the user's own cache, as numba does",
    "writing/durable.py": "writes",
    "writing/leftovers.py": "writes and locks",
    "api/searching.py": "writes",
    "prove/program.py": "bytes that the door has read and bounded; it shares nothing with the compiler",
    "frontends/files/hdf5_child.py": "HDF5's own library reads it, in a bounded process that may crash alone",
    "sim/lava/stand_alone.py": "runs outside tern2lava: it reads what `export` wrote, and a spike file",
    "export/lava_source.py": "its own source files",
    "report/page/page.py": "its own styles and scripts",
    "train/data/cifar.py": "Pillow decodes images, one by one, that the door has read and bounded",
    "train/checkpoint.py": "torch reads its own states, weights only, from a file that the door opened",
    "sim/lava/child.py": "what tern2lava's own child process writes, and the system's own files",
    "sim/lava/child_main.py": "what tern2lava's own parent process writes",
    "sim/engine/kernels.py": "its own source files",
    "sim/data/npz_writer.py": "writes",
    "export/netx.py": "writes",
    "export/nir.py": "writes",
    "export/nirdata.py": "writes",
    "train/log.py": "what it writes itself",
    "api/recording.py": "writes",
    "demo/run.py": "writes",
    "hw_profiles/loader.py": "profiles that lie in a package, which may be packed; held against the same bounds",
}


def readings(path: Path, root: Path = ROOT) -> Iterator[str]:
    """A line for each call in a file that reads one, or parses what one holds. What is imported from the door is called
    by its bare name."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        called = node.func
        if isinstance(called, ast.Name) and called.id == "open":
            yield f"{path.relative_to(root)}:{node.lineno}: {called.id}"
        elif isinstance(called, ast.Attribute) and called.attr in READERS:
            of = called.value.id if isinstance(called.value, ast.Name) else ""
            if called.attr in ALWAYS or of in OF_MODULES or (called.attr == "open" and _is_path(called.value)):
                yield f"{path.relative_to(root)}:{node.lineno}: {ast.unparse(called)}"


def _is_path(value: ast.expr) -> bool:
    """Whether open() is called of a path, not of an archive."""
    return not (isinstance(value, ast.Attribute) and value.attr in ("zip", "archive")) and "archive" not in ast.unparse(
        value
    )


def imports_of_readers(path: Path, root: Path = ROOT) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module in OF_MODULES:
            for alias in node.names:
                if alias.name in READERS:
                    yield f"{path.relative_to(root)}:{node.lineno}: from {node.module} import {alias.name}"


def outside() -> list[Path]:
    return [path for path in sorted(ROOT.rglob("*.py")) if path.relative_to(ROOT).parts[0] != "files"]


@pytest.fixture(scope="module")
def found() -> list[str]:
    return [line for path in outside() for line in (*readings(path), *imports_of_readers(path))]


def test_no_module_but_the_door_reads_a_file(found: list[str]) -> None:
    strange = [line for line in found if line.partition(":")[0] not in MAY]
    assert not strange, "read it through tern2lava.files:\n" + "\n".join(strange)


def test_every_exception_is_one(found: list[str]) -> None:
    assert not set(MAY) - {line.partition(":")[0] for line in found}


@pytest.mark.parametrize(
    "line",
    [
        "open(path)", "path.read_text()", "Path(p).read_bytes()", "np.load(path)", "json.loads(text)", "json.load(f)",
        "yaml.safe_load(text)", "zipfile.ZipFile(path)", "path.open('rb')", "gzip.open(path)", "np.fromfile(f)",
        "h5py.File(path)", "torch.load(path)", "pickle.loads(data)", "zlib.decompress(data)", "(a / b).open()",
        "from json import loads", "Report.model_validate_json(text)",
    ],
)  # fmt: skip
def test_each_way_to_read_is_seen(line: str, tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text(line)
    assert [*readings(tmp_path / "a.py", tmp_path), *imports_of_readers(tmp_path / "a.py", tmp_path)]
