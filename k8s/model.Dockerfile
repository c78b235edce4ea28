# The model as an image. The context is the model directory, and nothing of it is left out:
#
#   docker build --platform linux/amd64 --file k8s/model.Dockerfile --tag pnasnet-model:1 models/pnasnet
#
# The base copies it from here with cp; components/model-image-volume mounts the image itself.
FROM busybox:1.37.0
COPY --chown=10001:10001 1 /pnasnet/1
USER 10001:10001
