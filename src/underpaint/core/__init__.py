"""The lowest layer: class table, errors, configuration, files and processes. It does not import torch."""
