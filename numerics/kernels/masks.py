"""What numba does not vectorise by itself: sums over the set bits of packed patterns, and prefetching.

Each function becomes a loop of vector instructions: 16 bits are a mask of 16 lanes, which AVX-512 takes as it is and
other processors expand.  Addresses and lengths are the caller's responsibility.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from numerics.kernels.row_adds import LANES, ask, spread, vector_at

__all__ = ["add_signs", "prefetch", "sum_where_set"]

_UNROLLED = 4  # independent sums, to hide the latency of an addition: one 64-bit word per turn

_half = ir.IntType(16)
_int = ir.IntType(32)
_long = ir.IntType(64)
_vector = ir.VectorType(_int, LANES)
_mask = ir.VectorType(ir.IntType(1), LANES)
_nothing = ir.Constant(_vector, [0] * LANES)


def _prefetch(typing_context: Any, address: Any) -> Any:
    """Ask for the cache line at `address`, into the second-level cache."""
    signature = types.void(types.uintp)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        ask(builder, arguments[0])
        return context.get_dummy_value()

    return signature, generate


def _sum_where_set(typing_context: Any, bits: Any, values: Any, words: Any, wide: Any) -> Any:
    """Sum int32 `values` over the set bits of `words` > 0 words; both given by address.

    Each lane adds up `words` values in 32 bits; `wide` says that their sum over lanes needs more.
    """
    signature = types.int64(types.uintp, types.uintp, types.int64, types.boolean)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        masks = builder.inttoptr(arguments[0], _half.as_pointer())
        numbers = builder.inttoptr(arguments[1], _int.as_pointer())
        before = builder.block
        loop, after = builder.append_basic_block("sum"), builder.append_basic_block("summed")
        builder.branch(loop)
        builder.position_at_end(loop)
        word = builder.phi(_long)
        word.add_incoming(_long(0), before)
        sums = [builder.phi(_vector) for _ in range(_UNROLLED)]
        for total in sums:
            total.add_incoming(_nothing, before)
        new = []
        for lane, total in enumerate(sums):
            mask, place = _chunk(builder, masks, numbers, word, lane)
            value = builder.load(place, align=4)
            new.append(builder.add(total, builder.select(mask, value, _nothing)))
        following = builder.add(word, _long(1))
        word.add_incoming(following, loop)
        for total, value in zip(sums, new, strict=True):
            total.add_incoming(value, loop)
        builder.cbranch(builder.icmp_signed("<", following, arguments[2]), loop, after)
        builder.position_at_end(after)
        result = cgutils.alloca_once(builder, _long)
        with builder.if_else(arguments[3]) as (wide, narrow):
            with wide:
                longer = [builder.sext(value, ir.VectorType(_long, LANES)) for value in new]
                builder.store(_sum_of_lanes(builder, longer), result)
            with narrow:
                builder.store(builder.sext(_sum_of_lanes(builder, new), _long), result)
        return builder.load(result)

    return signature, generate


def _add_signs(typing_context: Any, bits: Any, values: Any, words: Any, step: Any) -> Any:
    """Add `step` to int32 `values` where bits are set and subtract it elsewhere, `words` > 0 words."""
    signature = types.void(types.uintp, types.uintp, types.int64, types.int32)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        masks = builder.inttoptr(arguments[0], _half.as_pointer())
        numbers = builder.inttoptr(arguments[1], _int.as_pointer())
        plus = spread(builder, arguments[3], LANES)
        minus = spread(builder, builder.neg(arguments[3]), LANES)
        before = builder.block
        loop, after = builder.append_basic_block("add"), builder.append_basic_block("added")
        builder.branch(loop)
        builder.position_at_end(loop)
        word = builder.phi(_long)
        word.add_incoming(_long(0), before)
        for lane in range(_UNROLLED):
            mask, place = _chunk(builder, masks, numbers, word, lane)
            value = builder.add(builder.load(place, align=4), builder.select(mask, plus, minus))
            builder.store(value, place, align=4)
        following = builder.add(word, _long(1))
        word.add_incoming(following, loop)
        builder.cbranch(builder.icmp_signed("<", following, arguments[2]), loop, after)
        builder.position_at_end(after)
        return context.get_dummy_value()

    return signature, generate


def _sum_of_lanes(builder: Any, parts: list[Any]) -> Any:
    total = builder.add(builder.add(parts[0], parts[1]), builder.add(parts[2], parts[3]))
    kind = total.type
    name = f"llvm.vector.reduce.add.v{LANES}{kind.element.intrinsic_name}"
    function = cgutils.get_or_insert_function(builder.module, ir.FunctionType(kind.element, [kind]), name)
    return builder.call(function, [total])


def _chunk(builder: Any, masks: Any, numbers: Any, word: Any, lane: int) -> tuple[Any, Any]:
    """Return the mask of 16 bits and the place of the 16 numbers it refers to."""
    index = builder.add(builder.mul(word, _long(_UNROLLED)), _long(lane))
    mask = builder.bitcast(builder.load(builder.gep(masks, [index])), _mask)
    return mask, vector_at(builder, numbers, builder.mul(index, _long(LANES)), LANES)


prefetch: Callable[[Any], Any] = intrinsic(_prefetch)
sum_where_set: Callable[[Any, Any, Any, Any], Any] = intrinsic(_sum_where_set)
add_signs: Callable[[Any, Any, Any, Any], Any] = intrinsic(_add_signs)
