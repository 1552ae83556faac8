"""The network of tests that train, where its answers do not matter."""

TINY = ["model.encoder=test_efficientnet", "model.weights=none", "model.width=32", "model.scale=1"]
"""100,000 weights, a thirtieth of the usual ones: so is the time of a step, and the size of a checkpoint. The images of
the tests are small, and are not enlarged."""
