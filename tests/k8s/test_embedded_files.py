"""The files inside the manifests say what they are meant to, in TF Serving's own messages."""

import pytest
from google.protobuf import text_format

from hubserve_model.session_configs import read
from k8s.embedded import PARSERS
from k8s.manifests import K8S, flags, with_components


def text(flag: str, *components: str) -> str:
    build = with_components(*components)
    ((pod, container),) = build.servers()
    return build.config(pod, flags(container)[flag]) or ""


def parsed(flag: str, *components: str):
    return PARSERS[flag](text(flag, *components))


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


# Component by component, the session config that it brings.
_SESSION_CONFIGS = {"mixed-precision": "mixed-precision-xla-gpu", "bfloat16-cpu": "bfloat16-cpu"}


@pytest.mark.parametrize("component", _SESSION_CONFIGS)
def test_a_session_config_is_what_hubserve_serve_ships_with_its_flags(component):
    shipped = read(_SESSION_CONFIGS[component])
    assert (K8S / "components" / component / shipped.file.name).read_bytes() == shipped.file.read_bytes()
    assert text("tensorflow_session_config_file", component) == shipped.text
    ((_, container),) = with_components(component).servers()
    assert set(shipped.flags) <= set(container["args"])


def test_mixed_precision_is_for_tensor_cores_and_xla():
    options = parsed("tensorflow_session_config_file", "mixed-precision").graph_options
    assert options.rewrite_options.auto_mixed_precision
    assert options.optimizer_options.global_jit_level


def test_bfloat16_is_onednns():
    options = parsed("tensorflow_session_config_file", "bfloat16-cpu").graph_options
    assert options.rewrite_options.auto_mixed_precision_onednn_bfloat16


@pytest.mark.parametrize("flag", PARSERS)
def test_a_file_that_the_server_would_refuse_is_refused(flag):
    with pytest.raises(text_format.ParseError):
        PARSERS[flag]("nonsense: 1")
