"""A token reaches the server from a file or the environment, and is never on a command line."""

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from hubserve.testing import FakeServer
from hubserve_cli.main import main


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "cat.jpg"
    path.write_bytes(b"cat")
    return path


def classify(image: Path, *options: object, variable: str = "") -> tuple[Result, list[object]]:
    with FakeServer() as server:
        arguments = ["classify", image, "--server", server.target, "--model", "m", *options]
        result = CliRunner().invoke(main, list(map(str, arguments)), env={"HUBSERVE_TOKEN": variable})
        return result, [request.metadata.get("authorization") for request in server.requests]


def test_a_token_comes_from_a_file_or_from_the_environment(image: Path) -> None:
    file = image.with_name("token")
    file.write_text("from-file\n")
    assert classify(image, "--token-file", file, "--allow-plaintext-token")[1] == ["Bearer from-file"]
    assert classify(image, "--allow-plaintext-token", variable="abc123")[1] == ["Bearer abc123"]


def test_a_token_is_not_shown_on_a_connection_that_anyone_can_read(image: Path) -> None:
    result, shown = classify(image, variable="abc123")
    assert (result.exit_code != 0, shown) == (True, [])
    assert "unencrypted" in result.stderr
    assert "abc123" not in result.output


def test_several_servers_share_the_images(tmp_path: Path) -> None:
    for number in range(40):
        (tmp_path / f"{number}.jpg").write_bytes(b"image")
    with FakeServer() as one, FakeServer() as other:
        servers = ["--server", one.target, "--server", other.target]
        arguments = ["classify", str(tmp_path), *servers, "--model", "m", "--batch-size", "1"]
        result = CliRunner().invoke(main, arguments)
        assert result.exit_code == 0, result.output
        assert one.requests
        assert other.requests
        assert len(one.requests) + len(other.requests) == 40
