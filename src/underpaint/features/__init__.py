"""Frozen features of images, computed once and kept, and the linear models that are fitted on them in seconds."""
