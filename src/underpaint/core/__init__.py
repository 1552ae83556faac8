"""Floor 0: class table, errors, configuration, seeded randomness. Imports no torch."""
