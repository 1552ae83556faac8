"""Floor 1: weak hints made from full masks, for experiments. Imports no torch."""
