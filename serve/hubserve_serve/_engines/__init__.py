"""Run a model directory on this machine: with TensorFlow Serving as a program or a container, or in this process.

A `ServerDescription` says what to serve and where; every engine takes the same one.
"""
