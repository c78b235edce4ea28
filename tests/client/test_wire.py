"""Our messages and tensorflow-serving-api's; each test in a process of its own, because imports cannot be undone."""

import subprocess
import sys
from pathlib import Path

import pytest

from support.serving_messages import needs_tensorflow


@needs_tensorflow
@pytest.mark.parametrize("first", ["ours", "theirs"])
def test_each_reads_the_others_bytes_in_any_order_of_imports(first: str):
    done = subprocess.run(
        [sys.executable, Path(__file__).with_name("compare_wire.py"), first],
        capture_output=True,
        text=True,
        timeout=300,
    )

    assert done.returncode == 0, done.stderr
    assert done.stdout == "7 messages are the same\n"


def test_ours_are_not_registered_under_tensorflows_names():
    program = (
        "from google.protobuf import descriptor_pool\n"
        "import hubserve\n"
        "for name in ('tensorflow.TensorProto', 'tensorflow.serving.ModelSpec', 'hubserve.wire.TensorProto'):\n"
        "    try:\n"
        "        print(descriptor_pool.Default().FindMessageTypeByName(name).full_name)\n"
        "    except KeyError:\n"
        "        print('none')\n"
    )
    done = subprocess.run([sys.executable, "-W", "error", "-c", program], capture_output=True, text=True, timeout=300)

    assert done.stdout.split() == ["none", "none", "hubserve.wire.TensorProto"], done.stderr


def test_what_is_printed_for_each_protobuf_is_printed_here_too():
    # Held to be the same on other versions of protobuf by scripts/check-protobuf.
    command = [sys.executable, "-W", "error", Path(__file__).with_name("wire_digest.py")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)

    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 9
