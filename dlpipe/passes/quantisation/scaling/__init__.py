"""Scales that move from one layer into the next: the same function, in numbers that 8 bits suit better."""
