"""How good a model's answers are: each metric in a file of its kind. Worker side."""
