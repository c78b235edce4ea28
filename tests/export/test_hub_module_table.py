"""The table of the hub's image modules: its content, twins on Kaggle, and suggestions for mistyped names."""

import pytest

from hubserve_export import SourceError, _conventions
from hubserve_export.hub import module_table
from hubserve_export.hub.handles import TfhubName, parse

# As the public list of OpenVINO's tests has them, with the newest version that it names.
SEEN_ON_KAGGLE = {
    "google/imagenet/pnasnet_large/feature_vector/5": "google/pnasnet/tensorFlow2/large-feature-vector/2",
    "google/imagenet/mobilenet_v2_130_224/classification/5": "google/mobilenet-v2/tensorFlow2/130-224-classification/2",
    "google/imagenet/mobilenet_v3_small_075_224/feature_vector/5": "google/mobilenet-v3/tensorFlow2/small-075-224-feature-vector/1",  # noqa: E501
    "google/imagenet/mobilenet_v1_050_160/quantops/classification/3": "google/mobilenet-v1/tensorFlow1/050-160-quantops-classification/2",  # noqa: E501
    "google/imagenet/efficientnet_v2_imagenet21k_b0/classification/2": "google/efficientnet-v2/tensorFlow2/imagenet21k-b0-classification/1",  # noqa: E501
    "google/imagenet/efficientnet_v2_imagenet21k_s/feature_vector/2": "google/efficientnet-v2/tensorFlow2/imagenet21k-s-feature-vector/2",  # noqa: E501
    "google/tf2-preview/mobilenet_v2/feature_vector/4": "google/mobilenet-v2/tensorFlow2/tf2-preview-feature-vector/4",
    "google/inaturalist/inception_v3/feature_vector/5": "google/inception-v3/tensorFlow2/inaturalist-inception-v3-feature-vector/2",  # noqa: E501
    "google/cropnet/classifier/cassava_disease_V1/2": "google/cropnet/tensorFlow2/classifier-cassava-disease-v1/1",
    "google/edgetpu/vision/mobilenet-edgetpu-v2-feature-vector/l/2": "google/mobilenet-edgetpu-v2/tensorFlow2/feature-vector-l/2",  # noqa: E501
    "google/bit/m-r50x1/ilsvrc2012_classification/1": "google/bit/tensorFlow2/m-r50x1-ilsvrc2012-classification/1",
    "google/experts/bit/r50x1/in21k/living_thing/1": "google/experts-bit/tensorFlow2/r50x1-in21k-living-thing/1",
    "google/efficientnet/b0/feature-vector/1": "google/efficientnet/tensorFlow1/b0-feature-vector/1",
    "tensorflow/efficientnet/b0/feature-vector/1": "tensorflow/efficientnet/tensorFlow2/b0-feature-vector/1",
    "tensorflow/efficientnet/lite0/classification/2": "tensorflow/efficientnet/tensorFlow1/lite0-classification/2",
    "google/aiy/vision/classifier/food_V1/1": "google/aiy/tensorFlow1/vision-classifier-food-v1/1",
    "sayakpaul/vit_s16_fe/1": "spsayakpaul/vision-transformer/tensorFlow2/vit-s16-fe/1",
    "sayakpaul/swin_base_patch4_window7_224/1": "spsayakpaul/swin/tensorFlow2/base-patch4-window7-224/1",
    "sayannath/mobilevit_s_1k_256_fe/1": "kaggle/mobilevit/tensorFlow2/s-1k-256-fe/1",
    "adityakane2001/regnety800mf_classification/1": "adityakane/regnety/tensorFlow2/800mf-classification/1",
}


def test_the_table_holds_every_image_module_of_the_public_index() -> None:
    modules = module_table.modules()
    assert len(modules) == 559
    assert sum(module.twin == "seen" for module in modules) == 330
    assert sum(module.kaggle is not None for module in modules) == 520
    assert all(module.versions and module.kind in ("classification", "feature_vector") for module in modules)


def test_a_module_has_what_its_page_says() -> None:
    pnasnet = module_table.find("google/imagenet/pnasnet_large/classification/4")
    assert pnasnet is not None
    assert (pnasnet.kind, pnasnet.size, pnasnet.pixels, pnasnet.classes, pnasnet.background) == (
        "classification",
        331,
        "unit",
        1001,
        True,
    )
    assert (pnasnet.tf1, pnasnet.tf2, pnasnet.twin) == ((1, 2, 3), (4, 5), "rule")
    vit = module_table.find("spsayakpaul/vision-transformer/tensorFlow2/vit-b16-fe")
    assert vit is not None
    assert (vit.path, vit.kind, vit.size, vit.pixels) == ("sayakpaul/vit_b16_fe", "feature_vector", 224, "tf")


