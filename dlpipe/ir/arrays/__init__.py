"""Worker code: arrays in files. A library of calls (`ir.ARRAYS`): `from ..arrays import npz`."""
