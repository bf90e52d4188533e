"""Every error a user can meet, each saying where, what was found and what to do, and the exit code it ends in.

Exit codes of the command line: 0 ok, 1 a required verdict is not met or images are not the program, 2 bad input or
usage, or a machine that lacks room, rights, handles or processes, 3 unsupported, 4 does not fit, 5 a backend did not
finish, 70 an error of tern2lava itself, 130 interrupted (SIGINT), 143 ended by SIGTERM, 141 its output was closed.
"""

from __future__ import annotations


def one_line(text: str) -> str:
    """`text` with line breaks and control characters (of names in damaged files) as spaces."""
    return "".join(character if character.isprintable() else " " for character in text)


class Tern2LavaError(Exception):
    """Base of all errors raised on purpose; its text is one line for the user."""

    exit_code = 2

    def __init__(self, text: str = "") -> None:
        super().__init__(one_line(text))


class InputError(Tern2LavaError):
    """A file, array or option that cannot be used. `where` is the file, key or tensor; `why` what was found and
    what to do."""

    def __init__(self, where: object, why: str) -> None:
        super().__init__(f"{where}: {why}")
        self.where = str(where)
        self.why = why


class UnsupportedError(Tern2LavaError):
    """A well-formed network that uses something a rule rejects. `rule` reads well after "requires": what is needed, as
    "the same computation in every step", or a sentence behind "that"."""

    exit_code = 3

    def __init__(self, node: str, rule: str, found: str, hint: str) -> None:
        super().__init__(f"{node}: requires {rule}; found {found}; {hint}")
        self.node = node
        self.rule = rule
        self.found = found
        self.hint = hint


class ProfileError(Tern2LavaError):
    """A hardware profile with an unknown key, a missing source or a value out of range."""

    def __init__(self, file: object, key: str, found: object, allowed: str) -> None:
        super().__init__(f"{file}: {key}: found {found}; {allowed}")
        self.file = str(file)
        self.key = key


class CapacityError(Tern2LavaError):
    """A network or part of one that exceeds a resource of the target."""

    exit_code = 4

    def __init__(self, node: str, resource: str, need: float, have: float, hint: str) -> None:
        super().__init__(f"{node}: needs {need:,} {resource}, the target has {have:,}; {hint}")
        self.node = node
        self.resource = resource
        self.need = need
        self.have = have
        self.hint = hint


class MissingPackageError(Tern2LavaError):
    """An optional package that this action needs and that is not installed."""

    def __init__(self, package: str, how: str) -> None:
        super().__init__(f"{package} is not installed; {how}")
        self.package = package
        self.how = how


class PluginError(Tern2LavaError):
    """An entry of a registry that another distribution brings and that does not work."""

    def __init__(self, where: str, why: str) -> None:
        super().__init__(one_line(f"{where}: {why}"))
        self.where = where
        self.why = why


class PluginWarning(UserWarning):
    """A plugin that was left out, since it does not work."""


class NotKeptWarning(UserWarning):
    """A result that was given, but could not be added to its bundle, which may not be written."""


class LongRunWarning(UserWarning):
    """A run that is expected to take long, with how long and what makes it shorter."""


class Interrupted(KeyboardInterrupt):
    """Ctrl-C in long work; the text is one line that says what was done. Caught as any KeyboardInterrupt is."""


class StoppedError(Exception):
    """An interruption on its way out of the command line; its text is that of the Interrupted, or empty."""


class ClosedOutputError(Exception):
    """Whoever read the command line's output has closed it, as `| head` does."""


class VerificationError(Tern2LavaError):
    """Two executions of one program that cannot be compared, their traces having other populations or shapes."""

    exit_code = 1


class BackendError(Tern2LavaError):
    """A backend that did not finish, so that it says nothing of the network: Lava raised, died or took too long, or
    Ray lost a worker."""

    exit_code = 5
