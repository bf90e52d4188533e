"""The files of a bundle as its manifest lists them: each is there, and no other; none is a link or was changed.

A file is read once, and its digest is compared before anything in it is parsed.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path, PurePosixPath
from typing import Any

from pydantic import ValidationError

from tern2lava.bundle.manifest import FORMAT, HOST_IMAGE, MANIFEST, PROFILE, REPORT, TOOL
from tern2lava.bundle.seal import is_sealed, short, unsealed
from tern2lava.counts import count
from tern2lava.errors import InputError
from tern2lava.files.json_text import parse_json
from tern2lava.files.opening import GIB, MIB, FileError, Kind, open_file
from tern2lava.report.model import SCHEMA, Report
from tern2lava.writing import is_leftover

AGAIN = "compile again"
# How large a file may be its manifest says.
FILE = Kind("a file of a bundle", 1 << 62)
MOST = 4 * GIB
"""Bytes of a file that a manifest may list."""
# A manifest has 150 bytes for each core image, a report 600: as many as 200,000 cores, more than any target has.
TEXTS = {
    MANIFEST: Kind("a bundle's manifest", 64 * MIB, larger=AGAIN),
    REPORT: Kind("a bundle's report", 128 * MIB, larger=AGAIN),
}
NEEDED = (
    *(f"graphs/{name}.{kind}" for name in ("imported", "real", "program") for kind in ("json", "npz")),
    *(HOST_IMAGE, PROFILE),
)
"""Files that every bundle has, beside its core images."""
NOT_KEPT = ("ir/",)
"""What people alone read: it is checked and let go."""
_DIGEST = re.compile(r"[0-9a-f]{64}")
_SCHEMA = re.compile(rb'\{\s*"schema_version": "([0-9.]{1,12})"')


@dataclass(frozen=True, eq=False, kw_only=True)
class Sealed:
    """What a folder holds, checked. digest: the bundle's, which is that of its manifest; files: content by name, of all
    but manifest, report and NOT_KEPT."""

    manifest: dict[str, Any]
    digest: str
    report: Report
    files: Mapping[str, bytes]


def read_sealed(folder: Path) -> Sealed:
    """The files of the bundle in `folder`. Raises InputError naming the first that is missing, is one more, is a link,
    has another size or was changed, or that belongs to another bundle."""
    before = None
    while True:
        now = _content(folder, MANIFEST)
        try:
            return _checked(folder, now)
        except InputError:
            # Where another compilation replaced the bundle meanwhile, files of both were seen: the new one is read.
            if now == before or digest_in(folder) in (None, _digest(now)):
                raise
            before = now


def digest_in(folder: Path) -> str | None:
    """The digest of the bundle in `folder`, as its manifest has it; None where there is none, or one that was changed.

    The other files are not looked at."""
    try:
        return _digest(_content(folder, MANIFEST))
    except InputError:
        return None


def _digest(manifest: bytes) -> str | None:
    found = unsealed(manifest)
    return None if found is None else found[1]


def _checked(folder: Path, data: bytes) -> Sealed:
    manifest, digest = _manifest(folder / MANIFEST, data)
    entries = _entries(folder / MANIFEST, manifest)
    # First, so that a manifest of another bundle is not taken for damage of the files that it does not list.
    report = _report(folder, digest)
    _check_names(folder, [MANIFEST, REPORT, *entries])
    files = {}
    for name, (size, wanted) in entries.items():
        content = _content(folder, name, size)
        found = sha256(content).hexdigest()
        if found != wanted:
            raise InputError(
                folder / name,
                f"requires the bytes that were written, of SHA-256 {short(wanted)}; found others, of {short(found)}; "
                f"{AGAIN}",
            )
        if not name.startswith(NOT_KEPT):
            files[name] = content
    return Sealed(manifest=manifest, digest=digest, report=report, files=files)


def _content(folder: Path, name: str, size: int | None = None) -> bytes:
    """The bytes of a file of the bundle; where `size` is given, nothing is read of one that has another."""
    path = folder / name
    try:
        found = os.lstat(path)
        if _is_link(found):
            raise _linked(path)
        with open_file(path, TEXTS.get(name, FILE)) as file:
            if size is not None and file.size != size:
                raise InputError(
                    path, f"requires {count(size, 'byte')}, as when it was written; found {file.size:,}; {AGAIN}"
                )
            return file.read_exactly(file.size, 0)
    except FileError as error:
        raise error if stat.S_ISREG(found.st_mode) else error.instead(AGAIN) from None
    except (FileNotFoundError, NotADirectoryError):
        if name == MANIFEST:
            raise InputError(
                folder, f"requires the folder of a bundle; found no {MANIFEST} in it; make one with 'tern2lava compile'"
            ) from None
        raise _missing(path) from None
    except (OSError, ValueError) as error:
        said = getattr(error, "strerror", None) or "a name that no file can have"
        raise InputError(path, f"requires a file that can be read; found {said}; check path and permissions") from None


def _manifest(path: Path, data: bytes) -> tuple[dict[str, Any], str]:
    """The manifest and its digest."""
    found = unsealed(data)
    changed = InputError(path, f"requires the text that was written; found one that its digest does not fit; {AGAIN}")
    if found is None and is_sealed(data):
        raise changed
    try:
        manifest = parse_json(data if found is None else found[0], path, TEXTS[MANIFEST])
    except FileError as error:
        raise error.instead(AGAIN) from None
    if not isinstance(manifest, dict) or manifest.get("tool") != TOOL:
        raise InputError(path, f"requires a bundle manifest of format {FORMAT}; found another file; {AGAIN}")
    if manifest.get("format") != FORMAT:
        found_format = f"format {manifest.get('format')!s:.20}"
        raise InputError(path, f"requires a bundle manifest of format {FORMAT}; found {found_format}; {AGAIN}")
    if found is None:
        raise changed
    return manifest, found[1]


def _entries(path: Path, manifest: Mapping[str, Any]) -> dict[str, tuple[int, str]]:
    """Bytes and SHA-256 of the files that the manifest lists, by name."""
    listed, images = manifest.get("files"), manifest.get("images")
    entries = {}
    for name, entry in listed.items() if isinstance(listed, dict) else ():
        size, digest = (entry.get("bytes"), entry.get("sha256")) if isinstance(entry, dict) else (None, None)
        if (
            type(size) is not int
            or not 0 <= size <= MOST
            or not isinstance(digest, str)
            or not _DIGEST.fullmatch(digest)
        ):
            raise InputError(path, f"requires bytes and SHA-256 of each file; found others of {name!r:.60}; {AGAIN}")
        entries[name] = (size, digest)
    for name in (*NEEDED, *(images if isinstance(images, list) else [None])):
        if not isinstance(name, str) or name not in entries:
            raise InputError(path, f"requires a list of the bundle's files; found no {name or 'images'} in it; {AGAIN}")
    return entries


def _report(folder: Path, digest: str) -> Report:
    """The report, which must be that of the bundle of this digest."""
    path = folder / REPORT
    found = unsealed(_content(folder, REPORT))
    if found is None:
        raise InputError(path, f"requires the text that was written; found one that its digest does not fit; {AGAIN}")
    other = _schema(found[0])
    if other != SCHEMA:
        raise InputError(
            path,
            f"requires a report of schema {SCHEMA}, which this version of tern2lava reads; found schema {other}; "
            f"{AGAIN}, or use the version that its key `version` names",
        )
    try:
        report = Report.model_validate_json(found[0])
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        key = ".".join(map(str, first["loc"]))
        raise InputError(
            path, f"requires a report as this version writes it; found {key}: {first['msg'].lower()}; {AGAIN}"
        ) from None
    if report.bundle != digest:
        raise InputError(
            path,
            f"requires the report of this bundle, {short(digest)} by {MANIFEST}; found that of bundle "
            f"{short(report.bundle)}; put back the file that belongs here, or {AGAIN}",
        )
    return report


def _schema(text: bytes) -> str:
    """Which schema a report names in its first key; "none" where it names none, as reports did before there was one."""
    found = _SCHEMA.match(text)
    return "none" if found is None else found[1].decode()


def _check_names(folder: Path, names: list[str]) -> None:
    """Raise InputError unless these files and no other are in `folder`, none of them by a link."""
    found = dict(_walk(folder, "", {str(parent) for name in names for parent in PurePosixPath(name).parents}))
    for name in names:
        if name not in found:
            raise _missing(folder / name)
    for name in sorted(set(found) - set(names)):
        raise InputError(
            folder / name,
            f"requires the files that {MANIFEST} lists and no other; found one more; move it out of the bundle",
        )


def _walk(folder: Path, below: str, folders: set[str]) -> Iterator[tuple[str, os.DirEntry[str]]]:
    """Everything in `folder` by its name there, but what a killed run left; of folders only the content of `folders` is
    looked at. Raises InputError for a link."""
    try:
        with os.scandir(folder / below) as listing:
            entries = sorted(listing, key=lambda entry: entry.name)
        for entry in entries:
            name = f"{below}{entry.name}"
            if entry.is_symlink() or _is_link(entry.stat(follow_symlinks=False)):
                raise _linked(folder / name)
            if name in folders and entry.is_dir(follow_symlinks=False):
                yield from _walk(folder, f"{name}/", folders)
            elif below or not is_leftover(entry.name):
                yield name, entry
    except OSError as error:
        raise InputError(
            folder / below,
            f"requires a folder that can be read; found {error.strerror or error}; check its permissions",
        ) from None


def _is_link(found: os.stat_result) -> bool:
    """Whether this leads elsewhere: a symbolic link, or a junction of Windows."""
    junction = getattr(stat, "IO_REPARSE_TAG_MOUNT_POINT", 0)
    return stat.S_ISLNK(found.st_mode) or (junction != 0 and getattr(found, "st_reparse_tag", 0) == junction)


def _linked(path: Path) -> InputError:
    return InputError(
        path, "requires the files themselves in a bundle; found a link; put what it leads to in its place"
    )


def _missing(path: Path) -> InputError:
    return InputError(path, f"requires every file that {MANIFEST} lists; found none there; {AGAIN}")
