"""The figures of this package by paper and name, and the one function that draws them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import ModuleType

from numerics.files import folder
from numerics.progress import reporting
from paper_figures import style
from paper_figures.store import fulfil, read_archive, write_archive
from theory.errors import InvalidInput, nearest

__all__ = ["Entry", "archive_of", "catalogue", "collect", "draw"]

Progress = Callable[[str, int, int], None]

_FILES = (".pdf", ".png", ".svg", ".eps", ".jpg", ".jpeg")
_FIGURES = (
    ("negri2023", "phase-diagram"),
    ("negri2023", "magnetisations"),
    ("negri2023", "decisive"),
    ("kalaj2024", "mixture-spinodals"),
    ("kalaj2024", "unseen"),
    ("kalaj2024", "unseen-map"),
    ("nicoletti2025", "order-parameters"),
    ("nicoletti2025", "replicons"),
    ("nicoletti2025", "phase-diagrams"),
    ("nicoletti2025", "one-step"),
    ("nicoletti2025", "local-fields"),
    ("nicoletti2025", "hessian-densities"),
    ("nicoletti2025", "participation"),
    ("vector-thresholds", "dimension"),
    ("pham2025", "landscapes"),
    ("pham2025", "fractions"),
    ("pham2025", "classes"),
    ("bonnaire2025", "spectrum"),
    ("bonnaire2025", "losses"),
    ("bonnaire2025", "times"),
    ("bonnaire2025", "regimes"),
)


@dataclass(frozen=True)
class Entry:
    """A figure.

    Attributes
    ----------
    paper, name : str
        A published paper, or a subject of our own.
    claim : str
        What the figure shows.
    cost : str
        Time to redraw it, and to compute everything anew.
    tolerance : str
        How close what is compared must come.
    """

    paper: str
    name: str
    claim: str
    cost: str
    tolerance: str

    @property
    def module(self) -> ModuleType:
        """The module with its `spec` and `draw`."""
        return _module(self.paper, self.name)


def catalogue() -> list[Entry]:
    """Return all figures.

    Examples
    --------
    >>> [entry.name for entry in catalogue() if entry.paper == "negri2023"][0]
    'phase-diagram'
    """
    found = []
    for paper, name in _FIGURES:
        module = _module(paper, name)
        found.append(Entry(paper, name, module.CLAIM, module.COST, module.TOLERANCE))
    return found


def draw(
    paper: str,
    fig: str | None = None,
    *,
    quick: bool = False,
    out: Path = Path("figures"),
    fresh: bool = False,
    workers: int | None = None,
    progress: Progress | None = None,
) -> list[Path]:
    """Draw the figures of a paper as PDF and PNG.

    Theory is solved anew each time.  Simulations come from ``out/records`` (made by an earlier, perhaps
    interrupted, run), else from the records that come with the package, else they are run.

    Parameters
    ----------
    paper : str
    fig : str, optional
        One figure; all by default.
    quick : bool
        A smaller set of simulations, never taken from the package's records.
    out : Path
        Folder of the files; made if need be.
    fresh : bool
        Leave the package's records aside: run every simulation that ``out/records`` lacks.
    workers : int, optional
        Threads of a simulation; all cores by default.
    progress : callable, optional
        Called as ``progress(label, done, total)``; by default it is told on stderr.

    Returns
    -------
    list of Path
        Files written.

    Raises
    ------
    InvalidInput
        For an unknown paper or figure, a file in the place of a folder, or a folder that cannot be written.
    """
    entries = _chosen(paper, fig)
    if out.suffix.lower() in _FILES and not out.is_dir():
        raise InvalidInput(
            f"'{out}' is the name of a file, but figures come as PDF and PNG of their own names; give their folder, as "
            f"'{out.parent}'."
        )
    folder(out)
    cores = workers if workers is not None else len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1
    written = []
    for entry in entries:
        sizes = entry.module.QUICK if quick else entry.module.FULL
        spec = entry.module.spec(sizes)
        with _telling(progress, f"{entry.paper} {entry.name}") as tell:
            records = fulfil(
                spec.all_simulations(),
                store=out / "records",
                archive=None if quick or fresh else archive_of(entry.paper, entry.name),
                workers=cores,
                progress=tell,
            )
            results = spec.results(records, progress=tell)
        with style.styled():
            written += style.save(entry.module.draw(results), out, f"{entry.paper}-{entry.name}")
    return written


def archive_of(paper: str, name: str) -> Path:
    """Where the records that come with the package are."""
    return Path(__file__).parent / paper.replace("-", "_") / "records" / f"{name}.jsonl"


def collect(paper: str, fig: str, out: Path) -> int:
    """Make the records of a full run in `out` the ones that come with the package; return their number.

    Raises
    ------
    InvalidInput
        If the run is not complete.
    """
    (entry,) = _chosen(paper, fig)
    wanted = entry.module.spec(entry.module.FULL).all_simulations()
    archive = archive_of(paper, fig)
    known = read_archive(archive)
    missing = [s for s in wanted if not (out / "records" / f"{s.key}.json").exists() and s.key not in known]
    if missing:
        raise InvalidInput(
            f"{len(missing)} of {len(wanted)} records are not in '{out}' yet; draw the figure there first."
        )
    records = fulfil(wanted, store=out / "records", archive=archive, progress=lambda label, done, total: None)
    write_archive(archive, records)
    return len(records)


@contextmanager
def _telling(progress: Progress | None, title: str) -> Iterator[Progress]:
    if progress is not None:
        yield progress
        return
    with reporting(title) as tell:
        yield tell


def _module(paper: str, name: str) -> ModuleType:
    return import_module(f"paper_figures.{paper}.fig_{name}".replace("-", "_"))


def _chosen(paper: str, fig: str | None) -> list[Entry]:
    entries = catalogue()
    papers = sorted({e.paper for e in entries})
    _check("paper", paper, papers)
    here = [e for e in entries if e.paper == paper]
    if fig is not None:
        _check(f"figure of {paper}", fig, [e.name for e in here])
    return [e for e in here if fig in (None, e.name)]


def _check(kind: str, word: str, choices: list[str]) -> None:
    if word not in choices:
        close = nearest(word, choices)
        hint = f"; did you mean '{close}'?" if close else "."
        raise InvalidInput(f"{kind} '{word}' is unknown; choose one of {', '.join(choices)}{hint}")
