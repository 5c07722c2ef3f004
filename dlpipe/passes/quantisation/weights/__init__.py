"""Worker side: weights as small integers with a scale for each block; activations stay in float."""
