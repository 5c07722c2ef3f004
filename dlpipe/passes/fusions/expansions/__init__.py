"""How composed operators are written out in simpler ones, a file for each kind."""
