"""Floor 4: the methods. Each is an inert configuration and few hooks; see `underpaint.methods.base`."""
