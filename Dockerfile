# syntax=docker/dockerfile:1
#
#   docker build --target model  --build-arg MODEL=models/pnasnet -t pnasnet-model:1 .   a model directory, to copy from
#   docker build --target client -t hubserve-client:1 .                                  the command that calls servers
#   docker build --target export -t hubserve-export:1 .                                  the command that exports models

# A model's base folder at /pnasnet. The manifests copy it from here with cp, or mount the image itself.
FROM busybox:1.37.0 AS model
ARG MODEL=models/pnasnet
COPY --chown=10001:10001 ${MODEL} /pnasnet
USER 10001:10001

FROM python:3.12-slim AS build
WORKDIR /src
COPY constraints.txt pyproject.toml README.md LICENSE ./
COPY model model
COPY export export
COPY serve serve
COPY client client
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
