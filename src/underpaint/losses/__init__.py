"""Floor 3: losses as functions of tensors. Each names its formula, its source, and what nothing to learn returns."""
