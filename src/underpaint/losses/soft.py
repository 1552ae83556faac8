"""Cross-entropy against soft labels."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F

from underpaint.losses.candidates import nothing
from underpaint.records import NetOutput


def soft_cross_entropy(out: NetOutput, soft: Tensor, valid: Tensor) -> Tensor:
    """``-(1/S) sum_p sum_k s_pk log softmax(z_p)[k]`` over the cells of the decoder's grid; S is the sum of all s_pk.

    The soft labels are averaged over each cell. Stored soft labels have no finer resolution than the grid.

    Args:
        out: Network output, logits (N, C, h, w).
        soft: (N, C, H, W) in [0, 1], summing to 1 over C at labelled pixels and to 0 elsewhere.
        valid: (N, H, W) bool, False on padding.

    Returns:
        A scalar; a zero on the graph if no pixel is labelled.
    """
    size = (out.logits.shape[2], out.logits.shape[3])
    cells = F.adaptive_avg_pool2d(soft * valid[:, None], size)
    total = cells.sum()
    if float(total) == 0:
        return nothing(out.logits)
    return -(cells * out.logits.float().log_softmax(dim=1)).sum() / total
