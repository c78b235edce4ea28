"""The command as a whole: what `hubserve --help` shows."""

import subprocess
import sys

import pytest
from click.testing import CliRunner

from hubserve import __version__
from hubserve_cli.main import main

COMMANDS = ["models", "export", "inspect", "serve", "manifests", "status", "classify", "bench", "demo", "completion"]


def test_commands_are_listed_in_the_order_of_the_data() -> None:
    result = CliRunner().invoke(main, ["--help"])
    listed = result.stdout.partition("Commands:\n")[2].splitlines()
    assert [line.split()[0] for line in listed] == COMMANDS
    assert all(len(line.split()) > 3 for line in listed)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself_with_an_example(command: str) -> None:
    result = CliRunner().invoke(main, [command, "--help"])
    assert result.exit_code == 0
    assert f"Example:\n    hubserve {command} " in result.stdout


def test_the_version_is_the_packages() -> None:
    assert CliRunner().invoke(main, ["--version"]).stdout == f"hubserve, version {__version__}\n"


def test_an_unknown_command_is_wrong_usage() -> None:
    result = CliRunner().invoke(main, ["explode"])
    assert (result.exit_code, "No such command 'explode'" in result.stderr) == (2, True)


def test_help_needs_neither_tensorflow_nor_numpy() -> None:
    program = (
        "import sys\n"
        "for name in ('tensorflow', 'tensorflow_hub', 'tensorflow_serving', 'numpy'):\n"
        "    sys.modules[name] = None\n"
        "from hubserve_cli.main import main\n"
        f"for command in {COMMANDS}:\n"
        "    main([command, '--help'], standalone_mode=False)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
