"""Products of rows with vectors and weighted sums of rows, while what comes next is on its way from memory, for LLVM.

As in :mod:`numerics.kernels.row_adds`: vectors as wide as the processor has, each load shared by several products,
every line of the next rows asked for meanwhile, and sums taken as 64 bytes of partial ones.  What is multiplied may be
float32 and the sums float64.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from numerics.kernels.row_adds import ask, spread, vector_at

__all__ = ["BLOCK", "TALL", "block_products", "panel_products", "products", "sums_of_rows", "total"]

BLOCK = 4  # rows of a matrix multiplied at once with few vectors
TALL = 6  # and with many: 24 sums and what is multiplied fill 32 registers

_LINE = 64  # bytes of a cache line
_QUICK = ("reassoc", "contract", "nsz")

_int = ir.IntType(32)
_long = ir.IntType(64)


def _products(K: int) -> Any:
    def declare(
        typing_context: Any,
        rows: Any,
        at: Any,
        stride: Any,
        vector: Any,
        start: Any,
        following: Any,
        then: Any,
        size: Any,
        out: Any,
        first: Any,
    ) -> Any:
        """Write K rows, rows.flat[at:] and `stride` apart, times vector.flat[start : start + size] to out[first:].

        What is read next begins at following.flat[then]: rows like these in an array of three dimensions, one vector in
        an array of two.  Places count in numbers, since a slice of an array costs ten nanoseconds.
        """
        integers = [types.int64] * 2
        signature = types.void(
            rows, *integers, vector, types.int64, following, types.int64, types.int64, out, types.int64
        )

        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            row_data, vector_data, next_data, out_data = (
                context.make_array(kind)(context, builder, arguments[k]).data
                for kind, k in ((rows, 0), (vector, 3), (following, 5), (out, 8))
            )
            offsets = [builder.mul(arguments[2], _long(k)) for k in range(K)]
            places = [builder.gep(row_data, [builder.add(arguments[1], offset)]) for offset in offsets]
            streams = offsets if following.ndim == 3 else offsets[:1]
            coming = [builder.gep(next_data, [builder.add(arguments[6], offset)]) for offset in streams]
            begin = builder.gep(vector_data, [arguments[4]])
            sums = _sums(builder, [begin], places, coming, arguments[7], out.dtype)
            for k in range(K):
                builder.store(sums[0][k], builder.gep(out_data, [builder.add(arguments[9], _long(k))]))
            return context.get_dummy_value()

        return signature, generate

    return intrinsic(declare)


def _sums_of_rows(K: int) -> Any:
    def declare(
        typing_context: Any,
        vector: Any,
        start: Any,
        size: Any,
        rows: Any,
        at: Any,
        stride: Any,
        weights: Any,
        first: Any,
    ) -> Any:
        """Add K rows, rows.flat[at:] and `stride` apart, times weights[first:] to vector.flat[start : start + size]."""
        signature = types.void(vector, types.int64, types.int64, rows, types.int64, types.int64, weights, types.int64)

        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            data, row_data, weight_data = (
                context.make_array(kind)(context, builder, arguments[k]).data
                for kind, k in ((vector, 0), (rows, 3), (weights, 6))
            )
            wide, lanes = _vectors(vector.dtype)
            begin, size = builder.gep(data, [arguments[1]]), arguments[2]
            offsets = [builder.add(arguments[4], builder.mul(arguments[5], _long(k))) for k in range(K)]
            places = [builder.gep(row_data, [offset]) for offset in offsets]
            loaded = (builder.load(builder.gep(weight_data, [builder.add(arguments[7], _long(k))])) for k in range(K))
            factors = [spread(builder, weight, lanes) for weight in loaded]

            def add(index: Any, mask: Any = None) -> None:
                total = _wide(builder, begin, index, mask, wide)
                for place, factor in zip(places, factors, strict=True):
                    product = builder.fmul(_wide(builder, place, index, mask, wide), factor, flags=_QUICK)
                    total = builder.fadd(total, product, flags=_QUICK)
                place = vector_at(builder, begin, index, lanes)
                if mask is None:
                    builder.store(total, place, align=_bytes(wide.element))
                    return
                name = f"llvm.masked.store.v{lanes}{wide.element.intrinsic_name}.p0"
                form = ir.FunctionType(ir.VoidType(), [wide, place.type, _int, mask.type])
                function = cgutils.get_or_insert_function(builder.module, form, name)
                builder.call(function, [total, place, _int(_bytes(wide.element)), mask])

            _along(builder, size, lanes, lanes, add)
            return context.get_dummy_value()

        return signature, generate

    return intrinsic(declare)


def _block_products(K: int) -> Any:
    def declare(
        typing_context: Any, matrix: Any, order: Any, k: Any, then: Any, vectors: Any, first: Any, out: Any
    ) -> Any:
        """Write matrix[order[k : k + BLOCK]] @ vectors[first : first + K].T into out[:, first : first + K].

        Rows order[then : then + BLOCK] are those that are read next.
        """
        signature = types.void(matrix, order, types.int64, types.int64, vectors, types.int64, out)

        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            array, sites, columns, out_array = (
                context.make_array(kind)(context, builder, arguments[k])
                for kind, k in ((matrix, 0), (order, 1), (vectors, 4), (out, 6))
            )

            def listed(begin: Any) -> list[Any]:
                places = (builder.gep(sites.data, [builder.add(begin, _long(r))]) for r in range(BLOCK))
                return [_row(builder, array, builder.sext(builder.load(place), _long)) for place in places]

            indices = [builder.add(arguments[5], _long(k)) for k in range(K)]
            right = [_row(builder, columns, index) for index in indices]
            size = builder.extract_value(columns.shape, 1)
            sums = _sums(builder, listed(arguments[2]), right, listed(arguments[3]), size, out.dtype)
            for r in range(BLOCK):
                row = _row(builder, out_array, _long(r))
                for index, value in zip(indices, sums[r], strict=True):
                    builder.store(value, builder.gep(row, [index]))
            return context.get_dummy_value()

        return signature, generate

    return intrinsic(declare)


def _panel_products(K: int) -> Any:
    def declare(
        typing_context: Any,
        matrix: Any,
        order: Any,
        k: Any,
        then: Any,
        vectors: Any,
        first: Any,
        start: Any,
        stop: Any,
        partial: Any,
        at: Any,
    ) -> Any:
        """Add matrix[order[k : k + TALL], start:stop] @ vectors[first : first + K, start:stop].T to partial sums.

        Those of row r and vector c are the 64 bytes of partial.flat[at:] from number (r K + c) on.  With first = 0,
        rows order[then : then + TALL] are asked for.
        """
        places = [types.int64] * 3
        signature = types.void(matrix, order, *places[:2], vectors, *places, partial, types.int64)

        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            array, sites, columns, kept = (
                context.make_array(kind)(context, builder, arguments[k])
                for kind, k in ((matrix, 0), (order, 1), (vectors, 4), (partial, 8))
            )
            begin, size = arguments[6], builder.sub(arguments[7], arguments[6])

            def listed(where: Any) -> list[Any]:
                numbers = (builder.load(builder.gep(sites.data, [builder.add(where, _long(r))])) for r in range(TALL))
                rows = (_row(builder, array, builder.sext(number, _long)) for number in numbers)
                return [builder.gep(row, [begin]) for row in rows]

            wide, lanes = _vectors(partial.dtype)
            with builder.if_then(builder.icmp_signed("==", arguments[5], _long(0))):
                line = _LINE // (matrix.dtype.bitwidth // 8)
                coming = listed(arguments[3])
                with cgutils.for_range_slice(builder, _long(0), size, _long(line), _long) as (index, _):
                    for row in coming:
                        ask(builder, builder.ptrtoint(builder.gep(row, [index]), _long))
            left = listed(arguments[2])
            right = [
                builder.gep(_row(builder, columns, builder.add(arguments[5], _long(c))), [begin]) for c in range(K)
            ]
            stored = [
                [
                    vector_at(builder, kept.data, builder.add(arguments[9], _long((r * K + c) * lanes)), lanes)
                    for c in range(K)
                ]
                for r in range(TALL)
            ]
            sums = [[cgutils.alloca_once(builder, wide) for _ in row] for row in stored]
            for row, places in zip(stored, sums, strict=True):
                for source, place in zip(row, places, strict=True):
                    builder.store(builder.load(source, align=_bytes(wide.element)), place)

            def add(index: Any, mask: Any = None) -> None:
                shared = [_wide(builder, pointer, index, mask, wide) for pointer in right]
                for pointer, row in zip(left, sums, strict=True):
                    value = _wide(builder, pointer, index, mask, wide)
                    for other, place in zip(shared, row, strict=True):
                        product = builder.fmul(value, other, flags=_QUICK)
                        builder.store(builder.fadd(builder.load(place), product, flags=_QUICK), place)

            _along(builder, size, lanes, lanes, add)
            for row, places in zip(stored, sums, strict=True):
                for target, place in zip(row, places, strict=True):
                    builder.store(builder.load(place), target, align=_bytes(wide.element))
            return context.get_dummy_value()

        return signature, generate

    return intrinsic(declare)


def _sums(builder: Any, left: list[Any], right: list[Any], coming: list[Any], size: Any, dtype: Any) -> list[list[Any]]:
    """Return the products of all `left` with all `right`, pointers to `size` numbers, and ask for `coming`."""
    wide, lanes = _vectors(dtype)
    unrolled = 1 if len(left) * len(right) > 6 else 2
    sums = [[[cgutils.alloca_once(builder, wide) for _ in range(unrolled)] for _ in right] for _ in left]
    for row in sums:
        for column in row:
            for place in column:
                builder.store(ir.Constant(wide, None), place)

    def add_one(index: Any, u: int, mask: Any = None) -> None:
        shared = [_wide(builder, pointer, index, mask, wide) for pointer in right]
        for pointer, row in zip(left, sums, strict=True):
            value = _wide(builder, pointer, index, mask, wide)
            for other, column in zip(shared, row, strict=True):
                product = builder.fmul(value, other, flags=_QUICK)
                builder.store(builder.fadd(builder.load(column[u]), product, flags=_QUICK), column[u])

    def add(index: Any, mask: Any = None) -> None:
        if mask is not None:
            add_one(index, 0, mask)
            return
        for pointer in coming:
            start = builder.ptrtoint(builder.gep(pointer, [index]), _long)
            for line in range(0, lanes * unrolled * _bytes(pointer.type.pointee), _LINE):
                ask(builder, builder.add(start, _long(line)))
        for u in range(unrolled):
            add_one(builder.add(index, _long(u * lanes)), u)

    _along(builder, size, lanes, lanes * unrolled, add)
    found: list[list[Any]] = []
    for row in sums:
        found.append([])
        for column in row:
            value = builder.load(column[0])
            for place in column[1:]:
                value = builder.fadd(value, builder.load(place), flags=_QUICK)
            found[-1].append(_reduced(builder, value))
    return found


def _reduced(builder: Any, vector: Any) -> Any:
    """Return the sum of the numbers of a vector."""
    wide = vector.type
    total = wide.element
    name = f"llvm.vector.reduce.fadd.v{wide.count}{total.intrinsic_name}"
    function = cgutils.get_or_insert_function(builder.module, ir.FunctionType(total, [total, wide]), name)
    return builder.call(function, [ir.Constant(total, 0.0), vector], fastmath=("reassoc",))


def _total(typing_context: Any, partial: Any, at: Any) -> Any:
    """Return the sum of the 64 bytes of numbers partial.flat[at:]."""
    signature = partial.dtype(partial, types.int64)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        data = context.make_array(partial)(context, builder, arguments[0]).data
        wide, lanes = _vectors(partial.dtype)
        return _reduced(
            builder, builder.load(vector_at(builder, data, arguments[1], lanes), align=_bytes(wide.element))
        )

    return signature, generate


def _along(builder: Any, size: Any, lanes: int, step: int, body: Callable[..., None]) -> None:
    """Call body(index) for whole steps, then body(index, mask) for vectors of what is left over."""
    whole = builder.sub(size, builder.urem(size, _long(step)))
    with cgutils.for_range_slice(builder, _long(0), whole, _long(step), _long) as (index, _):
        body(index)
    numbers = ir.Constant(ir.VectorType(_long, lanes), list(range(lanes)))
    with cgutils.for_range_slice(builder, whole, size, _long(lanes), _long) as (index, _):
        body(index, builder.icmp_signed("<", numbers, spread(builder, builder.sub(size, index), lanes)))


def _vectors(dtype: Any) -> tuple[Any, int]:
    """Return the type of a vector of 64 bytes, and its numbers."""
    lanes = _LINE // (dtype.bitwidth // 8)
    return ir.VectorType(ir.FloatType() if dtype == types.float32 else ir.DoubleType(), lanes), lanes


def _row(builder: Any, array: Any, index: Any) -> Any:
    """Return a pointer to the first number of array[index]."""
    start = builder.ptrtoint(array.data, _long)
    offset = builder.mul(index, builder.extract_value(array.strides, 0))
    return builder.inttoptr(builder.add(start, offset), array.data.type)


def _wide(builder: Any, pointer: Any, index: Any, mask: Any, wide: Any) -> Any:
    """Return numbers from pointer[index] on in the type of the sums; zeros where there is a mask and it is off."""
    place = vector_at(builder, pointer, index, wide.count)
    kind = place.type.pointee
    size = _bytes(kind.element)
    if mask is None:
        value = builder.load(place, align=size)
    else:
        name = f"llvm.masked.load.v{wide.count}{kind.element.intrinsic_name}.p0"
        form = ir.FunctionType(kind, [place.type, _int, mask.type, kind])
        function = cgutils.get_or_insert_function(builder.module, form, name)
        value = builder.call(function, [place, _int(size), mask, ir.Constant(kind, None)])
    return value if kind == wide else builder.fpext(value, wide)


def _bytes(kind: Any) -> int:
    return 4 if isinstance(kind, ir.FloatType) else 8


products: dict[int, Callable[..., None]] = {K: _products(K) for K in (1, 2, 3, 4)}
sums_of_rows: dict[int, Callable[..., None]] = {K: _sums_of_rows(K) for K in (1, 2, 3, 4)}
block_products: dict[int, Callable[..., None]] = {K: _block_products(K) for K in (1, 2, 3, 4)}
panel_products: dict[int, Callable[..., None]] = {K: _panel_products(K) for K in (1, 2, 3, 4)}
total: Callable[[Any, Any], Any] = intrinsic(_total)
