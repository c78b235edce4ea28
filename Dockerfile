# syntax=docker/dockerfile:1
#
#   docker build --platform linux/amd64 --target client -t hubserve-client:1 .   the command that calls servers
#   docker build --platform linux/amd64 --target export -t hubserve-export:1 .   the command that exports models
#
# The image of a model is made by k8s/model.Dockerfile, or the one that `hubserve manifests` writes. The platform is that
# of TensorFlow Serving's image; without it a machine with another processor makes images that the cluster cannot run.

FROM python:3.12-slim AS build
WORKDIR /src
COPY constraints.txt pyproject.toml README.md LICENSE ./
COPY model model
COPY export export
COPY serve serve
COPY client client
COPY k8s k8s
# The pinned and hashed versions of everything, uv among them.
RUN sed -n '/^uv==/,/[^\\]$/p' constraints.txt > uv.txt \
    && pip install --no-cache-dir --require-hashes --requirement uv.txt

FROM build AS client-environment
RUN uv venv /opt/hubserve && uv pip install --no-cache --python /opt/hubserve --constraint constraints.txt .

FROM build AS export-environment
RUN uv venv /opt/hubserve && uv pip install --no-cache --python /opt/hubserve --constraint constraints.txt '.[demo]'

FROM python:3.12-slim AS client
COPY --from=client-environment /opt/hubserve /opt/hubserve
ENV PATH=/opt/hubserve/bin:$PATH HOME=/tmp
USER 10001:10001
ENTRYPOINT ["hubserve"]

FROM python:3.12-slim AS export
COPY --from=export-environment /opt/hubserve /opt/hubserve
ENV PATH=/opt/hubserve/bin:$PATH HOME=/tmp
USER 10001:10001
ENTRYPOINT ["hubserve"]
