"""Layer 2: sums over pairs of pixels. Kernels know tensors and numbers, but no class names, files or methods."""
