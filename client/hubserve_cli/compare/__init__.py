"""Compare the answers of two models to the same images, and judge whether the second may replace the first."""
