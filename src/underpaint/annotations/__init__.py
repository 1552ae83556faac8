"""Annotation formats, one folder for each; `registry` lists them. This package does not import torch."""
