"""Ctrl-C and SIGTERM, and machines that lack something, on the real commands: one line, a documented exit code, nothing
half-written."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from importlib import resources
from pathlib import Path

import pytest

from tern2lava.bundle import read_bundle

DEMO = Path(str(resources.files("tern2lava.demo")))
COMPILE = ("compile", DEMO / "mlp.pt", "--net", DEMO / "mlp.yaml", "-t", "tiny", "-o", "build")
# Stops itself in the middle of writing the bundle, and waits there for its signal.
WAITS = """
import sys, time
from tern2lava.bundle import write
usual = write.contents
def contents(*arguments, **more):
    found = usual(*arguments, **more)
    open('reached', 'w').close()
    time.sleep(60)
    return found
write.contents = contents
from tern2lava.__main__ import main
sys.argv = sys.argv[1:]
main()
"""


def command(*words: object) -> list[str]:
    return [sys.executable, "-m", "tern2lava", *map(str, words)]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interruption_while_the_bundle_is_written_is_one_line_and_leaves_nothing(
    number: signal.Signals, code: int, tmp_path: Path
) -> None:
    words = [sys.executable, "-c", WAITS, "tern2lava", *map(str, COMPILE)]
    with subprocess.Popen(words, cwd=tmp_path, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        while not (tmp_path / "reached").exists():
            assert child.poll() is None
            time.sleep(0.02)
        child.send_signal(number)
        out, err = child.communicate(timeout=60)
    assert (child.returncode, out) == (code, "")
    assert err == "tern2lava: interrupted; nothing was written\n"
    assert [path.name for path in tmp_path.iterdir()] == ["reached"]


# Gets its signal before typer has found the command; in an eval the interpreter would note it, and end by SIGINT.
BESIDE = """
import os, sys
from tern2lava.cli.app import Commands
from tern2lava.__main__ import main
def parse(self, context, arguments):
    {}
    os.getpid()
Commands.parse_args = parse
sys.argv = ['tern2lava', 'profiles']
main()
"""


@pytest.mark.parametrize("how", ["os.kill(os.getpid(), {})", "eval('[os.kill(os.getpid(), {}), os.getpid()]')"])
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interruption_beside_a_command_is_one_line_and_the_same_exit_code(
    number: signal.Signals, code: int, how: str, tmp_path: Path
) -> None:
    # As `python -m tern2lava`: a text given with -c ends by itself.
    (tmp_path / "beside.py").write_text(BESIDE.format(how.format(int(number))))
    done = subprocess.run([sys.executable, "-m", "beside"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (code, "", "tern2lava: interrupted; nothing was written\n")


def test_a_closed_pipe_is_no_verdict_that_is_not_met_and_a_full_output_says_so(tmp_path: Path) -> None:
    subprocess.run(command(*COMPILE), cwd=tmp_path, check=True, stdout=subprocess.DEVNULL)
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        command("report", "build"), cwd=tmp_path, stdout=writing, stderr=subprocess.PIPE, text=True, check=False
    )
    os.close(writing)
    assert (done.returncode, done.stderr) == (141, "")
    if Path("/dev/full").exists():
        with open("/dev/full", "w") as full:
            done = subprocess.run(
                command("report", "build"), cwd=tmp_path, stdout=full, stderr=subprocess.PIPE, text=True, check=False
            )
        assert done.returncode == 2
        assert done.stderr == (
            "tern2lava: standard output: requires room for what is printed; found No space left on device; nothing was "
            "written\n"
        )
    closed = f"exec {' '.join(command('report', 'build'))} <&- >&- 2>&-"
    assert subprocess.run(["sh", "-c", closed], cwd=tmp_path, check=False).returncode == 0
    read_bundle(tmp_path / "build")


@pytest.mark.parametrize("words", [("--help",), ("profiles", "--json"), ("profiles", "loihi2")])
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="has no full device")
def test_a_full_output_says_so_in_one_line_however_much_is_printed(words: tuple[str, ...]) -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run(command(*words), stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr == (
        "tern2lava: standard output: requires room for what is printed; found No space left on device; nothing was "
        "written\n"
    )


def test_what_the_encoding_of_the_output_lacks_is_no_error() -> None:
    done = subprocess.run(
        command("profiles", "loihi2"), capture_output=True, check=False, env=os.environ | {"PYTHONIOENCODING": "ascii"}
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.isascii()
