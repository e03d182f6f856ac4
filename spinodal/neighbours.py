"""Check that the packages `theory`, `numerics` and `paper_figures` are the ones that stand beside this one.

Their names are ordinary words: a file `theory.py` in the folder where a script runs would be imported instead,
and what then fails, fails far from the cause.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path

__all__ = ["check"]

PACKAGES = ("theory", "numerics", "paper_figures")


def check(packages: tuple[str, ...] = PACKAGES) -> None:
    """Raise ImportError, naming the file in the way, unless every package is the one beside this folder.

    Nothing is imported: only the places where Python would look are asked.

    Examples
    --------
    >>> check()
    """
    home = Path(__file__).resolve().parent.parent
    for name in packages:
        try:
            spec = importlib.util.find_spec(name)
        except ValueError:  # a module made by hand, without a spec
            spec = None
        found = _place(spec.origin, spec.submodule_search_locations) if spec is not None else None
        wanted = home / name
        if found is None:
            raise ImportError(f"the package '{name}' of spinodal is missing from '{home}'; install spinodal again.")
        if found.parent != wanted and found != wanted:
            raise ImportError(
                f"'{found}' hides the package '{name}' of spinodal (expected '{wanted}'); "
                "rename or move it, or run from another folder."
            )


def _place(origin: str | None, locations: object) -> Path | None:
    """File of a module or package; the folder of a package without `__init__`."""
    if origin is not None and origin not in ("namespace", "built-in", "frozen"):
        return Path(origin).resolve()
    folders = [Path(str(folder)).resolve() for folder in locations] if hasattr(locations, "__iter__") else []
    return folders[0] if folders else None
