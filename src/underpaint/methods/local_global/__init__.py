"""The method local-global: `method.py` has its class, the other files what no other method needs."""
