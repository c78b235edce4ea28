"""Deploy TensorFlow Hub image models on TensorFlow Serving, and ask them for answers over gRPC."""
