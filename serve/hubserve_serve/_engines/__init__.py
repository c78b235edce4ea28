"""What can run a model directory on this machine: TensorFlow Serving as a program or an image, or this process.

A `ServerDescription` says what to serve and where; every engine takes the same one.
"""
