"""CUDA sources of the GPU backend, read as text: the device, a compile-only test and the CPU emulator of the tests all
take the same program from here."""

from __future__ import annotations

import re
from importlib import resources

__all__ = ["PROGRAMS", "source"]

PROGRAMS = ("quench", "sampling", "lazy", "overlap", "products")


def source(program: str) -> str:
    """Return the text of `program`.cu with its headers put in place of the include lines, each once.

    The text stands alone, so a cache of compiled programs that is keyed by text notices every change of a header.

    Examples
    --------
    >>> '#include "' in source("quench")
    False
    """
    seen: set[str] = set()

    def expand(name: str) -> str:
        text = resources.files(__name__).joinpath(name).read_text(encoding="utf-8").replace("#pragma once\n", "")

        def include(match: re.Match[str]) -> str:
            header = match.group(1)
            if header in seen:
                return ""
            seen.add(header)
            return expand(header)

        return re.sub(r'^#include "([^"]+)"\n', include, text, flags=re.MULTILINE)

    return expand(f"{program}.cu")
