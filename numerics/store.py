"""A folder of records that is its own queue: missing = wanted minus valid, and nothing else is remembered.

A record is written whole, with a checksum, the moment it is computed, so a killed run loses what it was at and no
more.  Who computes a record claims it first by a small file, which is kept fresh while he lives; claims of the dead
are taken over.  Claims only save work: were a record computed twice after all, both would be the same.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import threading
import time
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from numerics import records
from numerics.files import folder
from theory.errors import InvalidInput

__all__ = ["BEAT", "STALE_AFTER", "Store"]

# Seconds between signs of life of a claim, and without one after which its owner counts as dead.
BEAT, STALE_AFTER = 10.0, 120.0


class Store:
    """Records and claims by name in one folder.

    Parameters
    ----------
    place : path
        The folder; made when the first record is written.

    Examples
    --------
    >>> import tempfile
    >>> store = Store(Path(tempfile.mkdtemp()) / "runs")
    >>> with store.claimed("a") as mine:
    ...     store.save("a", {"m": 0.5})
    >>> mine, store.load("a"), store.load("b")
    (True, {'m': 0.5}, None)
    """

    def __init__(self, place: Path | str) -> None:
        self.place = Path(place)
        self._held: dict[str, str] = {}
        self._lock = threading.Lock()
        self._stop: threading.Event | None = None

    def path(self, name: str) -> Path:
        """Return the file of a record."""
        return self.place / f"{name}.json"

    def names(self) -> list[str]:
        """Return the names of all records, valid or not."""
        return sorted(p.stem for p in self.place.glob("*.json") if not p.name.startswith("."))

    def load(self, name: str) -> dict[str, Any] | None:
        """Return the record of that name; None if it is absent, truncated or altered."""
        try:
            return records.read(self.path(name))
        except InvalidInput:
            return None

    def save(self, name: str, data: Mapping[str, Any]) -> None:
        """Write a record, whole or not at all.

        Raises
        ------
        InvalidInput
            If the folder cannot be written to.
        """
        if not self.place.is_dir():
            folder(self.place)
        records.write(self.path(name), data)

    def set_aside(self, name: str) -> None:
        """Move a damaged record out of the way, into the folder `damaged`."""
        folder(self.place / "damaged")
        with contextlib.suppress(FileNotFoundError):  # somebody else did
            os.replace(self.path(name), self.place / "damaged" / f"{name}.json")

    def tidy(self) -> None:
        """Remove drafts that killed runs left."""
        for draft in [*self.place.glob(".*"), *(self.place / "claims").glob(".*")]:
            with contextlib.suppress(OSError):
                if time.time() - draft.stat().st_mtime > STALE_AFTER:
                    draft.unlink()

    @contextlib.contextmanager
    def claimed(self, name: str) -> Iterator[bool]:
        """Claim a record for the length of the block; yield whether it was free."""
        mine = self.claim(name)
        try:
            yield mine
        finally:
            if mine:
                self.release(name)

    def claim(self, name: str) -> bool:
        """Claim a record that is going to be computed; return False if somebody alive has claimed it."""
        path = self._claim_path(name)
        if not path.parent.is_dir():
            folder(path.parent)
        token = uuid.uuid4().hex
        content = json.dumps({"token": token, **_myself()})
        for _ in range(2):
            if _create(path, content):
                with self._lock:
                    self._held[name] = token
                    self._keep_alive()
                return True
            if not self._remove_stale(path):
                return False
        return False

    def release(self, name: str) -> None:
        """Give a claim back."""
        with self._lock:
            token = self._held.pop(name, None)
        path = self._claim_path(name)
        if token is not None and _read(path).get("token") == token:  # not taken over in the meantime
            path.unlink(missing_ok=True)

    def claims(self) -> list[str]:
        """Return the names that somebody alive has claimed."""
        found = sorted((self.place / "claims").glob("*.claim"))
        return [p.stem for p in found if not _stale(p, _read(p))]

    def _claim_path(self, name: str) -> Path:
        return self.place / "claims" / f"{name}.claim"

    def _remove_stale(self, path: Path) -> bool:
        """Remove the claim of a dead owner; return False if the owner lives."""
        seen = _read(path)
        if not _stale(path, seen):
            return False
        # Of several who see the same dead claim, each moves away what stands there now; whoever then holds another
        # one than he saw, a living one, puts it back.
        aside = path.with_name(f".{path.stem}-{uuid.uuid4().hex}")
        try:
            os.rename(path, aside)
        except FileNotFoundError:
            return True
        if _read(aside).get("token") != seen.get("token"):
            with contextlib.suppress(OSError):
                os.link(aside, path)
        aside.unlink(missing_ok=True)
        return True

    def _keep_alive(self) -> None:
        """Start the thread that touches the claims held, unless it runs; the caller has the lock."""
        if self._stop is None:
            self._stop = threading.Event()
            threading.Thread(target=self._beat, args=(self._stop,), daemon=True).start()

    def _beat(self, stop: threading.Event) -> None:
        while True:
            stop.wait(BEAT)
            with self._lock:
                held = list(self._held)
                if not held:  # the next claim starts another thread
                    self._stop = None
                    return
            for name in held:
                with contextlib.suppress(OSError):
                    os.utime(self._claim_path(name))


def _create(path: Path, content: str) -> bool:
    """Create a file with content if there is none; readers never see it empty."""
    draft = path.with_name(f".{path.stem}-{uuid.uuid4().hex}")
    draft.write_text(content, encoding="utf-8")
    try:
        os.link(draft, path)
    except FileExistsError:
        return False
    except OSError:  # no hard links on this file system
        return _create_exclusively(path, content)
    finally:
        draft.unlink(missing_ok=True)
    return True


def _create_exclusively(path: Path, content: str) -> bool:
    try:
        with path.open("x", encoding="utf-8") as stream:
            stream.write(content)
    except FileExistsError:
        return False
    return True


def _read(path: Path) -> dict[str, Any]:
    """Content of a claim; empty if it is gone or damaged."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _stale(path: Path, claim: Mapping[str, Any]) -> bool:
    try:
        age = time.time() - path.stat().st_mtime
    except FileNotFoundError:
        return True
    if age > STALE_AFTER:
        return True
    me = _myself()
    return claim.get("place") == me["place"] and _born(claim.get("pid")) != claim.get("born")


def _myself() -> dict[str, Any]:
    return {"place": _place(), "pid": os.getpid(), "born": _born(os.getpid())}


def _place() -> str:
    """Where process numbers mean something: this boot of this machine, this container."""
    found = [socket.gethostname()]
    with contextlib.suppress(OSError):
        found.append(Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip())
        found.append(os.readlink("/proc/self/ns/pid"))
    return " ".join(found)


def _born(pid: Any) -> str | None:
    """Tell a process from a later one with its number; None if there is no such process."""
    if not isinstance(pid, int):
        return None
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
        state, start = (stat.rpartition(")")[2].split()[k] for k in (0, 19))
        return None if state in "ZX" else start
    except (OSError, IndexError):
        if Path("/proc/self/stat").exists():
            return None
    try:  # not Linux
        os.kill(pid, 0)
    except ProcessLookupError:
        return None
    except OSError:
        pass
    return "alive"
