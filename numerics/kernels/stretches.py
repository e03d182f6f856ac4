"""Stretches of 32 sites in explicit vector instructions.

numba's own loops come out half as wide as the processor allows, and a set of sites never as the bits of a mask.  Here
each step is written for 32 lanes, and what a processor lacks is expanded by the compiler.  Arrays are C-contiguous;
places are indices into their memory and are not checked.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

__all__ = ["LANES", "add_row", "add_rows", "below", "lowest"]

LANES = 32

_flag = ir.IntType(1)
_byte = ir.IntType(8)
_short = ir.IntType(16)
_int = ir.IntType(32)
_long = ir.IntType(64)


def _below(typing_context: Any, spins: Any, fields: Any, thresholds: Any, place: Any, offset: Any) -> Any:
    """Return 32 bits, lane 0 lowest: whether s H < threshold, for spins and fields from `place` on and thresholds from
    `offset` on."""
    signature = types.uint32(spins, fields, thresholds, types.int64, types.int64)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kind = context.get_value_type(fields.dtype)
        s = _load(context, builder, spins, arguments[0], arguments[3])
        h = _load(context, builder, fields, arguments[1], arguments[3])
        t = _load(context, builder, thresholds, arguments[2], arguments[4])
        s = _converted(builder, s, kind)
        if isinstance(kind, ir.DoubleType):
            less = builder.fcmp_ordered("<", builder.fmul(s, h), t)
        else:
            less = builder.icmp_signed("<", builder.mul(s, h), t)
        return builder.bitcast(less, _int)

    return signature, generate


def _lowest(typing_context: Any, bits: Any) -> Any:
    """Return the number of the lowest bit that is set, of a word that is not 0."""
    signature = types.int64(types.uint32)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kind = ir.FunctionType(_int, [_int, _flag])
        count = builder.module.declare_intrinsic("llvm.cttz", [_int], kind)
        return builder.zext(builder.call(count, [arguments[0], _flag(1)]), _long)

    return signature, generate


def _adder(rows: int) -> Any:
    """Return the intrinsic that adds so many rows at once: fields are loaded and stored once for all of them."""

    def typed(
        typing_context: Any,
        matrix: Any,
        fields: Any,
        sites: Any,
        signs: Any,
        n: Any,
        shift: Any,
        place: Any,
        first: Any,
        last: Any,
        upcoming: Any,
    ) -> Any:
        index = types.int64
        signature = types.void(matrix, fields, sites, signs, index, fields.dtype, index, index, index, index)

        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            table, target, _, _, count, extra, start, first, last, asked = arguments
            kind = context.get_value_type(fields.dtype)
            array = context.make_array(matrix)(context, builder, table)
            pitch = builder.extract_value(array.shape, 1)
            starts, factors = [], []
            for k in range(rows):
                index = builder.add(count, _long(k))
                site = builder.load(_element(context, builder, sites, arguments[2], index))
                sign = builder.load(_element(context, builder, signs, arguments[3], index))
                starts.append(builder.mul(site, pitch))
                factors.append(sign)
            wanted = builder.mul(asked, pitch)
            added = _spread(builder, extra)
            whole = builder.sub(last, builder.urem(builder.sub(last, first), _long(LANES)))

            def add(j: Any, from_lane: Any) -> None:
                terms = [
                    _signed(builder, _load(context, builder, matrix, table, builder.add(s, j)), f, kind)
                    for s, f in zip(starts, factors, strict=True)
                ]
                _ask(builder, _element(context, builder, matrix, table, builder.add(wanted, j)))
                total = _doubled(builder, _sum(builder, terms), kind, halved=matrix.dtype.bitwidth == 8)
                plus = builder.fadd if isinstance(kind, ir.DoubleType) else builder.add
                total = plus(total, added)
                if from_lane is not None:
                    numbers = ir.Constant(ir.VectorType(_int, LANES), list(range(LANES)))
                    kept = builder.icmp_signed(">=", numbers, _spread(builder, builder.trunc(from_lane, _int)))
                    total = builder.select(kept, total, ir.Constant(total.type, [0] * LANES))
                at = _place(context, builder, fields, target, builder.add(start, j))
                align = fields.dtype.bitwidth // 8
                builder.store(plus(builder.load(at, align=align), total), at, align=align)

            before = builder.block
            loop, rest, after = (builder.append_basic_block(name) for name in ("stretches", "rest", "done"))
            between = builder.append_basic_block("between")
            builder.cbranch(builder.icmp_signed("<", first, whole), loop, between)
            builder.position_at_end(loop)
            j = builder.phi(_long)
            j.add_incoming(first, before)
            add(j, None)
            following = builder.add(j, _long(LANES))
            j.add_incoming(following, loop)
            builder.cbranch(builder.icmp_signed("<", following, whole), loop, between)
            builder.position_at_end(between)
            builder.cbranch(builder.icmp_signed("<", whole, last), rest, after)
            builder.position_at_end(rest)
            final = builder.sub(last, _long(LANES))
            add(final, builder.sub(whole, final))
            builder.branch(after)
            builder.position_at_end(after)
            return context.get_dummy_value()

        return signature, generate

    typed.__doc__ = f"""Add signs[n + k] times twice row sites[n + k] of N J, k < {rows}, and `shift` to the fields.

    Fields begin at `place`.  Only columns `first` to `last` - 1; what is left of whole stretches is done in a last one
    that ends at `last`, which must be 32 at least.  `matrix` (N, N) holds N J or, as int8, half of it; `signs` are +-1
    in int16.  Row `upcoming` is fetched into the cache meanwhile.
    """
    return typed


def _signed(builder: Any, row: Any, sign: Any, kind: Any) -> Any:
    """Return sign * row: in 16 bits if the row has no more (and bytes stay so, as sums of four fit)."""
    source = row.type.element
    if isinstance(kind, ir.DoubleType):
        return builder.fmul(_converted(builder, row, kind), _spread(builder, builder.sitofp(sign, kind)))
    if isinstance(source, ir.FloatType):
        row, source = builder.fptosi(row, ir.VectorType(_int, LANES)), _int
    if source.width <= 16:
        product = builder.mul(_converted(builder, row, _short), _spread(builder, sign))
        return product if source == _byte else _converted(builder, product, kind)
    return builder.mul(_converted(builder, row, kind), _spread(builder, builder.sext(sign, kind)))


def _sum(builder: Any, terms: list[Any]) -> Any:
    plus = builder.fadd if isinstance(terms[0].type.element, ir.DoubleType) else builder.add
    while len(terms) > 1:
        terms = [plus(*terms[k : k + 2]) for k in range(0, len(terms), 2)]
    return terms[0]


def _doubled(builder: Any, total: Any, kind: Any, *, halved: bool) -> Any:
    if isinstance(kind, ir.DoubleType):
        return builder.fadd(total, total)
    shift = ir.Constant(ir.VectorType(kind, LANES), [2 if halved else 1] * LANES)
    return builder.shl(_converted(builder, total, kind), shift)


def _converted(builder: Any, value: Any, target: Any) -> Any:
    """Return 32 numbers in a type that is at least as wide."""
    source = value.type.element
    if source == target:
        return value
    wide = ir.VectorType(target, LANES)
    whole = isinstance(source, ir.IntType)
    if isinstance(target, ir.IntType):
        return builder.sext(value, wide) if whole else builder.fptosi(value, wide)
    return builder.sitofp(value, wide) if whole else builder.fpext(value, wide)


def _element(context: Any, builder: Any, kind: Any, array: Any, index: Any) -> Any:
    return builder.gep(context.make_array(kind)(context, builder, array).data, [index])


def _place(context: Any, builder: Any, kind: Any, array: Any, index: Any) -> Any:
    wide = ir.VectorType(context.get_value_type(kind.dtype), LANES)
    return builder.bitcast(_element(context, builder, kind, array, index), wide.as_pointer())


def _load(context: Any, builder: Any, kind: Any, array: Any, index: Any) -> Any:
    return builder.load(_place(context, builder, kind, array, index), align=kind.dtype.bitwidth // 8)


def _spread(builder: Any, value: Any) -> Any:
    vague = ir.Constant(ir.VectorType(value.type, LANES), ir.Undefined)
    first = builder.insert_element(vague, value, _int(0))
    return builder.shuffle_vector(first, vague, ir.Constant(ir.VectorType(_int, LANES), [0] * LANES))


def _ask(builder: Any, address: Any) -> None:
    octet = _byte.as_pointer()
    kind = ir.FunctionType(ir.VoidType(), [octet, _int, _int, _int])
    function = builder.module.declare_intrinsic("llvm.prefetch", [octet], kind)
    builder.call(function, [builder.bitcast(address, octet), _int(0), _int(2), _int(1)])  # a read, to the second level


below: Callable[..., Any] = intrinsic(_below)
lowest: Callable[[Any], Any] = intrinsic(_lowest)
add_row: Callable[..., Any] = intrinsic(_adder(1))
add_rows: Callable[..., Any] = intrinsic(_adder(4))
