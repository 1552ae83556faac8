"""Layer 1: simulation of hints from full masks, for experiments. Imports no torch."""
