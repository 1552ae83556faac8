"""Layer 2: scores, gap and report, on NumPy arrays and files. Imports no torch, so it can score any tool's masks."""
