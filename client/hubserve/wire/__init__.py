"""TF Serving's wire messages, trimmed to what the client speaks, and free of TensorFlow.

The `.proto` files here are the sources; `scripts/generate-wire` makes the `_pb2` modules from them. Field numbers and
types are TF Serving's, so the bytes are the same. The names are not (`hubserve.wire.*`, never `tensorflow.*`): a
process that also loads TensorFlow would refuse a second registration of its names.
"""
