"""`dlpipe bisect`: the first node at which two models part."""
