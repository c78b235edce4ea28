"""Which servable answers a request, and what is told about the versions there are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import grpc
from tensorflow_serving.apis import get_model_status_pb2

from ._errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tensorflow_serving.apis import model_pb2

    from ._servable import Servable


class Manager:
    """Knows the servables by name and version: ``Manager([servable]).find(request.model_spec)``."""

    def __init__(self, servables: Iterable[Servable]) -> None:
        self._models: dict[str, dict[int, Servable]] = {}
        for servable in servables:
            self._models.setdefault(servable.name, {})[servable.version] = servable

    def find(self, spec: model_pb2.ModelSpec) -> Servable:
        """Find the servable that a request means: the version it names, or the latest.

        Raises:
            RequestError: There is none such.
        """
        if not spec.name:
            raise RequestError(grpc.StatusCode.INVALID_ARGUMENT, "ModelSpec has no name specified.")
        versions = self._models.get(spec.name, {})
        choice = spec.WhichOneof("version_choice")
        if choice == "version_label":
            raise RequestError(
                grpc.StatusCode.INVALID_ARGUMENT, f"Unrecognized servable version label: {spec.version_label}"
            )
        wanted = spec.version.value if choice == "version" else max(versions, default=None)
        if wanted is None or wanted not in versions:
            meant = f"Specific({spec.name}, {wanted})" if choice == "version" else f"Latest({spec.name})"
            raise RequestError(grpc.StatusCode.NOT_FOUND, f"Servable not found for request: {meant}")
        return versions[wanted]

    def status(self, spec: model_pb2.ModelSpec) -> get_model_status_pb2.GetModelStatusResponse:
        """Tell the state of the version that the spec names, or of all versions of the model.

        Raises:
            RequestError: There is none such.
        """
        versions = sorted(self._models.get(spec.name, {}))
        # Only the number is looked at: TF Serving ignores a label here.
        if spec.HasField("version"):
            versions = [version for version in versions if version == spec.version.value]
            if not versions:
                raise RequestError(
                    grpc.StatusCode.NOT_FOUND, f"Could not find version {spec.version.value} of model {spec.name}"
                )
        if not versions:
            raise RequestError(grpc.StatusCode.NOT_FOUND, f"Could not find any versions of model {spec.name}")
        response = get_model_status_pb2.GetModelStatusResponse()
        for version in versions:
            entry = response.model_version_status.add(
                version=version, state=get_model_status_pb2.ModelVersionStatus.AVAILABLE
            )
            entry.status.SetInParent()
        return response
