"""Classify any number of images: find them, write a record for each, and go on with an interrupted run."""
