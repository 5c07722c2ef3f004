"""Passes that train: fine-tuning, distillation, quantisation-aware training. Code of the toolchain `training`."""
