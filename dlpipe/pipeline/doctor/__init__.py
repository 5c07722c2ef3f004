"""What is wrong around a model: the usual mistakes, tried on the user's labelled data."""
