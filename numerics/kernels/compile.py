"""The one way kernels are compiled: cached on disk, C division rules, and without the interpreter lock."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

__all__ = ["borrowing", "inlined", "kernel", "merged", "ones", "summed"]

F = TypeVar("F", bound=Callable[..., Any])


def kernel(function: F) -> F:
    """Compile `function` on first use for the argument types it meets.

    The cache notices changes of the file that defines `function`, not of files that it calls into: after
    editing philox.py remove the `__pycache__` folder beside it.
    """
    return cast(F, numba.njit(cache=True, error_model="numpy", nogil=True)(function))


def inlined(function: F) -> F:
    """Compile `function` as part of the kernels that call it."""
    return cast(F, numba.njit(inline="always", error_model="numpy", nogil=True)(function))


def merged(function: F) -> F:
    """Compile `function` like a kernel, its machine code merged into that of every caller.

    A call with array arguments costs 10 to 20 ns otherwise.  Unlike those of :func:`inlined`, branches that ask whether
    an argument is None are dropped.
    """
    return cast(F, numba.njit(forceinline=True, error_model="numpy", nogil=True)(function))


def borrowing(function: F) -> F:
    """Compile `function` like :func:`merged`, for functions that neither make arrays nor slice them.

    References are not counted in it: an atomic operation at each mention of an array in a tuple costs more than short
    loops do.
    """
    return cast(F, numba.njit(forceinline=True, error_model="numpy", nogil=True, _nrt=False)(function))


def summed(function: F) -> F:
    """Compile `function` like :func:`merged`, its sums in whatever order is quickest: vectors of partial sums.

    Divisions, zeros' signs apart, infinities and NaN keep their meaning.
    """
    quick = {"reassoc", "contract", "nsz"}
    return cast(F, numba.njit(forceinline=True, error_model="numpy", nogil=True, fastmath=quick)(function))


def _ones(typing_context: Any, word: Any) -> Any:
    """Count the one bits of a 64-bit word; LLVM makes vector instructions of it where they exist."""
    signature = types.uint64(types.uint64)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        count = builder.module.declare_intrinsic("llvm.ctpop", [ir.IntType(64)])
        return builder.call(count, [arguments[0]])

    return signature, generate


ones: Callable[[Any], Any] = intrinsic(_ones)
