"""Arithmetic on rows of a matrix, eight floats an instruction.

The loops over a lattice are short (one row of padded channels) and hop between rows of one array. The compiler cannot
tell such rows apart, so it guards every loop or leaves it scalar: two to three times slower than these few lines, which
emit the vector instructions themselves. LLVM splits them where a machine's registers are narrower.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]  # numba's own code generator, installed with it
from numba.core import cgutils, types
from numba.extending import intrinsic
from numpy.typing import NDArray

Floats = NDArray[np.float32]

LANES = 8
"""Floats of a vector; the length of a row must be a multiple of it (see `padded`)."""

_LINE = 64
"""Bytes of a cache line; numpy aligns to 16, which would make every second vector straddle two lines."""

_VECTOR = ir.VectorType(ir.FloatType(), LANES)


def padded(channels: int) -> int:
    """Length of a row that holds so many channels."""
    return LANES * -(-channels // LANES)


def empty_rows(count: int, channels: int) -> Floats:
    """A matrix (count, padded channels), not initialised, whose vectors never straddle two cache lines."""
    length = padded(channels)
    spare = np.empty(count * length + _LINE // 4, np.float32)
    start = -spare.ctypes.data % _LINE // 4
    return spare[start : start + count * length].reshape(count, length)


def _row_operation(accumulate: bool, target: Any, source: Any) -> tuple[Any, Any] | None:
    """Typing and code of ``target[i] (+)= factor * source[j]``."""
    for array in (target, source):
        if not isinstance(array, types.Array) or (array.ndim, array.layout, array.dtype) != (2, "C", types.float32):
            return None

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        written, i, factor, read, j = arguments
        out = context.make_array(signature.args[0])(context, builder, written)
        come = context.make_array(signature.args[3])(context, builder, read)
        length = builder.extract_value(out.shape, 1)
        to = builder.gep(out.data, [builder.mul(i, length)])
        fro = builder.gep(come.data, [builder.mul(j, length)])
        scale = ir.Constant(_VECTOR, ir.Undefined)
        for lane in range(LANES):
            scale = builder.insert_element(scale, factor, ir.Constant(ir.IntType(32), lane))
        zero, step = ir.Constant(length.type, 0), ir.Constant(length.type, LANES)
        with cgutils.for_range_slice(builder, zero, length, step, intp=length.type) as (at, _):
            place = builder.bitcast(builder.gep(to, [at]), _VECTOR.as_pointer())
            values = builder.load(builder.bitcast(builder.gep(fro, [at]), _VECTOR.as_pointer()), align=4)
            product = builder.fmul(scale, values, flags=("contract",))
            if accumulate:
                product = builder.fadd(builder.load(place, align=4), product, flags=("contract",))
            builder.store(product, place, align=4)
        return context.get_dummy_value()

    return types.void(target, types.intp, types.float32, source, types.intp), generate


def _add(typing: Any, target: Any, i: Any, factor: Any, source: Any, j: Any) -> Any:
    return _row_operation(True, target, source)


def _set(typing: Any, target: Any, i: Any, factor: Any, source: Any, j: Any) -> Any:
    return _row_operation(False, target, source)


add_scaled: Callable[..., None] = intrinsic(_add)
"""``add_scaled(target, i, factor, source, j)`` in compiled code: ``target[i] += factor * source[j]``.

Both are C-contiguous float32 matrices with rows of the same padded length; indices are not checked.
"""

set_scaled: Callable[..., None] = intrinsic(_set)
"""``set_scaled(target, i, factor, source, j)`` in compiled code: ``target[i] = factor * source[j]``."""
