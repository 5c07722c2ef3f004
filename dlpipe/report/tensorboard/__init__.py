"""A run as TensorBoard's event files, written by tensorboardX in a toolchain of its own: no TensorFlow is needed."""
