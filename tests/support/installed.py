"""Try the hubserve that is installed for this Python: `client` without TensorFlow, or `all` of it.

The checkout must not be importable here: what is tried is what a user gets from the wheel or the sdist.
"""

import subprocess
import sys
import tempfile
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import hubserve
from hubserve.testing import FakeServer

HUBSERVE = Path(sys.executable).with_name("hubserve")
JPEG = bytes.fromhex("ffd8ffe000104a46494600010100000100010000ffd9")


def main(what: str) -> None:
    """Try one installation, and print what answered."""
    expect(Path(sys.prefix) in Path(hubserve.__file__).parents, f"hubserve is imported from {hubserve.__file__}")
    expect(run("--version") == f"hubserve, version {version('hubserve')}\n", "--version says another version")
    client()
    if what == "all":
        everything()
    else:
        expect(find_spec("tensorflow") is None, "the client brings TensorFlow")
    print(f"hubserve {version('hubserve')} on Python {sys.version.split()[0]}: {what} works")


def client() -> None:
    """Classify a file with the library and with the command, on a scripted server."""
    with FakeServer(lambda image: {"cat": 0.9, "dog": 0.1}) as server, tempfile.TemporaryDirectory() as folder:
        image = Path(folder, "cat.jpg")
        image.write_bytes(JPEG)
        with hubserve.Client(server.target, model="m") as calls:
            (result,) = calls.classify([image])
        expect(result.label == "cat", f"the library's answer is {result}")
        table = run("classify", str(image), "--server", server.target, "--model", "m")
        expect("cat" in table, f"the command's answer is {table!r}")


def everything() -> None:
    """Export, serve and classify: the demo does all of it."""
    with tempfile.TemporaryDirectory() as folder:
        run("demo", "--output", folder)
        verified = run("inspect", "--verify", str(Path(folder, "models", "efficientnet-lite0")))
        expect("efficientnet-lite0" in verified, f"inspect says {verified!r}")


def run(*arguments: str) -> str:
    """Return the output of the command; if it fails, exit with its error."""
    done = subprocess.run([HUBSERVE, *arguments], capture_output=True, text=True, timeout=900, check=False)
    if done.returncode:
        sys.exit(f"hubserve {' '.join(arguments)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout


def expect(right: bool, message: str) -> None:
    """Exit with the message if something is wrong."""
    if not right:
        sys.exit(message)


if __name__ == "__main__":
    main(sys.argv[1])
