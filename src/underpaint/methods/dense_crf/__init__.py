"""The method dense-crf-loss: `method.py` has its class, the other files what no other method needs."""
