"""Shards of results for many images: manifests, the plan, the files of shards, and reading them. Imports no torch."""
