"""Floor 1: data sets: photographs, masks, splits and hints together, and the conversion of hints. Imports no torch."""
