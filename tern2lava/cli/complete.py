"""What a shell offers behind an option; nothing heavy is imported for it."""

from __future__ import annotations

from tern2lava.effort import EFFORTS


def targets(incomplete: str) -> list[str]:
    """The targets by name."""
    from tern2lava.hw_profiles.loader import TARGETS

    return _beginning(incomplete, TARGETS.names())


def exporters(incomplete: str) -> list[str]:
    """The formats of `export`."""
    from tern2lava.export.exporters import EXPORTERS

    return _beginning(incomplete, EXPORTERS.names())


def engines(incomplete: str) -> list[str]:
    """The engines of `simulate`."""
    from tern2lava.sim.engines import ENGINES

    return _beginning(incomplete, ENGINES.names())


def networks(incomplete: str) -> list[str]:
    """The networks of the zoo and their groups."""
    from tern2lava.zoo import ZOO

    return _beginning(incomplete, dict.fromkeys((*(net.group for net in ZOO.registered()), *ZOO.names())))


def efforts(incomplete: str) -> list[str]:
    """The presets of --effort."""
    return _beginning(incomplete, EFFORTS)


def verdicts(incomplete: str) -> list[str]:
    """The verdicts that --require names, after those that stand there already."""
    from tern2lava.report.requirements import NAMES

    before, comma, last = incomplete.rpartition(",")
    said = [word.partition("=")[0] for word in before.split(",")]
    return [before + comma + name for name in _beginning(last, NAMES) if name not in said]


def _beginning(incomplete: str, names: object) -> list[str]:
    return [name for name in names if str(name).startswith(incomplete)]  # type: ignore[attr-defined]
