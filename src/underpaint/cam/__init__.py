"""Floor 3: from the response maps of a classifier to labels of pixels."""
