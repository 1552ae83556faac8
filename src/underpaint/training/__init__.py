"""Layer 5: the training loop, stages and artifacts, the run folder, checkpoints, optimiser and learning rate."""
