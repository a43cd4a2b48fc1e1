"""Faults of all kinds at once, on the real parts, and an observer that judges what Certward makes of them."""
