"""Couplings of blocks of sites from counts of differing bits, written for LLVM directly: the inner loop of exact
couplings."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from numerics.kernels.row_adds import spread

__all__ = ["COLUMNS", "ROWS", "differing", "put"]

ROWS = 8  # sites against ...
COLUMNS = 16  # ... so many others at once: 16 vectors of 8 counters stay in registers

_LANES = 8

_int = ir.IntType(32)
_long = ir.IntType(64)
_words = ir.VectorType(_long, _LANES)
_counts = ir.VectorType(_int, _LANES)


def _differing(typing_context: Any, bits: Any, i: Any, panels: Any, panel: Any, out: Any) -> Any:
    """Write into `out` (ROWS, COLUMNS) int32 in how many bits sites i, i+1, ... differ from those of a panel.

    `bits` (N, W) uint64; rows beyond the last stand for the last.  `panels` (n, W, COLUMNS) uint64 holds the words of
    COLUMNS sites side by side, so that one vector instruction compares a word of site i with 8 others.
    """
    signature = types.void(bits, types.int64, panels, types.int64, out)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        sites = context.make_array(bits)(context, builder, arguments[0])
        others = context.make_array(panels)(context, builder, arguments[2])
        found = context.make_array(out)(context, builder, arguments[4])
        N, W = (builder.extract_value(sites.shape, k) for k in range(2))
        end = builder.sub(N, _long(1))
        pointers = []
        for a in range(ROWS):
            index = builder.add(arguments[1], _long(a))
            index = builder.select(builder.icmp_signed("<", index, end), index, end)
            pointers.append(builder.gep(sites.data, [builder.mul(index, W)]))
        block = builder.gep(others.data, [builder.mul(arguments[3], builder.mul(W, _long(COLUMNS)))])
        pairs = [(a, b) for a in range(ROWS) for b in range(COLUMNS // _LANES)]
        none = ir.Constant(_words, [0] * _LANES)
        before = builder.block
        loop, after = builder.append_basic_block("count"), builder.append_basic_block("counted")
        builder.branch(loop)  # W > 0
        builder.position_at_end(loop)
        word = builder.phi(_long)
        word.add_incoming(_long(0), before)
        sums = []
        for _ in pairs:
            total = builder.phi(_words)
            total.add_incoming(none, before)
            sums.append(total)
        place = builder.gep(block, [builder.mul(word, _long(COLUMNS))])
        columns = []
        for b in range(COLUMNS // _LANES):
            vector = builder.bitcast(builder.gep(place, [_long(b * _LANES)]), _words.as_pointer())
            columns.append(builder.load(vector, align=8))
        rows = [spread(builder, builder.load(builder.gep(pointer, [word])), _LANES) for pointer in pointers]
        kind = ir.FunctionType(_words, [_words])
        population = cgutils.get_or_insert_function(builder.module, kind, f"llvm.ctpop.v{_LANES}i64")
        new = []
        for (a, b), total in zip(pairs, sums, strict=True):
            value = builder.add(total, builder.call(population, [builder.xor(rows[a], columns[b])]))
            total.add_incoming(value, loop)
            new.append(value)
        following = builder.add(word, _long(1))
        word.add_incoming(following, loop)
        builder.cbranch(builder.icmp_signed("<", following, W), loop, after)
        builder.position_at_end(after)
        for (a, b), total in zip(pairs, new, strict=True):
            place = builder.gep(found.data, [_long(a * COLUMNS + b * _LANES)])
            builder.store(builder.trunc(total, _counts), builder.bitcast(place, _counts.as_pointer()), align=4)
        return context.get_dummy_value()

    return signature, generate


def _put(typing_context: Any, counts: Any, base: Any, step: Any, out: Any, i: Any, j: Any) -> Any:
    """Write base - step * counts into the block of `out` (N, N) at (i, j), and its transpose into the one at (j, i)."""
    signature = types.void(counts, types.int32, types.int32, out, types.int64, types.int64)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        found = context.make_array(counts)(context, builder, arguments[0])
        matrix = context.make_array(out)(context, builder, arguments[3])
        N = builder.extract_value(matrix.shape, 0)
        base, step = (spread(builder, argument, _LANES) for argument in arguments[1:3])
        kind = ir.VectorType(ir.IntType(out.dtype.bitwidth), _LANES)

        def write(value: Any, row: Any, column: Any) -> None:
            place = builder.gep(matrix.data, [builder.add(builder.mul(row, N), column)])
            builder.store(value, builder.bitcast(place, kind.as_pointer()), align=out.dtype.bitwidth // 8)

        for b in range(0, COLUMNS, _LANES):
            left = builder.add(arguments[5], _long(b))
            block = []
            for a in range(ROWS):
                place = builder.gep(found.data, [_long(a * COLUMNS + b)])
                value = builder.load(builder.bitcast(place, _counts.as_pointer()), align=4)
                value = builder.sub(base, builder.mul(step, value))
                value = builder.trunc(value, kind) if out.dtype.bitwidth < 32 else value
                write(value, builder.add(arguments[4], _long(a)), left)
                block.append(value)
            for k, value in enumerate(_transposed(builder, block)):
                write(value, builder.add(left, _long(k)), arguments[4])
        return context.get_dummy_value()

    return signature, generate


def _transposed(builder: Any, rows: list[Any]) -> list[Any]:
    """Return the columns of 8 vectors of 8: exchange blocks of 1, then 2, then 4."""
    for size in (1, 2, 4):
        low = [k if not k & size else k - size + _LANES for k in range(_LANES)]
        high = [k + size if not k & size else k + _LANES for k in range(_LANES)]
        for r in range(_LANES):
            if not r & size:
                pair = rows[r], rows[r + size]
                rows[r] = builder.shuffle_vector(*pair, ir.Constant(_counts, low))
                rows[r + size] = builder.shuffle_vector(*pair, ir.Constant(_counts, high))
    return rows


differing: Callable[[Any, Any, Any, Any, Any], None] = intrinsic(_differing)
put: Callable[[Any, Any, Any, Any, Any, Any], None] = intrinsic(_put)
