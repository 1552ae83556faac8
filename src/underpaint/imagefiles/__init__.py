"""Layer 1: image files and label images are found, decoded and checked here. Imports no torch."""
