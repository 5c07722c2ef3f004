"""A reference interpreter of Caffe nets in NumPy: written from what the layers are defined to compute, number by number
and in double precision, with nothing in common with the converter but the reading of the files."""
