"""Floor 3: losses as functions of tensors. Each docstring gives formula, source, and the value without targets."""
