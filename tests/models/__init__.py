"""Networks that the tests export and serve in place of downloaded ones."""
