"""Compare what two models answer about the same images, and say whether the second one may replace the first."""
