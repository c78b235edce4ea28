"""TF Serving's wire messages, reduced to what the client uses, and without TensorFlow.

The `.proto` files here are the sources; `scripts/generate-wire` makes the `_pb2` modules from them. Field numbers and
types are TF Serving's, so that the bytes are the same. The names differ (`hubserve.wire.*`, never `tensorflow.*`),
because a process that also loads TensorFlow would refuse to register its names twice.
"""
