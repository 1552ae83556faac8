"""Layer 3: encoders and decoders of timm and segmentation-models-pytorch, the optional heads, bundled weights."""
