"""Decode images to model input, inside the graph.

All modules build TensorFlow ops that a stock server has, and all of them run on the CPU. Each format has a module with
the same two functions, some of which need more than the first bytes:

    size(head)           -> height, width   int64 scalars, from the header alone
    decode(data, head)   -> image, exif     uint8 [height, width, 3], composited over white; string scalar

GIF and BMP do not have EXIF, and return only the image. `batch` combines them. A function that meets bytes it cannot
read fails as a TensorFlow op (InvalidArgumentError), and `batch.decode_batch` gives that image status 1.
"""
