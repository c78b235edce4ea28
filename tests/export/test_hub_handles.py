"""Every form of name that a page, a README or a code sample shows is read as the model that it names."""

import pytest

from hubserve_export import SourceError
from hubserve_export.hub.handles import Address, KaggleName, Name, PageError, TfhubName, is_name, parse

PNASNET = TfhubName("google/imagenet/pnasnet_large/classification", 4)
ON_KAGGLE = KaggleName("google", "pnasnet", "tensorFlow2", "large-classification", 1)
NEWEST_ON_KAGGLE = KaggleName("google", "pnasnet", "tensorFlow2", "large-classification", None)

FORMS: dict[str, Name] = {
    "https://tfhub.dev/google/imagenet/pnasnet_large/classification/4": PNASNET,
    "http://www.tfhub.dev/google/imagenet/pnasnet_large/classification/4/": PNASNET,
    "https://tfhub.dev/google/imagenet/pnasnet_large/classification/4?tf-hub-format=compressed": PNASNET,
    "https://tfhub.dev/google/imagenet/pnasnet_large/classification/4?tfhub-redirect=true": PNASNET,
    "tfhub.dev/google/imagenet/pnasnet_large/classification/4": PNASNET,
    "google/imagenet/pnasnet_large/classification/4": PNASNET,
    "tfhub:google/imagenet/pnasnet_large/classification/4": PNASNET,
    "tfhub:https://tfhub.dev/google/imagenet/pnasnet_large/classification/4": PNASNET,
    "https://www.kaggle.com/models/google/pnasnet/frameworks/tensorFlow2/variations/large-classification/versions/1": ON_KAGGLE,  # noqa: E501
    "https://www.kaggle.com/models/google/pnasnet/frameworks/TensorFlow2/variations/large-classification": NEWEST_ON_KAGGLE,  # noqa: E501
    "https://www.kaggle.com/models/google/pnasnet/tensorFlow2/large-classification/1?tfhub-redirect=true": ON_KAGGLE,
    "https://kaggle.com/models/google/pnasnet/TensorFlow2/large-classification/": NEWEST_ON_KAGGLE,
    "www.kaggle.com/models/google/pnasnet/tensorFlow2/large-classification/1#files": ON_KAGGLE,
    "https://www.kaggle.com/api/v1/models/google/pnasnet/tensorFlow2/large-classification/1/download": ON_KAGGLE,
    "google/pnasnet/tensorFlow2/large-classification/1": ON_KAGGLE,
    "google/pnasnet/tensorFlow2/large-classification": NEWEST_ON_KAGGLE,
    "kaggle:google/pnasnet/tensorFlow2/large-classification/1": ON_KAGGLE,
    "kaggle:google/pnasnet/TensorFlow2/large-classification": NEWEST_ON_KAGGLE,
    # As people copy them: with white space, quotation marks, capitals, percent-encoding and doubled slashes.
    " https://tfhub.dev/google/imagenet/pnasnet_large/classification/4\n": PNASNET,
    "<https://tfhub.dev/google/imagenet/pnasnet_large/classification/4>": PNASNET,
    "\u200bgoogle/imagenet/pnasnet_large/classification/4": PNASNET,
    '"google/imagenet/pnasnet_large/classification/4",': PNASNET,
    "HTTPS://TFHub.dev/google/imagenet/pnasnet_large/classification/4": PNASNET,
    "TFHub.dev/google/imagenet/pnasnet_large/classification/4": PNASNET,
    "TFHUB:google/imagenet/pnasnet_large/classification/4": PNASNET,
    "https://tfhub.dev/google%2Fimagenet%2Fpnasnet_large%2Fclassification/4": PNASNET,
    "https%3A%2F%2Ftfhub.dev%2Fgoogle%2Fimagenet%2Fpnasnet_large%2Fclassification%2F4": PNASNET,
    "https://tfhub.dev//google/imagenet/pnasnet_large//classification/4/": PNASNET,
    "google/imagenet/pnasnet_large/classification//4//": PNASNET,
    "google/imagenet/pnasnet_large/classification/4?tf-hub-format=compressed": PNASNET,
    "https://WWW.KAGGLE.COM/models/google/pnasnet/tensorFlow2/large-classification/1": ON_KAGGLE,
    "https://www.kaggle.com//models/google//pnasnet/tensorFlow2/large-classification//1/": ON_KAGGLE,
    "https://www.kaggle.com/models/google/pnasnet/tensorFlow2/large-classification/versions/1": ON_KAGGLE,
    "https://www.kaggle.com/models/google/pnasnet/tensorFlow2/large-classification/1?select=saved_model.pb": ON_KAGGLE,
    # A name of Kaggle at the address of tfhub.dev, as versions of hubserve before 0.2 wrote it.
    "tfhub:google/pnasnet/tensorFlow2/large-classification/1": ON_KAGGLE,
    "https://tfhub.dev/google/pnasnet/tensorFlow2/large-classification/1": ON_KAGGLE,
}


