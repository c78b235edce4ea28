"""Write Kubernetes manifests for a model directory, without TensorFlow.

The manifests are the files of `k8s/` in the repository, which are those of a model called `pnasnet`. Here they get the
names and the figures of another model.
"""
