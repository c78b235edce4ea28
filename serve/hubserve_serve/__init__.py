"""Run a model directory on this machine, as TensorFlow Serving would."""
