"""Layer 3: images and hints as training samples; views (scale, crop, flip); loaders; synthetic scenes."""
