"""Floor 1: image files and label images, what is read from them and what is refused. Imports no torch."""
