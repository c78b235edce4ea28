"""Encoded images to model input, inside the graph.

Everything here builds TensorFlow ops that a stock server has, and all of it runs on the CPU. Each format has a module
with the same two functions:

    size(head)           -> height, width   int64 scalars, from the first bytes alone
    decode(data, head)   -> image           uint8 [height, width, 3], composited over white

and `batch` puts them together. A function that meets bytes it cannot read fails as a TensorFlow op
(InvalidArgumentError): `batch.decode_batch` turns that into status 1 for the one image.
"""
