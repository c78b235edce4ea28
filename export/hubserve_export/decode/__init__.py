"""Encoded images to model input, inside the graph.

Everything here builds TensorFlow ops that a stock server has, and all of it runs on the CPU. Each format has a module
with the same two functions, some of which need more than the first bytes:

    size(head)           -> height, width   int64 scalars, from the header alone
    decode(data, head)   -> image, exif     uint8 [height, width, 3], composited over white; string scalar

GIF and BMP have no EXIF, and give the image alone. `batch` puts them together. A function that meets bytes it cannot
read fails as a TensorFlow op (InvalidArgumentError): `batch.decode_batch` turns that into status 1 for the one image.
"""
