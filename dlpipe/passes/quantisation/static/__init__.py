"""Static int8: what is observed, where quantisers stand, and what they are."""
