"""A misspelt word is answered with the one that is meant, wherever there is a list of words."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from archive import save_npz
from command_line import Run, in_process
from tern2lava import arguments
from tern2lava.errors import InputError
from tern2lava.likely import meant

KNOWN = ("loihi1", "loihi2", "tiny")


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    return in_process(monkeypatch, capsys)


@pytest.mark.parametrize(
    ("found", "words"),
    [
        ("lohi2", "did you mean loihi2? "),
        ("LOIHI2", "did you mean loihi2? "),
        ("tinny", "did you mean tiny? "),
        ("truenorth", ""),
        ("t", ""),
        ("", ""),
        (7, ""),
        (None, ""),
        ("loihi2" * 100, ""),
    ],
)
def test_the_nearest_word_is_named_and_nothing_where_none_is_near(found: object, words: str) -> None:
    assert meant(found, KNOWN) == words


def test_no_known_words_are_no_error() -> None:
    assert meant("loihi2", ()) == ""


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("compil", "x"), "Did you mean 'compile'?"),
        (("compile", "x", "--targe", "loihi2"), "--target"),
        (("profiles", "lohi2"), "did you mean loihi2? known profiles: "),
        (("export", "x", "--to", "imge", "-o", "y"), "found 'imge'; did you mean image? choose "),
        (("simulate", "x", "--data", "y", "--engine", "fsat"), "did you mean fast? "),
        (("verify", "x", "--data", "y", "--require", "exection"), "'exection'; did you mean execution? write "),
        (("compile", "x.nir", "-o", "y", "--effort", "thorogh"), "did you mean thorough? "),
    ],
)
def test_commands_options_targets_exporters_engines_and_verdicts(run: Run, words: tuple[str, ...], says: str) -> None:
    done = run(*words)
    assert (done.returncode, done.stdout) == (2, "")
    assert says in " ".join(done.stderr.split())


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("layers: [{dens: {}}]", "dens: requires a known layer; found another; did you mean dense? "),
        (
            "layers: [{dense: {weigth: w}}]",
            "weigth: requires a known key; found another; did you mean weight? choose from ",
        ),
        ("layer: []", "layer: requires a known key; found another; did you mean layers? "),
    ],
)  # fmt: skip
def test_layers_and_keys_of_a_net_yaml(run: Run, tmp_path: Path, text: str, says: str) -> None:
    save_npz(tmp_path / "net.npz", w=np.ones((2, 4)))
    (tmp_path / "net.yaml").write_text(f"input: {{shape: [4]}}\nsteps: 3\nreadout: spike_count\n{text}\n")
    done = run("compile", tmp_path / "net.npz", "--net", tmp_path / "net.yaml", "-o", tmp_path / "build")
    assert done.returncode == 2
    assert says in done.stderr
    assert done.stderr.count("\n") == 1


def test_words_of_python_arguments() -> None:
    with pytest.raises(InputError, match="found 'pouplations'; did you mean populations\\? choose populations, cores"):
        arguments.choice("pouplations", "table", ("populations", "cores"))
