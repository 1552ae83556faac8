"""The method supervised: `method.py` has its class, the other files what no other method needs."""
