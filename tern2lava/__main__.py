"""Entry point of the command line: errors become one line and their exit code."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line; exits 0 ok, 1 verification differs, 2 bad input or usage, 3 unsupported, 4 does not fit."""
    from tern2lava.cli import app
    from tern2lava.errors import Tern2LavaError

    debug = "--debug" in sys.argv
    try:
        app()
    except Tern2LavaError as error:
        if debug:
            raise
        print(f"tern2lava: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        print("tern2lava: interrupted; nothing half-written was left behind", file=sys.stderr)
        sys.exit(130)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(141)


if __name__ == "__main__":
    main()
