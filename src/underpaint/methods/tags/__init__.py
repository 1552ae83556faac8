"""Shared parts of the methods for tags (cam, rrm, sc-cam): classifiers, scores from response maps, and refinement."""
