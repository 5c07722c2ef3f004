"""Fashion-MNIST: the data, a ResNet and how it is judged, for `fashion_pruning.py`."""
