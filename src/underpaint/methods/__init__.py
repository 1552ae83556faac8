"""Layer 4: the methods. Each consists of settings and a few hooks; see `underpaint.methods.base`."""