@pytest.mark.parametrize(("tfhub", "kaggle"), SEEN_ON_KAGGLE.items(), ids=list(SEEN_ON_KAGGLE))
def test_twins_that_were_seen_are_found_both_ways(tfhub: str, kaggle: str) -> None:
    module = module_table.find(tfhub)
    assert module is not None
    assert module.twin == "seen"
    assert str(module_table.resolve(tfhub)[1]) == kaggle
    assert str(module_table.resolve(kaggle)[1]) == tfhub
    assert str(module_table.resolve(kaggle.rpartition("/")[0])[1]) == tfhub  # the newest


def test_every_twin_leads_back() -> None:
    for module in module_table.modules():
        for version in module.versions:
            twin = module.on_kaggle(version)
            if twin is not None:
                assert module_table.of_name(twin) is module
                assert module.on_tfhub(twin) == TfhubName(module.path, version)


def test_a_version_that_the_table_lacks_has_no_twin() -> None:
    assert module_table.resolve("google/imagenet/pnasnet_large/classification/6")[1] is None
    assert module_table.resolve("google/pnasnet/tensorFlow2/large-classification/3")[1] is None
    assert module_table.resolve("someone/model/tensorFlow2/a/1")[1] is None


def test_the_table_and_the_conventions_agree_on_pixels() -> None:
    for module in module_table.modules():
        for name in module.names():
            found = _conventions.preset(parse(name).url, "hub")
            assert (found and found[0]) == module.pixels


def test_nothing_is_assumed_about_other_models_on_kaggle() -> None:
    assert _conventions.preset("https://www.kaggle.com/models/someone/model/tensorFlow2/a/1", "hub") is None


@pytest.mark.parametrize(
    ("slip", "meant"),
    [
        ("google/imagenet/pnasnet_large/clasification/4", "google/imagenet/pnasnet_large/classification/5"),
        ("google/imagenet/pnasnet-large/classification/4", "google/imagenet/pnasnet_large/classification/5"),
        ("google/pnasnet/tensorFlow2/large_clasification/1", "google/pnasnet/tensorFlow2/large-classification/2"),
        ("google/efficientnet/b0/feature_vector/1", "google/efficientnet/b0/feature-vector/1"),
        (
            "https://tfhub.dev/google/imagenet/resnet_v2_50/feature_vectors/5",
            "google/imagenet/resnet_v2_50/feature_vector/5",
        ),
    ],
)
def test_a_name_that_nearly_matches_is_suggested_in_its_own_form(slip: str, meant: str) -> None:
    assert module_table.similar(slip)[0] == meant
    assert module_table.did_you_mean(slip).startswith(f"did you mean {meant}")


def test_nothing_is_suggested_for_what_is_like_no_module() -> None:
    assert module_table.did_you_mean("models/mine/1") == ""


@pytest.mark.parametrize(
    ("form", "says"),
    [
        (
            "https://www.kaggle.com/models/google/pnasnet",
            "choose one: google/pnasnet/tensorFlow2/large-classification/2, google/pnasnet/tensorFlow2/large-feature-vector/2",  # noqa: E501
        ),
        ("kaggle:google/pnasnet/tensorFlow1", "choose a variation on that page"),
        ("kaggle:google/mobilenet-v2", "more (hubserve models lists them)"),
        ("kaggle:someone/model", "choose a variation on that page, and give owner/model/framework/variation"),
        (
            "kaggle:google/pnasnet/tfJs/large-classification/1",
            "choose one: google/pnasnet/tensorFlow2/large-classification/2",
        ),
        (
            "tfhub:google/imagenet/pnasnet_large/classification",
            "names no version; give one of google/imagenet/pnasnet_large/classification/5, ",
        ),
        ("tfhub:google/bit/m-r50x1", "names no version; give google/bit/m-r50x1/1"),
        ("tfhub:someone/model", "names no version; add one, such as someone/model/1"),
        (
            "https://tfhub.dev/google/imagenet/pnasnet_large/classification/latest",
            "latest where the hub has a version; give one of google/imagenet/pnasnet_large/classification/5",
        ),
        ("tfhub:google/imagenet/pnasnet_large/classification/-1", "-1 where the hub has a version; give one of"),
        (
            "https://tfhub.dev/google/lite-model/imagenet/mobilenet_v3_large_100_224/classification/5/default/1",
            "its SavedModel is google/imagenet/mobilenet_v3_large_100_224/classification/5",
        ),
        (
            "https://www.kaggle.com/models/google/mobilenet-v3/frameworks/tfLite/variations/large-100-224/versions/1",
            "is of the framework tfLite, which export does not read; choose one: google/mobilenet-v3/tensorFlow2/",
        ),
    ],
)
def test_what_is_missing_is_asked_for_by_name(form: str, says: str) -> None:
    with pytest.raises(SourceError) as raised:
        module_table.resolve(form)
    assert says in str(raised.value)


def test_kaggles_names_are_in_lower_case() -> None:
    assert module_table.resolve("Google/PNASNet/TensorFlow2/Large-Classification/1") == (
        parse("google/pnasnet/tensorFlow2/large-classification/1"),
        TfhubName("google/imagenet/pnasnet_large/classification", 4),
    )
