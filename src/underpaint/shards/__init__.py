"""Many images as shards of results: manifests, the plan of the shards, their files, and reading them. Without torch."""
