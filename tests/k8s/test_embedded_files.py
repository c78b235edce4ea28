"""The files inside the manifests say what they are meant to, in TF Serving's own messages."""

import pytest
from google.protobuf import text_format

from hubserve_serve._engines._session_configs import read
from k8s.embedded import PARSERS
from k8s.manifests import K8S, ROOT, flags, with_components

_BASE = K8S / "base" / "config"


def parsed(flag: str, *components: str):
    build = with_components(*components)
    ((pod, container),) = build.servers()
    return PARSERS[flag](build.config(pod, flags(container)[flag]))


def test_the_server_takes_one_version_of_the_model():
    (model,) = parsed("model_config_file").model_config_list.config
    assert (model.name, model.base_path, model.model_platform) == ("pnasnet", "/models/pnasnet", "tensorflow")
    assert list(model.model_version_policy.specific.versions) == [1]


def test_a_canary_is_served_beside_the_stable_version():
    (model,) = parsed("model_config_file", "canary").model_config_list.config
    assert list(model.model_version_policy.specific.versions) == [1, 2]
    assert dict(model.version_labels) == {"stable": 1, "canary": 2}


def test_a_bucket_takes_the_place_of_the_volume():
    (model,) = parsed("model_config_file", "model-gcs").model_config_list.config
    assert model.base_path.startswith("gs://")


def test_the_batching_file_says_only_what_the_server_takes_from_it():
    assert [field.name for field, _ in parsed("batching_parameters_file").ListFields()] == ["num_batch_threads"]


def test_metrics_are_on():
    assert parsed("monitoring_config_file").prometheus_config.enable


def test_mixed_precision_is_what_hubserve_serve_ships():
    mine = K8S / "components" / "mixed-precision" / "mixed-precision-xla-gpu.pbtxt"
    theirs = ROOT / "serve" / "hubserve_serve" / "data" / mine.name
    assert mine.read_bytes() == theirs.read_bytes()
    options = parsed("tensorflow_session_config_file", "mixed-precision").graph_options
    assert options.rewrite_options.auto_mixed_precision
    assert options.optimizer_options.global_jit_level


def test_mixed_precision_has_the_flags_that_hubserve_serve_gives():
    ((_, container),) = with_components("mixed-precision").servers()
    assert set(read("mixed-precision-xla-gpu").flags) <= set(container["args"])


@pytest.mark.parametrize("flag", PARSERS)
def test_a_file_that_the_server_would_refuse_is_refused(flag):
    with pytest.raises(text_format.ParseError):
        PARSERS[flag]("nonsense: 1")
