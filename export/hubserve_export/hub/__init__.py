"""TensorFlow Hub and Kaggle Models: from a name to a folder on this machine. Nothing here needs TensorFlow."""
