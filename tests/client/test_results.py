"""Results feel at home in Python: as dicts, in pandas, in a notebook, and printed."""

import json
import sys

import numpy as np
import pytest

import hubserve
from hubserve import Classification, ClassScore, Client, Features, ImageError, UsageError
from hubserve.testing import FakeServer

CAT = Classification(
    source="cat.jpg",
    index=0,
    status=0,
    model_version=3,
    seconds=0.02,
    classes=tuple(ClassScore(number, f"class {number}", 0.5 / (number + 1)) for number in range(1000)),
)
BAD = Classification(source="bad.jpg", index=1, exception=ImageError("bad.jpg: No such file"))
VECTOR = Features(source="cat.jpg", index=0, status=0, vector=np.arange(1280, dtype=np.float32))


def test_a_result_is_a_dict_that_json_takes() -> None:
    document = json.loads(json.dumps(CAT.to_dict()))
    assert (document["source"], document["label"], document["score"], document["ok"]) == (
        "cat.jpg",
        "class 0",
        0.5,
        True,
    )
    assert document["classes"][1] == {"class_id": 1, "label": "class 1", "score": 0.25}
    assert len(document["classes"]) == 1000
    bad = json.loads(json.dumps(BAD.to_dict()))
    assert (bad["label"], bad["classes"], bad["error"]) == (None, [], "bad.jpg: No such file")
    assert json.loads(json.dumps(VECTOR.to_dict()))["vector"] == list(range(1280))


def test_reprs_are_short() -> None:
    assert repr(CAT) == "<Classification cat.jpg: class 0 0.5, 999 more>"
    assert repr(BAD) == "<Classification bad.jpg: bad.jpg: No such file>"
    assert repr(VECTOR) == "<Features cat.jpg: 1280 features>"
    assert repr(Classification(source="x", index=0, status=0, classes=(ClassScore(7, "", 1.0),))) == (
        "<Classification x: class 7 1>"
    )


def test_a_notebook_shows_a_table_in_which_names_and_labels_are_text() -> None:
    hostile = Classification(source="<b>", index=0, status=0, classes=(ClassScore(1, "<script>", 0.5),))
    assert hostile._repr_html_() == (
        "<table><caption>&lt;b&gt;</caption><tr><td>&lt;script&gt;</td><td>0.5</td></tr></table>"
    )
    assert "and 990 more" in CAT._repr_html_()
    assert "No such file" in BAD._repr_html_()
    assert "1280" in VECTOR._repr_html_()


def test_results_become_a_dataframe() -> None:
    pytest.importorskip("pandas")
    server = FakeServer(lambda image: 1 if image == b"bad" else {"cat": 0.9, "dog": 0.1})
    with server, Client(server.target, model="m") as client:
        frame = hubserve.to_pandas(client.classify([b"x", b"bad", "gone.jpg"]))
    assert list(frame.columns[:5]) == ["source", "label", "score", "class_id", "classes"]
    assert list(frame["source"]) == ["image 0", "image 1", "gone.jpg"]
    assert list(frame["label"].isna()) == [False, True, True]
    assert frame["score"].iloc[0] == pytest.approx(0.9)
    assert list(frame["ok"]) == [True, False, False]
    assert [str(frame[name].dtype) for name in ("score", "class_id", "status", "ok")] == [
        "float64",
        "Int64",
        "Int64",
        "bool",
    ]
    assert frame["status"].isna().tolist() == [False, False, True]
    assert frame["classes"].iloc[0][1].label == "dog"


def test_features_and_no_results_become_dataframes_and_a_mixture_is_refused() -> None:
    pytest.importorskip("pandas")
    frame = hubserve.to_pandas([VECTOR, Features(source="bad.jpg", index=1, status=1)])
    assert frame["vector"].iloc[0].shape == (1280,)
    assert "label" not in frame
    assert len(hubserve.to_pandas([])) == 0
    assert "label" in hubserve.to_pandas([])
    with pytest.raises(UsageError, match="not both in one call"):
        hubserve.to_pandas([VECTOR, CAT])
    with pytest.raises(UsageError, match="not a str"):
        hubserve.to_pandas(["cat.jpg"])


def test_without_pandas_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(UsageError, match=r"pip install 'hubserve\[pandas\]'"):
        hubserve.to_pandas([])