@pytest.mark.parametrize(("form", "meant"), FORMS.items(), ids=list(FORMS))
def test_every_form_is_read(form: str, meant: Name) -> None:
    assert is_name(form)
    assert parse(form) == meant


@pytest.mark.parametrize("name", {PNASNET, ON_KAGGLE, NEWEST_ON_KAGGLE})
def test_a_name_reads_as_itself(name: TfhubName | KaggleName) -> None:
    assert parse(str(name)) == parse(name.url) == name


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:9/me/miniature/1",
        "https://hub.example.com/models/a/1?token=x",
        "https://storage.example.com/pnasnet.tar.gz",
    ],
)
def test_an_address_elsewhere_stays_as_it_is(url: str) -> None:
    assert parse(url) == Address(url)


def test_the_format_in_the_query_of_an_address_is_ignored() -> None:
    assert parse("https://hub.example.com/a/1?tf-hub-format=compressed&b=2") == Address(
        "https://hub.example.com/a/1?b=2"
    )


def test_a_module_may_have_no_version_yet() -> None:
    assert parse("tfhub:google/imagenet/pnasnet_large/classification") == TfhubName(PNASNET.path, None)


@pytest.mark.parametrize(
    ("form", "page"),
    [
        ("https://www.kaggle.com/models/google/pnasnet", "google/pnasnet"),
        ("https://www.kaggle.com/models/google/pnasnet?tfhub-redirect=true", "google/pnasnet"),
        ("https://www.kaggle.com/models/google/pnasnet/frameworks/tensorFlow2", "google/pnasnet/tensorFlow2"),
        ("kaggle:google/pnasnet", "google/pnasnet"),
        ("https://www.kaggle.com/models/google/pnasnet/code", "google/pnasnet"),
        ("https://www.kaggle.com/models/google/pnasnet/discussion?sort=hot", "google/pnasnet"),
    ],
)
def test_a_page_without_its_variation_says_which_page(form: str, page: str) -> None:
    with pytest.raises(PageError, match="names none of its variations") as raised:
        parse(form)
    assert raised.value.page == page


@pytest.mark.parametrize(
    ("form", "says"),
    [
        (
            "https://www.kaggle.com/models/google/mobilenet-v3/TfJs/large-100/1",
            "of the framework tfJs, which export does not",
        ),
        ("https://www.kaggle.com/code/someone/notebook", "is not the page of a model"),
        ("https://www.kaggle.com/models/a/b/caffe2/c/1", "caffe2 where Kaggle has a framework"),
        ("google/pnasnet/tensorFlow2/large-classification/newest", "newest where Kaggle has a version"),
        ("kaggle:google/../tensorFlow2/x/1/2/3", "is not the name of a model on Kaggle"),
        ("https://tfhub.dev/google/collections/image/1", "names no single module"),
        ("https://tfhub.dev/", "names no single module"),
        ("google/pnasnet/tensorFlow2/large-classification/latest", "latest where Kaggle has a version; give a number"),
        ("google/pnasnet/tensorFlow2/large-classification/0", "0 where Kaggle has a version; give a number from 1 on"),
        ("google/pnasnet/tensorFlow2/large-classification/-1", "-1 where Kaggle has a version"),
        ("kaggle:google/imagenet/pnasnet_large/classification/4", "a name of TensorFlow Hub without kaggle:"),
        ("kaggle:google/../tensorFlow2/x", "is not the name of a model on Kaggle"),
        ("https://tfhub.dev/google/../../x/1", "names no single module"),
        (
            "https://tfhub.dev/google/lite-model/imagenet/mobilenet_v3_large_100_224/classification/5/default/1",
            "is a model for TensorFlow Lite, which export does not read",
        ),
        (
            "https://tfhub.dev/google/tfjs-model/imagenet/mobilenet_v1_100_224/classification/3/default/1",
            r"TensorFlow\.js",
        ),
        ("https://[::1", "is not an address; copy the address"),
        ("https://", "is not an address; copy the address"),
        ("https://example.com:99999/m/1", "is not an address; copy the address"),
        ("hf://keras/resnet_50_imagenet", "download its folder with huggingface_hub"),
        ("hf:keras/resnet_50_imagenet", "presets of KerasHub are on Kaggle too"),
        ("https://huggingface.co/keras/resnet_50_imagenet", "presets of KerasHub are on Kaggle too"),
    ],
)
def test_a_source_that_is_not_a_model_is_refused_with_the_reason(form: str, says: str) -> None:
    with pytest.raises(SourceError, match=says):
        parse(form)


@pytest.mark.parametrize(
    "path",
    [
        "models/mine",
        "my-model",
        "models/mine.keras",
        "./models/1",
        "/models/1",
        "../models/1",
        "a/../1",
        "a b/1",
        "",
        "a\0b/1",
        "models/\u0664",
        "C:\\models\\1",
    ],
)
def test_a_path_is_not_a_name(path: str) -> None:
    assert not is_name(path)
