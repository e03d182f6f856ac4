"""A row of couplings added to local fields while the next row is on its way from memory, written for LLVM directly.

numba makes vectors of half the width that the processor has, and of sums in place it cannot know that rows and fields
do not overlap.  Vectors here have 16 numbers, which the compiler splits where the processor has narrower ones.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

__all__ = ["LANES", "add_row", "ask", "spread", "vector_at"]

LANES = 16
_UNROLLED = 4  # vectors per turn
_STEP = LANES * _UNROLLED
_LINE = 64  # bytes of a cache line

_octet = ir.IntType(8)
_int = ir.IntType(32)
_long = ir.IntType(64)


def _add_row(typing_context: Any, fields: Any, matrix: Any, i: Any, up: Any, parity: Any, upcoming: Any) -> Any:
    """Add (`up`) or subtract twice row i of N J to or from `fields` (N,), and prefetch row `upcoming`.

    A `matrix` (N, N) of int8 stands for N J = 2 matrix + parity, any other for N J itself; the sums are taken in the
    type of `fields`.
    """
    signature = types.void(fields, matrix, types.int64, types.boolean, types.int64, types.int64)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        numbers = context.make_array(fields)(context, builder, arguments[0])
        rows = context.make_array(matrix)(context, builder, arguments[1])
        size = builder.extract_value(numbers.shape, 0)
        stride = builder.extract_value(rows.strides, 0)
        start = builder.ptrtoint(rows.data, _long)
        row = builder.inttoptr(builder.add(start, builder.mul(arguments[2], stride)), rows.data.type)
        following = builder.add(start, builder.mul(arguments[5], stride))
        odd = builder.shl(arguments[4], _long(1))
        whole = builder.and_(size, _long(-_STEP))
        width = matrix.dtype.bitwidth // 8

        def add(index: Any, up: bool, mask: Any = None) -> None:
            row_place, place = (vector_at(builder, pointer, index, LANES) for pointer in (row, numbers.data))
            coupling, old = (_load(builder, pointer, mask) for pointer in (row_place, place))
            twice = _doubled(builder, matrix.dtype, fields.dtype, coupling, odd)
            if fields.dtype == types.float64:
                new = builder.fadd(old, twice) if up else builder.fsub(old, twice)
            else:
                new = builder.add(old, twice) if up else builder.sub(old, twice)
            _store(builder, new, place, mask)

        with builder.if_else(arguments[3]) as (raising, lowering):
            for branch, is_up in ((raising, True), (lowering, False)):
                with branch:
                    with cgutils.for_range_slice(builder, _long(0), whole, _long(_STEP), _long) as (first, _):
                        for line in range(0, _STEP * width, _LINE):
                            offset = builder.add(builder.mul(first, _long(width)), _long(line))
                            ask(builder, builder.add(following, offset))
                        for k in range(_UNROLLED):
                            add(builder.add(first, _long(k * LANES)), is_up)
                    with cgutils.for_range_slice(builder, whole, size, _long(LANES), _long) as (first, _):
                        add(first, is_up, _below(builder, builder.sub(size, first)))
        return context.get_dummy_value()

    return signature, generate


def _doubled(builder: Any, kind: Any, into: Any, value: Any, odd: Any) -> Any:
    """Return twice N J in the type of the fields, of a vector of couplings of numba type `kind`."""
    if kind == types.float64:
        return builder.fadd(value, value)
    scalar = ir.IntType(into.bitwidth)
    target = ir.VectorType(scalar, LANES)
    if kind == types.float32:
        value = builder.fptosi(value, target)
    elif kind.bitwidth < into.bitwidth:
        value = builder.sext(value, target)
    value = builder.shl(value, ir.Constant(target, [2 if kind == types.int8 else 1] * LANES))
    if kind != types.int8:
        return value
    return builder.add(value, spread(builder, odd if into.bitwidth == 64 else builder.trunc(odd, scalar), LANES))


def _below(builder: Any, count: Any) -> Any:
    """Return a mask of the first `count` lanes."""
    lanes = ir.Constant(ir.VectorType(_long, LANES), list(range(LANES)))
    return builder.icmp_signed("<", lanes, spread(builder, count, LANES))


def _load(builder: Any, place: Any, mask: Any) -> Any:
    kind = place.type.pointee
    if mask is None:
        return builder.load(place, align=_size(kind))
    function = _intrinsic(builder, "load", kind, [place.type, _int, mask.type, kind], kind)
    return builder.call(function, [place, _int(_size(kind)), mask, ir.Constant(kind, None)])


def _store(builder: Any, value: Any, place: Any, mask: Any) -> None:
    kind = value.type
    if mask is None:
        builder.store(value, place, align=_size(kind))
        return
    function = _intrinsic(builder, "store", kind, [kind, place.type, _int, mask.type], ir.VoidType())
    builder.call(function, [value, place, _int(_size(kind)), mask])


def _intrinsic(builder: Any, verb: str, kind: Any, arguments: list[Any], result: Any) -> Any:
    name = f"llvm.masked.{verb}.v{LANES}{kind.element.intrinsic_name}.p0"
    return cgutils.get_or_insert_function(builder.module, ir.FunctionType(result, arguments), name)


def _size(kind: Any) -> int:
    return {"i8": 1, "i16": 2, "i32": 4, "i64": 8, "f32": 4, "f64": 8}[kind.element.intrinsic_name]


def ask(builder: Any, address: Any) -> None:
    """Prefetch the cache line at an address (a 64-bit integer)."""
    octets = _octet.as_pointer()
    kind = ir.FunctionType(ir.VoidType(), [octets, _int, _int, _int])
    function = builder.module.declare_intrinsic("llvm.prefetch", [octets], kind)
    # A read of data, into the second-level cache: the first is full of fields.
    builder.call(function, [builder.inttoptr(address, octets), _int(0), _int(2), _int(1)])


def vector_at(builder: Any, pointer: Any, index: Any, lanes: int) -> Any:
    """Return a pointer to `lanes` numbers from pointer[index] on."""
    place = builder.gep(pointer, [index])
    return builder.bitcast(place, ir.VectorType(pointer.type.pointee, lanes).as_pointer())


def spread(builder: Any, value: Any, lanes: int) -> Any:
    """Return a vector of equal numbers."""
    vector = ir.VectorType(value.type, lanes)
    vague = ir.Constant(vector, ir.Undefined)
    first = builder.insert_element(vague, value, _int(0))
    return builder.shuffle_vector(first, vague, ir.Constant(ir.VectorType(_int, lanes), [0] * lanes))


add_row: Callable[[Any, Any, Any, Any, Any, Any], None] = intrinsic(_add_row)
