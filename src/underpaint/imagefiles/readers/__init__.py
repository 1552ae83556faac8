"""Readers of image files. Each uses a library for one kind of file, and all have the same interface (`OpenImage`)."""
