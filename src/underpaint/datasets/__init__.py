"""Layer 1: data sets with their images, masks, splits and hints, and the conversion of hints. Imports no torch."""
