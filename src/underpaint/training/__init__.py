"""Floor 5: the loop, stages and artifacts, the run folder, checkpoints, optimiser and schedule."""
