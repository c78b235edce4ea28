import subprocess
import sys

import hubserve_serve


def test_the_public_names_are_these():
    assert sorted(hubserve_serve.__all__) == [
        "AddressError",
        "EmbeddedServer",
        "EngineError",
        "LoadError",
        "ModelDirectoryError",
        "RequestError",
        "ServeError",
        "ServerEndedError",
        "SessionConfigError",
    ]
    assert all(hasattr(hubserve_serve, name) for name in hubserve_serve.__all__)


def test_every_error_is_a_serve_error():
    errors = [getattr(hubserve_serve, name) for name in hubserve_serve.__all__ if name.endswith("Error")]
    assert all(issubclass(error, hubserve_serve.ServeError) for error in errors)


def test_the_package_imports_without_tensorflow():
    code = "import sys, hubserve_serve; hubserve_serve.LoadError; sys.exit('tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
