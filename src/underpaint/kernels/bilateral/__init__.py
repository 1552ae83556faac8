"""The bilateral filter: a Gaussian of position and colour over all pairs of pixels, on the permutohedral lattice."""
