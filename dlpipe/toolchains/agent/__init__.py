"""Boards elsewhere: the program that runs there, and how the host speaks to it."""
