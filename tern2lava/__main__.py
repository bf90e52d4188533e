"""Entry point of the command line: errors become one line and their exit code."""

from __future__ import annotations

import sys
import warnings
from typing import Any


def main() -> None:
    """Run the command line; exits 0 ok, 1 a required verdict is not met, 2 bad input or usage, 3 unsupported, 4 does
    not fit, 5 a backend did not finish, 70 an error of tern2lava itself."""
    from tern2lava.cli import app
    from tern2lava.errors import PluginWarning, StoppedError, Tern2LavaError
    from tern2lava.memory_need import out_of_memory

    debug = "--debug" in sys.argv
    usual = warnings.showwarning

    def show(message: Warning | str, category: type[Warning], *place: Any, **more: Any) -> None:
        """A plugin that does not work is told in one line, as errors are."""
        if issubclass(category, PluginWarning):
            _say(str(message))
        else:
            usual(message, category, *place, **more)

    warnings.showwarning = show
    try:
        app()
    except Tern2LavaError as error:
        if debug:
            raise
        _say(str(error))
        sys.exit(error.exit_code)
    except (StoppedError, KeyboardInterrupt) as error:
        _say(str(error) or "interrupted; nothing half-written was left behind")
        sys.exit(130)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(141)
    except MemoryError as error:
        if debug:
            raise
        command = next((word for word in sys.argv[1:] if not word.startswith("-")), "tern2lava")
        _say(str(out_of_memory(command, error)))
        sys.exit(2)
    except Exception as error:
        if debug:
            raise
        _say(f"an error of its own ({type(error).__name__}: {error}); run it with --debug and report what it prints")
        sys.exit(70)


def _say(message: str) -> None:
    """Print `message` as the one line on stderr that an error is."""
    print("tern2lava: " + " ".join(message.split()), file=sys.stderr)


if __name__ == "__main__":
    main()
