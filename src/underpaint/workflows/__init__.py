"""Layer 6: the functions behind the commands, one module each. `underpaint` exports them and imports them lazily."""
