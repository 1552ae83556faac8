"""The inner loop of the windowed pair sums: the weighted neighbours of eight pixels, summed in registers.

It emits vector instructions with llvmlite, as `vectors` does. In plain numba the sums of a dozen channels cannot stay
in registers over a loop of unknown length, and LLVM cannot prove that the arrays do not overlap. The gated CRF loss
then has the same bits but takes 4.9 times as long (`benchmarks/plain_numba.py`).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from underpaint.kernels.vectors import VECTOR, Matrix, is_matrix, multiply_add

MOST = 12
"""Largest number of channels that are summed together. With two weights they take 14 of the 16 registers of AVX2."""


def group_size(channels: int) -> int:
    """Channels of a group, at most `MOST`, if there are as few equal groups as possible; the last group is padded."""
    return math.ceil(channels / math.ceil(channels / MOST))


def _sum_neighbours(
    typing: Any, sums: Any, x: Any, weights: Any, q: Any, shifts: Any, values: Any, p: Any, first: Any, count: Any
) -> Any:
    whole = isinstance(shifts, types.Array) and (shifts.ndim, shifts.layout, shifts.dtype) == (1, "C", types.int64)
    if not (whole and all(is_matrix(a, types.float32) for a in (sums, weights, values))):
        return None

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kinds = signature.args
        out, weight, value = (Matrix(context, builder, kinds[a], arguments[a]) for a in (0, 2, 5))
        shift = context.make_array(kinds[4])(context, builder, arguments[4])
        offsets = builder.extract_value(shift.shape, 0)

        def load(start: Any) -> Any:
            return builder.load(builder.bitcast(start, VECTOR.as_pointer()), align=4)

        def emit(channels: int) -> None:
            with builder.goto_entry_block():
                totals = [builder.alloca(VECTOR) for _ in range(channels)]
            for total in totals:
                builder.store(ir.Constant(VECTOR, None), total)
            own = builder.gep(value.row(arguments[7]), [arguments[6]])
            with cgutils.for_range(builder, offsets) as loop:
                step = builder.load(builder.gep(shift.data, [loop.index]))
                back = builder.neg(step)
                pair = builder.gep(weight.row(loop.index), [arguments[3]])
                ahead, behind = load(pair), load(builder.gep(pair, [back]))
                for g, total in enumerate(totals):
                    at = builder.gep(own, [builder.mul(value.length, ir.Constant(value.length.type, g))])
                    sum_ = multiply_add(builder, builder.load(total), ahead, load(builder.gep(at, [step])))
                    builder.store(multiply_add(builder, sum_, behind, load(builder.gep(at, [back]))), total)
            for g, total in enumerate(totals):
                row = builder.add(arguments[7], ir.Constant(arguments[7].type, g))
                place = builder.gep(out.row(row), [arguments[1]])
                builder.store(builder.load(total), builder.bitcast(place, VECTOR.as_pointer()), align=4)

        after = builder.append_basic_block("after")
        choice = builder.switch(arguments[8], after)
        for channels in range(1, MOST + 1):
            block = builder.append_basic_block(f"channels{channels}")
            choice.add_case(ir.Constant(arguments[8].type, channels), block)
            builder.position_at_end(block)
            emit(channels)
            builder.branch(after)
        builder.position_at_end(after)
        return context.get_dummy_value()

    return types.void(
        sums, types.intp, weights, types.intp, shifts, values, types.intp, types.intp, types.intp
    ), generate


sum_neighbours: Callable[..., None] = intrinsic(_sum_neighbours)
"""``sum_neighbours(sums, x, weights, q, shifts, values, p, first, count)``: for ``count`` channels c from ``first``
on, and for i from 0 to 7,
``sums[c, x + i] = sum_o weights[o, q + i] values[c, p + i + shifts[o]]
+ weights[o, q + i - shifts[o]] values[c, p + i - shifts[o]]``. Indices are not checked; ``count`` is at most `MOST`."""
