"""Floor 2: pairwise sums over pixels. Knows tensors and numbers, and nothing of classes' meaning, files or methods."""
