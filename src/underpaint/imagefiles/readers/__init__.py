"""Readers of image files by kind, each on the library of its field, behind one interface (`base.OpenImage`)."""
