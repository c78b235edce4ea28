"""The session configs of hubserve: TensorFlow reads them, and they have their effect."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from google.protobuf import text_format
from tensorflow.core.protobuf import config_pb2, rewriter_config_pb2

from hubserve_model import SessionConfigError
from hubserve_model.session_configs import read, shipped
from hubserve_serve import EmbeddedServer
from hubserve_serve._session import SavedModelSession
from serve.calls import calling, request
from support.photographs import CHELSEA, COFFEE
from support.session import LoadedVersion

PHOTOGRAPHS = [path.read_bytes() for path in (CHELSEA, COFFEE)]
ON = rewriter_config_pb2.RewriterConfig.ON


def parsed(name: str) -> config_pb2.ConfigProto:
    return text_format.Parse(read(name).text, config_pb2.ConfigProto())


@pytest.fixture
def without_warmup(tmp_path: Path) -> Callable[[Path], Path]:
    """Make a copy of a model directory that loads faster."""

    def copy(base: Path) -> Path:
        return shutil.copytree(base, tmp_path / base.name, ignore=shutil.ignore_patterns("assets.extra"))

    return copy


def logits(base: Path, name: str) -> np.ndarray:
    """The logits [2, C] of the photographs, from an embedded server with this session config."""
    with EmbeddedServer(base, session_config=read(name).file) as server, calling(server.target) as caller:
        message = request("logits", model=base.name, image_bytes=PHOTOGRAPHS)
        return tf.make_ndarray(caller.prediction.Predict(message, timeout=120).outputs["logits"])


def computes_in_bfloat16() -> bool:
    """Tell whether oneDNN has bfloat16 on this CPU; elsewhere TensorFlow passes over the rewrite.

    TensorFlow's rule (`IsDataTypeSupportedByOneDNNOnThisCPU`, util/util.cc) is AVX512F or AVX-NE-CONVERT.
    """
    cpuinfo = Path("/proc/cpuinfo").read_text(encoding="utf-8").split()
    return "avx512f" in cpuinfo or "avx_ne_convert" in cpuinfo


def error(found: np.ndarray, expected: np.ndarray) -> float:
    """The largest difference of a logit, as a part of the range of its image's logits."""
    spread = expected.max(axis=1) - expected.min(axis=1)
    return float((np.abs(found - expected).max(axis=1) / spread).max())


def test_tensorflow_reads_every_one_of_them() -> None:
    assert shipped() == ("bfloat16-cpu", "mixed-precision-xla-gpu")
    assert parsed("bfloat16-cpu").graph_options.rewrite_options.auto_mixed_precision_onednn_bfloat16 == ON
    options = parsed("mixed-precision-xla-gpu").graph_options
    assert options.rewrite_options.auto_mixed_precision == ON
    assert options.optimizer_options.global_jit_level == config_pb2.OptimizerOptions.ON_1


@pytest.mark.slow
@pytest.mark.parametrize("model", ["lite0_dir", "miniature_dir"])
def test_bfloat16_changes_the_logits_a_little_and_no_label(
    model: str, without_warmup: Callable[[Path], Path], request: pytest.FixtureRequest
) -> None:
    base = request.getfixturevalue(model)
    exact = LoadedVersion(base / "1").run("logits", image_bytes=PHOTOGRAPHS)["logits"]
    rounded = logits(without_warmup(base), "bfloat16-cpu")
    # bfloat16 has 8 bits of precision. Not to differ at all would mean that the config did nothing.
    assert (error(rounded, exact) > 1e-4) == computes_in_bfloat16()
    assert error(rounded, exact) < 0.05
    assert rounded.argmax(axis=1).tolist() == exact.argmax(axis=1).tolist()


def test_the_config_for_gpus_does_no_harm_without_one(light_dir: Path) -> None:
    feeds, answers = {}, []
    for config in (None, parsed("mixed-precision-xla-gpu")):
        session = SavedModelSession(light_dir / "1", config)
        signature = session.signatures["logits"]
        feeds[signature.inputs["image_bytes"].name] = np.array(PHOTOGRAPHS, object)
        answers += session.run(feeds, [signature.outputs["logits"].name])
        session.close()
    assert error(answers[1], answers[0]) < 1e-5


def test_one_pass_of_optimization_gives_the_same_answers_as_two(light_dir: Path) -> None:
    found = []
    for config, passes in ((None, "ONE"), (config_pb2.ConfigProto(), "DEFAULT_NUM_ITERS")):
        session = SavedModelSession(light_dir / "1", config)
        rewrites = session._session._config.graph_options.rewrite_options
        number = rewriter_config_pb2.RewriterConfig.NumIterationsType.Value(passes)
        assert rewrites.meta_optimizer_iterations == number
        signature = session.signatures["logits"]
        feeds = {signature.inputs["image_bytes"].name: np.array(PHOTOGRAPHS, object)}
        found += session.run(feeds, [signature.outputs["logits"].name])
        session.close()
    assert found[0].tobytes() == found[1].tobytes()


def test_a_file_is_read_where_no_shipped_one_has_the_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("bfloat16-cpu").write_text("allow_soft_placement: true")
    assert read("./bfloat16-cpu").text == "allow_soft_placement: true"
    assert "onednn" in read("bfloat16-cpu").text


def test_a_wrong_name_is_reported_with_the_names_that_exist(tmp_path: Path) -> None:
    with pytest.raises(SessionConfigError, match=r"cannot read the session config bfloat15 .*No such file.* one of "):
        read("bfloat15")
    broken = tmp_path / "broken.pbtxt"
    broken.write_text("graph_options {")
    with pytest.raises(SessionConfigError, match=r"cannot read the session config .*broken\.pbtxt"):
        read(str(broken))


@pytest.mark.parametrize("fraction", ["nan", "inf", "-inf", "-0.5"])
def test_a_fraction_of_memory_that_is_none_is_refused(tmp_path: Path, fraction: str) -> None:
    (file := tmp_path / "session.pbtxt").write_text(f"gpu_options {{ per_process_gpu_memory_fraction: {fraction} }}")
    with pytest.raises(SessionConfigError, match=r"per_process_gpu_memory_fraction .*: give a finite number"):
        read(str(file))


@pytest.mark.parametrize(
    ("text", "flags"),
    [
        ("allow_soft_placement: true  # nothing that the server overwrites", ()),
        ("graph_options { optimizer_options { global_jit_level: OFF } }", ()),
        ("graph_options { optimizer_options { global_jit_level: ON_1 } }", ("--xla_gpu_compilation_enabled=true",)),
        ("inter_op_parallelism_threads: 2", ("--tensorflow_inter_op_parallelism=2",)),
        ("gpu_options { allow_growth: true }", ()),
    ],
)
def test_what_tensorflow_serving_overwrites_goes_to_it_as_flags(
    tmp_path: Path, text: str, flags: tuple[str, ...]
) -> None:
    file = tmp_path / "session.pbtxt"
    file.write_text(text)
    text_format.Parse(text, config_pb2.ConfigProto())
    assert read(str(file)).flags == flags
