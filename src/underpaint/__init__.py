"""underpaint: from cheap hints on images to a segmentation network, masks, and the gap to full supervision."""

__version__ = "0.1.0"
