"""The project's files agree with each other."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

import spinodal

HOME = Path(spinodal.__file__).parent.parent
PROJECT = HOME / "pyproject.toml"

pytestmark = pytest.mark.skipif(not PROJECT.is_file(), reason="not run from the repository")


def test_one_version() -> None:
    version = tomllib.loads(PROJECT.read_text())["project"]["version"]
    assert spinodal.__version__ == version
    assert f"\nversion: {version}\n" in (HOME / "CITATION.cff").read_text()


def test_every_extra_named_in_a_message_exists() -> None:
    extras = set(tomllib.loads(PROJECT.read_text())["project"]["optional-dependencies"])
    packages = ("theory", "numerics", "paper_figures", "spinodal")
    texts = [p.read_text() for name in packages for p in (HOME / name).rglob("*.py")]
    named = {extra for text in texts for extra in re.findall(r"spinodal\[(\w+)\]", text)}
    assert named <= extras


def test_modules_stay_readable_in_one_sitting() -> None:
    long = {p.name: n for p in (HOME / "spinodal").rglob("*.py") if (n := len(p.read_text().splitlines())) > 400}
    assert long == {}
