"""One loaded version of a model, which answers the RPCs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from hubserve_model import BatchingParametersError
from hubserve_model.batching_parameters import BatchingParameters, read_batching_parameters

from ._batching import BatchingSession
from ._errors import LoadError
from ._session import SavedModelSession, Session

if TYPE_CHECKING:
    from collections.abc import Mapping

    import tensorflow as tf
    from tensorflow.core.protobuf import meta_graph_pb2

    from ._store import VersionDirectory


@dataclass(frozen=True)
class Servable:
    """A version that can answer: ``servable.session.run({"x:0": array}, ["y:0"])``.

    Attributes:
        name: The model's name for callers.
        version: The version's number.
        signatures: The SignatureDefs by name.
        session: Runs the signatures.
        batching: The batching parameters; None: requests are not batched.
    """

    name: str
    version: int
    signatures: Mapping[str, meta_graph_pb2.SignatureDef]
    session: Session
    batching: BatchingParameters | None = None


def load_servable(name: str, directory: VersionDirectory, config: tf.compat.v1.ConfigProto | None = None) -> Servable:
    """Load a version, with batching if its directory has batching parameters.

    Raises:
        LoadError: The version cannot be loaded.
    """
    try:
        batching = read_batching_parameters(directory.path)
    except BatchingParametersError as error:
        raise LoadError(str(error)) from error
    model = SavedModelSession(directory.path, config)
    session: Session = model if batching is None else BatchingSession(model, batching)
    return Servable(name, directory.version, model.signatures, session, batching)
