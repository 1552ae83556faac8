"""Floor 1: annotation formats, one folder for each; `registry` lists them. Imports no torch."""
