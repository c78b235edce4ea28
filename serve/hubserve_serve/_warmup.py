"""Warm up: replay the requests recorded with the model, so that the first caller does not wait."""

from __future__ import annotations

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import grpc
from google.protobuf.message import DecodeError
from tensorflow_serving.apis.prediction_log_pb2 import PredictionLog

from hubserve_model import InspectError, WarmupError, integrity, manifest
from hubserve_model.warmup import FILE, REMEDY, read_warmup

from ._classify import classify
from ._errors import LoadError, RequestError
from ._predict import DEFAULT_SIGNATURE, predict

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from ._servable import Servable


def recorded_requests(version_directory: Path) -> list[PredictionLog]:
    """Read the recorded requests; return an empty list if there is no file.

    Raises:
        LoadError: The file is not a TFRecord file of PredictionLogs, or has more than a thousand.
    """
    try:
        return list(map(PredictionLog.FromString, read_warmup(version_directory)))
    except WarmupError as error:
        raise LoadError(str(error)) from error
    except DecodeError as error:
        raise LoadError(f"{version_directory / FILE} holds a record that is not a PredictionLog: {REMEDY}") from error


def needed(version_directory: Path, logs: Sequence[PredictionLog], *, on_gpu: bool) -> list[tuple[int, PredictionLog]]:
    """Return the records to replay on this machine, with their numbers, counted from 1.

    A GPU prepares kernels for each batch size, a CPU does not. So without a GPU, records that add only a batch size are
    left out. The version's manifest says which these are, because export has proven them. If the version has no
    manifest, or the warm-up file is not the one that export wrote, all records are needed.

    Args:
        version_directory: The version's folder.
        logs: All its records, from `recorded_requests`.
        on_gpu: Whether TensorFlow has a GPU.
    """
    skipped = set() if on_gpu else _only_sizes(version_directory)
    return [(number, log) for number, log in enumerate(logs, 1) if number not in skipped]


def _only_sizes(version_directory: Path) -> set[int]:
    try:
        described = manifest.read(version_directory)
        hashes = {file["path"]: file["sha256"] for file in described["files"]}
        only_sizes = {number for number in described["warmup"]["only_sizes"] if isinstance(number, int)}
        same = hashes.get(FILE.as_posix()) == integrity.sha256(version_directory / FILE)
    except (InspectError, OSError, KeyError, TypeError):
        # A manifest of an earlier hubserve, of another program, or none.
        return set()
    return only_sizes if same else set()


def replay(servable: Servable, logs: Sequence[tuple[int, PredictionLog]]) -> None:
    """Answer recorded requests, and drop the answers.

    The signatures run side by side, each its own records in their order: preparing a signature keeps one processor
    busy, and TensorFlow's kernels all. TF Serving can do the same (`num_model_warmup_threads`).

    Args:
        servable: The loaded version.
        logs: The records with their numbers, from `needed`.

    Raises:
        LoadError: A request failed: the model could not answer it later either.
    """
    by_signature: dict[str, list[tuple[int, PredictionLog]]] = {}
    for number, log in logs:
        by_signature.setdefault(_signature(log), []).append((number, log))
    if not by_signature:
        return
    with ThreadPoolExecutor(min(len(by_signature), os.cpu_count() or 1), thread_name_prefix="warm-up") as pool:
        failed = threading.Event()
        running = [pool.submit(_replay_in_turn, servable, its, failed) for its in by_signature.values()]
    errors = [error for future in running if (error := future.exception()) is not None]
    if errors:
        raise errors[0]


def _replay_in_turn(servable: Servable, logs: Sequence[tuple[int, PredictionLog]], failed: threading.Event) -> None:
    for number, log in logs:
        if failed.is_set():
            return
        try:
            _replay(servable, log)
        except RequestError as error:
            failed.set()
            raise LoadError(
                f"warm-up record {number} of {servable.name} version {servable.version} fails ({error}): {REMEDY}"
            ) from error
        except BaseException:
            failed.set()
            raise


def _signature(log: PredictionLog) -> str:
    kind = log.WhichOneof("log_type")
    request: Any = getattr(getattr(log, kind), "request", None) if kind else None
    spec = getattr(request, "model_spec", None)
    return getattr(spec, "signature_name", "") or DEFAULT_SIGNATURE


def _replay(servable: Servable, log: PredictionLog) -> None:
    kind = log.WhichOneof("log_type")
    if kind == "predict_log":
        predict(servable, log.predict_log.request)
    elif kind == "classify_log":
        classify(servable, log.classify_log.request)
    elif kind is not None:
        raise RequestError(grpc.StatusCode.UNIMPLEMENTED, f"Unsupported log_type for warmup: {kind}")
