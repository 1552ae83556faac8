"""Floor 1: readers and writers of images, masks, data sets and hints. Imports no torch."""
