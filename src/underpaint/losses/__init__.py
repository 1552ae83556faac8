"""Layer 3: losses as functions of tensors. Each docstring states formula, source, and the value without targets."""
