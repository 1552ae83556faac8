"""Vector arithmetic for compiled kernels: rows of a matrix, eight floats an instruction, and a fast power of two.

The loops over a lattice are short (one row of padded channels) and jump between rows of one array. LLVM cannot prove
that such rows do not overlap. So it adds a check before every loop or does not use vector instructions at all. The
functions here emit the vector instructions themselves with llvmlite, the code generator of numba. The same functions
in plain numba give the same bits, but with them the dense CRF loss takes 1.4 times as long and mean-field inference 2.6
times (`benchmarks/plain_numba.py`). LLVM splits the vectors on machines with narrower registers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit
from numba.core import cgutils, types
from numba.extending import intrinsic
from numpy.typing import NDArray

Floats = NDArray[np.float32]

LANES = 8
"""Floats of a vector. The length of a row must be a multiple of it (see `padded`)."""

_LINE = 64
"""Bytes of a cache line. numpy aligns arrays to 16 bytes, so that every second vector would lie in two lines."""

_UNROLLED = 4
"""Rows of up to this many vectors, 32 channels, stay in registers while several rows are summed."""

VECTOR = ir.VectorType(ir.FloatType(), LANES)


@njit(inline="always")
def exp2(exponent: np.float32) -> np.float32:
    """2 to the power of a float32, with a relative error of at most 2e-7.

    The integer part of the exponent goes into the exponent bits of the result, the fraction into a polynomial of degree
    5 (least largest relative error on [0, 1): 7.5e-8, by Lawson's reweighted least squares). ``math.exp`` would be a
    function call for every pixel; this is a few vector instructions for 8 or 16 pixels.

    Args:
        exponent: At most 127. Values below -126 give 2^-126.
    """
    clipped = exponent if exponent > np.float32(-126.0) else np.float32(-126.0)
    whole = np.floor(clipped)  # math.floor gives 64-bit integers, which would halve the number of lanes
    part = clipped - whole
    power = np.float32(0.00187757668)
    power = power * part + np.float32(0.00898934028)
    power = power * part + np.float32(0.0558263177)
    power = power * part + np.float32(0.240153617)
    power = power * part + np.float32(0.693153073)
    power = power * part + np.float32(0.999999925)
    bits = np.int32((np.int32(whole) + np.int32(127)) << np.int32(23))
    scale: np.float32 = bits.view(np.float32)
    result: np.float32 = power * scale
    return result


def padded(channels: int) -> int:
    """Length of a row for that many channels: the next multiple of `LANES`."""
    return LANES * -(-channels // LANES)


def empty_rows(count: int, channels: int) -> Floats:
    """An uninitialised matrix (count, padded channels). None of its vectors lies in two cache lines."""
    length = padded(channels)
    spare = np.empty(count * length + _LINE // 4, np.float32)
    start = -spare.ctypes.data % _LINE // 4
    return spare[start : start + count * length].reshape(count, length)


class Matrix:
    """A C-contiguous matrix in the code that is being generated."""

    def __init__(self, context: Any, builder: Any, kind: Any, value: Any) -> None:
        array = context.make_array(kind)(context, builder, value)
        self.builder, self.data = builder, array.data
        self.length = builder.extract_value(array.shape, 1)

    def row(self, i: Any) -> Any:
        """Make a pointer to row i."""
        return self.builder.gep(self.data, [self.builder.mul(i, self.length)])

    def vectors(self, i: Any, offset: Any, count: int) -> list[Any]:
        """Make pointers to ``count`` vectors of row i from element ``offset`` on."""
        start = self.builder.gep(self.row(i), [offset])
        places = [self.builder.gep(start, [ir.Constant(ir.IntType(64), LANES * g)]) for g in range(count)]
        return [self.builder.bitcast(place, VECTOR.as_pointer()) for place in places]


def _broadcast(builder: Any, scalar: Any) -> Any:
    vector = ir.Constant(VECTOR, ir.Undefined)
    for lane in range(LANES):
        vector = builder.insert_element(vector, scalar, ir.Constant(ir.IntType(32), lane))
    return vector


def multiply_add(builder: Any, total: Any, factor: Any, values: Any) -> Any:
    """Emit ``total + factor * values`` as one instruction where the machine has one."""
    product = builder.fmul(factor, values, flags=("contract",))
    return builder.fadd(total, product, flags=("contract",))


def _by_length(builder: Any, length: Any, emit: Callable[[Any, int], None]) -> None:
    """Call ``emit(offset, vectors)`` once for a short row, or in a loop over the vectors of a long row."""
    zero = ir.Constant(length.type, 0)
    after = builder.append_basic_block("after")
    longer = builder.append_basic_block("longer")
    choice = builder.switch(builder.udiv(length, ir.Constant(length.type, LANES)), longer)
    for count in range(1, _UNROLLED + 1):
        block = builder.append_basic_block(f"vectors{count}")
        choice.add_case(ir.Constant(length.type, count), block)
        builder.position_at_end(block)
        emit(zero, count)
        builder.branch(after)
    builder.position_at_end(longer)
    step = ir.Constant(length.type, LANES)
    with cgutils.for_range_slice(builder, zero, length, step, intp=length.type) as (offset, _):
        emit(offset, 1)
    builder.branch(after)
    builder.position_at_end(after)


def is_matrix(array: Any, *dtypes: Any) -> bool:
    """Whether a numba type is a C-contiguous matrix with one of these element types."""
    return isinstance(array, types.Array) and (array.ndim, array.layout) == (2, "C") and array.dtype in dtypes


def _gather(typing: Any, target: Any, i: Any, scale: Any, source: Any, corners: Any, weights: Any, p: Any) -> Any:
    if not all(is_matrix(a, types.float32) for a in (target, source, weights)) or not is_matrix(corners, types.uint16):
        return None

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kinds = signature.args
        out, come, index, share = (Matrix(context, builder, kinds[a], arguments[a]) for a in (0, 3, 4, 5))
        index_row, share_row = index.row(arguments[6]), share.row(arguments[6])

        def emit(offset: Any, count: int) -> None:
            places = out.vectors(arguments[1], offset, count)
            with builder.goto_entry_block():
                sums = [builder.alloca(VECTOR) for _ in range(count)]
            for place, total in zip(places, sums, strict=True):
                builder.store(builder.load(place, align=4), total)
            with cgutils.for_range(builder, index.length) as loop:
                corner = builder.zext(builder.load(builder.gep(index_row, [loop.index])), ir.IntType(64))
                weight = builder.fmul(arguments[2], builder.load(builder.gep(share_row, [loop.index])))
                factor = _broadcast(builder, weight)
                for total, place in zip(sums, come.vectors(corner, offset, count), strict=True):
                    values = builder.load(place, align=4)
                    builder.store(multiply_add(builder, builder.load(total), factor, values), total)
            for place, total in zip(places, sums, strict=True):
                builder.store(builder.load(total), place, align=4)

        _by_length(builder, out.length, emit)
        return context.get_dummy_value()

    return types.void(target, types.intp, types.float32, source, corners, weights, types.intp), generate


def _scatter(typing: Any, target: Any, corners: Any, weights: Any, p: Any, scale: Any, source: Any, j: Any) -> Any:
    if not all(is_matrix(a, types.float32) for a in (target, source, weights)) or not is_matrix(corners, types.uint16):
        return None

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kinds = signature.args
        out, index, share, come = (Matrix(context, builder, kinds[a], arguments[a]) for a in (0, 1, 2, 5))
        index_row, share_row = index.row(arguments[3]), share.row(arguments[3])

        def emit(offset: Any, count: int) -> None:
            given = [builder.load(place, align=4) for place in come.vectors(arguments[6], offset, count)]
            with cgutils.for_range(builder, index.length) as loop:
                corner = builder.zext(builder.load(builder.gep(index_row, [loop.index])), ir.IntType(64))
                weight = builder.fmul(arguments[4], builder.load(builder.gep(share_row, [loop.index])))
                factor = _broadcast(builder, weight)
                for values, place in zip(given, out.vectors(corner, offset, count), strict=True):
                    total = multiply_add(builder, builder.load(place, align=4), factor, values)
                    builder.store(total, place, align=4)

        _by_length(builder, out.length, emit)
        return context.get_dummy_value()

    return types.void(target, corners, weights, types.intp, types.float32, source, types.intp), generate


def _row_operation(accumulate: bool, target: Any, source: Any) -> Any:
    """Typing and code of ``target[i] = factor * source[j]``, or of ``+=`` with ``accumulate``."""
    if not (is_matrix(target, types.float32) and is_matrix(source, types.float32)):
        return None

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        out = Matrix(context, builder, signature.args[0], arguments[0])
        come = Matrix(context, builder, signature.args[3], arguments[3])
        factor = _broadcast(builder, arguments[2])

        def emit(offset: Any, count: int) -> None:
            places = out.vectors(arguments[1], offset, count)
            for place, read in zip(places, come.vectors(arguments[4], offset, count), strict=True):
                values = builder.load(read, align=4)
                if accumulate:
                    result = multiply_add(builder, builder.load(place, align=4), factor, values)
                else:
                    result = builder.fmul(factor, values)
                builder.store(result, place, align=4)

        _by_length(builder, out.length, emit)
        return context.get_dummy_value()

    return types.void(target, types.intp, types.float32, source, types.intp), generate


def _add(typing: Any, target: Any, i: Any, factor: Any, source: Any, j: Any) -> Any:
    return _row_operation(True, target, source)


def _set(typing: Any, target: Any, i: Any, factor: Any, source: Any, j: Any) -> Any:
    return _row_operation(False, target, source)


# The functions below are called from compiled code. Their matrices are C-contiguous and their rows have one padded
# length. Indices are not checked.

add_scaled: Callable[..., None] = intrinsic(_add)
"""``add_scaled(target, i, factor, source, j)``: ``target[i] += factor * source[j]``."""

set_scaled: Callable[..., None] = intrinsic(_set)
"""``set_scaled(target, i, factor, source, j)``: ``target[i] = factor * source[j]``."""

gather: Callable[..., None] = intrinsic(_gather)
"""``gather(target, i, scale, source, corners, weights, p)``:
``target[i] += scale * sum_k weights[p, k] source[corners[p, k]]``; the corners have 16 bits."""

scatter: Callable[..., None] = intrinsic(_scatter)
"""``scatter(target, corners, weights, p, scale, source, j)``:
``target[corners[p, k]] += scale * weights[p, k] * source[j]`` for every k; the corners have 16 bits."""
