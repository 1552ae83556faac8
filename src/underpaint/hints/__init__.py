"""Layer 1: hints as geometry with class names, and as sets of candidate classes a pixel. Imports no torch."""
