"""Entry point of the command line: errors become one line and their exit code."""

from __future__ import annotations

import atexit
import errno
import io
import os
import sys
import warnings
from typing import Any

from tern2lava import interruption

# What a system answers that lacks room, rights, handles, processes or devices: not an error of tern2lava.
_REFUSALS = {
    errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM, errno.EMFILE, errno.ENFILE,
    errno.ENOMEM, errno.EAGAIN, errno.EIO, errno.ENOLCK, errno.ENODEV, errno.ENXIO, errno.ESTALE, errno.EBUSY,
}  # fmt: skip
CLOSED_PIPE = 141
_TYPER_INTERRUPTED = 130  # how typer ends, without a word, where it is interrupted beside a command
_told: list[str] = []


class _Output(io.FileIO):
    """Standard output, which remembers why it took nothing more: what it refused once is lost, so that a later flush
    would succeed and say nothing."""

    refusal: OSError | None = None

    def write(self, data: Any) -> int:
        try:
            return super().write(data)
        except OSError as error:
            _Output.refusal = error
            raise


def main() -> None:
    """Run the command line; exits 0 ok, 1 a required verdict is not met, 2 bad input or usage, or a machine that lacks
    room, rights, handles or processes, 3 unsupported, 4 does not fit, 5 a backend did not finish, 70 an error of
    tern2lava itself, 130 interrupted (SIGINT), 143 ended by SIGTERM, 141 its output was closed."""
    try:
        interruption.listen()
        _open_streams()
        code = _flushed(_run())
        if interruption.received() is not None and code == _interrupted_code():
            # Where the interruption passed an eval (of namedtuple, in an import), the interpreter would end by SIGINT,
            # whatever the exit code.
            atexit._run_exitfuncs()
            os._exit(code)
        sys.exit(code)
    except KeyboardInterrupt:
        # Beside the command, in its first or last moment; or a second one, while the first ends it: at once.
        if not _told:
            _say(f"interrupted; {interruption.state()}")
        os._exit(_interrupted_code())


def _run() -> int:
    """The exit code of the command that sys.argv names; what went wrong is said on stderr."""
    debug = "--debug" in sys.argv
    try:
        return _command()
    except BaseException as error:
        # What an interruption breaks on its way is no error.
        if interruption.received() is not None or isinstance(error, KeyboardInterrupt):
            return _interrupted(error)
        if debug and isinstance(error, Exception) and not isinstance(error, BrokenPipeError):
            raise
        return _said(error)


def _command() -> int:
    from tern2lava.cli import app
    from tern2lava.errors import LongRunWarning, NotKeptWarning, PluginWarning

    usual = warnings.showwarning

    def show(message: Warning | str, category: type[Warning], *place: Any, **more: Any) -> None:
        """What is left out, not kept or takes long is told in one line, as errors are."""
        if issubclass(category, (PluginWarning, NotKeptWarning, LongRunWarning)):
            _say(str(message))
        else:
            usual(message, category, *place, **more)

    warnings.showwarning = show
    try:
        app()
    except SystemExit as done:
        if done.code == _TYPER_INTERRUPTED and interruption.received() is not None:
            raise KeyboardInterrupt from None
        if isinstance(done.code, int) or done.code is None:
            return done.code or 0
        raise
    return 0


def _interrupted(error: BaseException) -> int:
    from tern2lava.errors import Interrupted, StoppedError

    told = str(error) if isinstance(error, (Interrupted, StoppedError)) else ""
    _say(told or f"interrupted; {interruption.state()}")
    interruption.stop_listening()
    return _interrupted_code()


def _interrupted_code() -> int:
    return 128 + (interruption.received() or 2)


