"""Features of images from a frozen encoder, stored on disk, and linear models that are fitted on them in seconds."""
