"""From a TensorFlow Hub model to a model directory that TensorFlow Serving can load."""