def _said(error: BaseException) -> int:
    """The exit code of an error, once its line is printed."""
    from tern2lava.errors import ClosedOutputError, StoppedError, Tern2LavaError

    if isinstance(error, Tern2LavaError):
        _say(str(error))
        return error.exit_code
    if isinstance(error, StoppedError):
        _say(str(error) or f"interrupted; {interruption.state()}")
        return _interrupted_code()
    if isinstance(error, (ClosedOutputError, BrokenPipeError)):
        _silence(sys.stdout)
        return CLOSED_PIPE
    if isinstance(error, MemoryError):
        from tern2lava.memory_need import out_of_memory

        command = next((word for word in sys.argv[1:] if not word.startswith("-")), "tern2lava")
        _say(str(out_of_memory(command, error)))
        return 2
    refusal = refused_by_system(error)
    if refusal and _flushed(0):
        return 2
    if refusal:
        _say(refusal)
        return 2
    if not isinstance(error, Exception):
        raise error
    _say(f"an error of its own ({type(error).__name__}: {error}); run it with --debug and report what it prints")
    return 70


def refused_by_system(error: BaseException) -> str:
    """The line for an error by which the system refused something that tern2lava needs; "" for any other error."""
    if isinstance(error, RuntimeError) and "start new thread" in str(error):
        return "the system: requires another thread; found none to be had; end other programs, or raise ulimit -u"
    if not isinstance(error, OSError):
        return ""
    if isinstance(error, FileNotFoundError) and "temporary directory" in str(error):
        return "the system: requires a folder for temporary files; found none that can be written; set TMPDIR to one"
    if error.errno not in _REFUSALS:
        return ""
    where = error.filename if isinstance(error.filename, (str, bytes)) else "the system"
    hints = {
        errno.EMFILE: "raise ulimit -n", errno.ENFILE: "end other programs", errno.EAGAIN: "raise ulimit -u",
        errno.ENOMEM: "end other programs", errno.ENOSPC: "free space", errno.EDQUOT: "free space",
        errno.EFBIG: "raise ulimit -f",
    }  # fmt: skip
    hint = hints.get(error.errno or 0, "see to it, then give the command again")
    return f"{os.fsdecode(where)}: requires more than the system gives; found {error.strerror}; {hint}"


def _open_streams() -> None:
    """Give input, output and errors that the shell closed (>&-) to the null device: the next file that is opened would
    get their numbers, and what is printed would go into it."""
    for number, name, how in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        try:
            os.fstat(number)
        except OSError:
            opened = os.open(os.devnull, os.O_RDWR)
            if opened != number:
                os.dup2(opened, number)
                os.close(opened)
        if getattr(sys, name) is None:
            setattr(sys, name, open(number, how, closefd=False))  # noqa: SIM115
    usual = sys.stdout
    if type(usual) is io.TextIOWrapper:
        # What a terminal's encoding lacks, or the name of a file is no text in, is shown as a question mark.
        lacking = "replace" if usual.errors == "strict" else usual.errors
        sys.stdout = io.TextIOWrapper(
            io.BufferedWriter(_Output(usual.fileno(), "w", closefd=False)), usual.encoding, lacking,
            line_buffering=usual.line_buffering, write_through=usual.write_through,
        )  # fmt: skip


def _flushed(code: int) -> int:
    """`code`, once all that was printed is out; where it cannot be, that of the failure."""
    try:
        sys.stdout.flush()
        if _Output.refusal is not None:
            raise _Output.refusal
    except BrokenPipeError:
        _silence(sys.stdout)
        return code if code else CLOSED_PIPE
    except (OSError, ValueError) as error:
        _silence(sys.stdout)
        _Output.refusal = None
        why = getattr(error, "strerror", None) or error
        _say(f"standard output: requires room for what is printed; found {why}; {interruption.state()}")
        return code if code else 2
    return code


def _silence(stream: Any) -> None:
    """Have what is left in `stream` go nowhere: the interpreter would fail on it at its end."""
    try:
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, stream.fileno())
        os.close(null)
    except (OSError, ValueError):
        pass


def _say(message: str) -> None:
    """Print `message` as the one line on stderr that an error is."""
    _told.append(message)
    try:
        print("tern2lava: " + " ".join(message.split()), file=sys.stderr, flush=True)
    except (OSError, ValueError):
        _silence(sys.stderr)


if __name__ == "__main__":
    main()
