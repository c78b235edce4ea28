"""Share what the adapters for Spark, Ray and Beam need: from a table's column to images, and from results to rows."""
