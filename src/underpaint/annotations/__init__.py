"""Floor 1: annotation formats, one folder each; `registry` lists them. Imports no torch."""
