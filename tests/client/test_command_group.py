"""The command as a whole: what `hubserve --help` shows."""

import subprocess
import sys

import pytest
from click.testing import CliRunner

from hubserve import __version__
from hubserve.testing import FakeServer
from hubserve_cli.main import main

SECTIONS = {
    "Prepare a model": ["models", "export", "inspect"],
    "Serve it": ["serve", "manifests"],
    "Call a server": ["classify", "status", "bench", "compare"],
    "Help": ["demo", "doctor", "completion"],
}
COMMANDS = [name for names in SECTIONS.values() for name in names]


def sections(text: str) -> dict[str, list[str]]:
    """The lines below each title of a help text."""
    found: dict[str, list[str]] = {}
    for line in text.splitlines():
        if line.endswith(":") and not line.startswith(" "):
            found[line[:-1]] = []
        elif found and line:
            found[list(found)[-1]].append(line)
    return found


def test_commands_are_listed_in_sections_with_summaries_that_fit_a_terminal() -> None:
    found = sections(CliRunner().invoke(main, ["--help"]).stdout)
    for title, names in SECTIONS.items():
        assert [line.split()[0] for line in found[title] if line[2] != " "] == names
        # One line each.
        assert len(found[title]) == len(names)
        assert all(len(line) <= 80 and line.endswith(".") and not line.endswith("...") for line in found[title])


def test_options_stand_in_sections_and_those_of_tls_come_last() -> None:
    found = sections(CliRunner().invoke(main, ["classify", "--help"]).stdout)
    assert list(found)[-6:] == ["Options", "Images", "Results", "Requests", "TLS and token", "Other options"]
    assert [line.split()[0] for line in found["Options"] if line.startswith("  -")] == ["--server", "--model"]
    assert all("tls" in line or "token" in line for line in found["TLS and token"] if line.startswith("  -"))


@pytest.mark.parametrize("command", ["classify", "status", "bench"])
def test_help_names_the_variable_that_an_option_reads(command: str) -> None:
    text = " ".join(CliRunner().invoke(main, [command, "--help"]).stdout.split())
    for variable in ("SERVER", "MODEL", "TLS", "TLS_CA", "TLS_CERT", "TLS_KEY", "TLS_SERVER_NAME", "TOKEN_FILE"):
        assert f"[env var: HUBSERVE_{variable}" in text


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["clasify"], "No such command 'clasify'. Did you mean 'classify'?"),
        (["xyzzy"], "No such command 'xyzzy'."),
        (["classify", ".", "--formt", "csv"], "No such option '--formt'. "),
        (["classify", ".", "--format", "tabel"], "'parquet'. Did you mean 'table'?"),
        (["serve", ".", "--engine", "bianry"], "'docker'. Did you mean 'binary'?"),
    ],
)
def test_a_mistyped_name_is_answered_with_the_closest_one(arguments: list[str], says: str) -> None:
    result = CliRunner().invoke(main, arguments)
    assert (result.exit_code, says in result.stderr) == (2, True), result.stderr


def test_server_model_and_token_come_from_the_environment() -> None:
    with FakeServer(model="m", version=3) as server:
        environment = {"HUBSERVE_SERVER": f"{server.target} {server.target}", "HUBSERVE_MODEL": "m"}
        result = CliRunner().invoke(main, ["status"], env=environment)
        assert (result.exit_code, result.stdout) == (0, "m version 3: AVAILABLE\n")
        # What is said on the command line wins.
        other = CliRunner().invoke(main, ["status", "--model", "other"], env=environment)
    assert (other.exit_code, "model other" in other.stderr) == (1, True)


@pytest.mark.parametrize("debug", [False, True])
@pytest.mark.parametrize("command", [["status"], ["classify", __file__]])
def test_a_failed_call_is_one_sentence_and_a_traceback_only_with_debug(command: list[str], debug: bool) -> None:
    with FakeServer(model="m") as server:
        options = ["--server", server.target, "--model", "another"]
        result = CliRunner().invoke(main, [*(["--debug"] if debug else []), *command, *options])
    assert result.exit_code == 1
    assert (result.stderr.count("\n") > 1, "Rendezvous" in result.stderr) == (debug, debug)
    assert [line for line in result.stderr.splitlines() if line.startswith("Error: ")]


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
