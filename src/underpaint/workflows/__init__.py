"""Floor 6: the verbs, one module each. `underpaint` gives them all, each imported when it is first asked for."""
