"""The exported graph keeps what serving needs, and none of what training does."""

from pathlib import Path

from hubserve_export import _saved_model_file
from support.graphs import nodes, training


def test_training_traces_are_left_behind(miniature_saved: Path, miniature_dir: Path) -> None:
    assert training(miniature_saved)
    assert training(miniature_dir / "1") == []


def test_the_model_itself_is_there_once_for_all_signatures(miniature_saved: Path, miniature_dir: Path) -> None:
    convolutions = [
        sum(node.op in ("Conv2D", "DepthwiseConv2dNative") for _, node in nodes(folder))
        for folder in (miniature_saved, miniature_dir / "1")
    ]
    # The hub's form has four traces of the network, two of them for training.
    assert convolutions[0] == 4 * convolutions[1]


def test_every_input_and_output_has_the_batch_first(miniature_dir: Path, features_dir: Path) -> None:
    for base in (miniature_dir, features_dir):
        for signature in _saved_model_file.signatures(_saved_model_file.read(base / "1")).values():
            for side in signature.values():
                assert all(tensor["shape"][0] is None for tensor in side.values())
