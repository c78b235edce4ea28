"""Packages that the client must not import; each test in a process of its own."""

import subprocess
import sys

from support.fake_server import FakeServer


def run(program: str, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program, *arguments], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_importing_hubserve_loads_no_optional_package_and_no_tensorflow():
    loaded = run("import hubserve, sys; print(*{name.partition('.')[0] for name in sys.modules})").split()

    assert "hubserve" in loaded
    assert not {"numpy", "click", "opentelemetry", "PIL", "tensorflow", "tensorflow_serving"} & set(loaded)


def test_classifying_loads_no_numpy(server: FakeServer):
    answer = run(
        "import hubserve, sys\n"
        "with hubserve.Client(sys.argv[1], model='m') as client:\n"
        "    (result,) = client.classify([b'cat'])\n"
        "print(result.label, 'numpy' in sys.modules)\n",
        server.target,
    )

    assert answer.split() == ["cat", "False"]


def test_the_other_verbs_load_no_tensorflow(server: FakeServer):
    answer = run(
        "import hubserve, sys\n"
        "with hubserve.Client(sys.argv[1], model='m') as client:\n"
        "    print(client.predict({'image_bytes': [b'cat']})['labels'][0, 0], 'tensorflow' in sys.modules)\n",
        server.target,
    )

    assert answer.split() == ["b'cat'", "False"]
