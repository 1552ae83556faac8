"""The classes of PASCAL VOC."""

from __future__ import annotations

from underpaint.core.classes import ClassTable
from underpaint.formats.masks import voc_palette

VOC_NAMES = (
    "background", "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow",
    "diningtable", "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train", "tvmonitor",
)  # fmt: skip
"""The classes of PASCAL VOC 2007 to 2012 in the order of their mask values."""

VOC = ClassTable(VOC_NAMES, voc_palette(len(VOC_NAMES)), background=0)
"""The class table of a VOC devkit without a ``classes.txt`` of its own."""
