"""Prepare images for a request: encode, convert and downscale them, and prefetch them while requests are in flight."""
