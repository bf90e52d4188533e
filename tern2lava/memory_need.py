"""How much memory a step is about to take, held against what is there before anything is allocated.

The factors are bytes measured on the steps themselves (benchmarks/estimates.py, which holds estimate and measurement
together): they count what lives at the peak, beyond what the process held before.
"""

from __future__ import annotations

from pathlib import Path

from tern2lava.errors import InputError

SHARE = 0.8
"""Share of the available memory that a step may be expected to take: estimates may be too low by a quarter."""
SMALL = 1 << 26
"""Bytes that are taken without being asked about: what any process that imports numpy holds already."""

# Of version 2 and 1 of control groups: where they lie, the controller as /proc/self/cgroup names it, limit, what is
# taken, and how memory.stat calls the part of that which is page cache and is given back when it is needed.
_GROUPS = (
    ("/sys/fs/cgroup", "", "memory.max", "memory.current", ("inactive_file", "active_file")),
    (
        "/sys/fs/cgroup/memory", "memory", "memory.limit_in_bytes", "memory.usage_in_bytes",
        ("total_inactive_file", "total_active_file"),
    ),
)  # fmt: skip
_OWN_GROUPS = "/proc/self/cgroup"


def compiling(numbers: int, largest: int, neurons: int) -> int:
    """Bytes to compile: 8 for each of all `numbers` (weights and parameters) in two forms, 44 for each weight of the
    largest layer while its codes are found and its images packed, 16 for each neuron."""
    return 8 * numbers + 44 * largest + 16 * neurons


def simulating(values: int, kept: int, *, states: bool) -> int:
    """Bytes to run one piece of `values` neuron-timesteps (inputs counted) while traces of `kept` (inputs not counted)
    stay: a byte of spikes for each, inputs twice; u and v of 8 bytes each where states are asked for; what stays once
    more where pieces are joined."""
    return (4 + 16 * states) * values + (2 + 32 * states) * kept


def verifying(values: int) -> int:
    """Bytes to compare the executions on one shard of `values` neuron-timesteps (inputs counted): spikes, u and v of
    two integer executions at a time, the float model's potentials and their error bounds."""
    return 80 * values


def available() -> int | None:
    """Bytes that this process can still take: the least of the machine's MemAvailable, what its control group leaves
    and what its address-space limit (ulimit -v) leaves. None where the system tells none of them."""
    found = [value for value in (_machine(), _group(), _address_space()) if value is not None]
    return max(0, min(found)) if found else None


def require_memory(where: object, what: str, need: int, hint: str) -> None:
    """Raise InputError where `need` bytes for `what` are more than SHARE of what is available: nothing is begun that
    the system would kill. hint: what to do, that keeps the user's network."""
    if need <= SMALL:
        return
    left = available()
    if left is not None and need > SHARE * left:
        raise InputError(
            where, f"requires about {in_words(need)} of memory to {what}; found {in_words(left)} available, of which "
            f"{SHARE:.0%} may be taken; {hint}"
        )  # fmt: skip


def out_of_memory(where: object, error: BaseException) -> InputError:
    """The one line for an allocation that failed in the function or command `where`."""
    told = " ".join(str(error).split())[:120]
    left = available()
    there = "" if left is None else f" with {in_words(left)} available"
    return InputError(
        where, f"requires more memory than there is; found an allocation that failed{there}"
        f"{f' ({told})' if told else ''}; {hint_for(str(where))}"
    )  # fmt: skip


def hint_for(step: str) -> str:
    """What to do where the function or command called `step` lacks memory."""
    if step in ("simulate", "verify", "record"):
        return "give it fewer samples or steps at a time, or a machine with more memory"
    return "use a machine with more memory, or raise its limit (ulimit -v)"


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an exception says that an allocation failed: Python's, numpy's and torch's do so differently."""
    if isinstance(error, MemoryError):
        return True
    return isinstance(error, RuntimeError) and "can't allocate memory" in str(error)


def in_words(count: int) -> str:
    """Bytes as text in decimal units, three digits: 7.20 GB."""
    for unit, size in (("TB", 10**12), ("GB", 10**9), ("MB", 10**6)):
        if count >= size:
            return f"{count / size:,.3g} {unit}" if count < 1000 * size else f"{count / size:,.0f} {unit}"
    return f"{count / 1000:,.3g} kB"


def _machine() -> int | None:
    for line in _text("/proc/meminfo").splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    return None


def _group() -> int | None:
    """What the control group of this process and those above it leave, page cache counted as free."""
    lines = [line.split(":", 2) for line in _text(_OWN_GROUPS).splitlines()]
    found = []
    for root, controller, limit, used, cache in _GROUPS:
        own = [path.strip("/") for _, names, path in lines if controller in names.split(",")]
        # In a container the path may be that of outside; the root is then the container's own.
        for place in {folder for path in ("", *own) for folder in (Path(root, path), *Path(root, path).parents)}:
            most, now = _text(place / limit).strip(), _text(place / used).strip()
            # Version 1 writes a number beyond any memory where there is no limit.
            if most.isdigit() and now.isdigit() and int(most) < 1 << 60:
                stat = dict(line.split()[:2] for line in _text(place / "memory.stat").splitlines())
                found.append(int(most) - int(now) + sum(int(stat.get(name, 0)) for name in cache))
    return min(found, default=None)


def _address_space() -> int | None:
    try:
        import resource
    except ImportError:  # not a Unix
        return None
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    if limit == resource.RLIM_INFINITY:
        return None
    for line in _text("/proc/self/status").splitlines():
        if line.startswith("VmSize:"):
            return limit - int(line.split()[1]) * 1024
    return limit


def _text(path: str | Path) -> str:
    try:
        return Path(path).read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError):
        return ""
