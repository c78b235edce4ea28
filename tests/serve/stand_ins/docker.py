"""A stand-in for the command docker and its daemon, as far as `hubserve serve` uses them.

A container is the stand-in of tensorflow_model_server, with the container's paths and port turned into this machine's.
Every call is left in `docker.jsonl` in $STAND_IN_FOLDER.
"""

import csv
import json
import os
import pathlib
import re
import signal
import subprocess
import sys

FOLDER = pathlib.Path(os.environ["STAND_IN_FOLDER"])
SETTINGS = json.loads((FOLDER / "settings.json").read_text())
SERVER = pathlib.Path(__file__).with_name("tensorflow_model_server.py")


def main(arguments: list[str]) -> int:
    with (FOLDER / "docker.jsonl").open("a") as log:
        log.write(json.dumps(arguments) + "\n")
    if SETTINGS["daemon_error"]:
        return refuse(SETTINGS["daemon_error"])
    match arguments:
        case ["version", *_]:
            print("28.2.2")
        case ["image", "inspect", *_, image]:
            return 0 if image in images() else refuse(f"Error response from daemon: No such image: {image}")
        case ["pull", image]:
            if SETTINGS["pull_error"]:
                return refuse(SETTINGS["pull_error"])
            (FOLDER / "images.json").write_text(json.dumps([*images(), image]))
            print(f"Status: Downloaded newer image for {image}")
        case ["run", *rest]:
            return run(rest)
        case ["rm", "--force", _]:
            pass
        case _:
            raise SystemExit(f"the stand-in does not know: docker {' '.join(arguments)}")
    return 0


def refuse(words: str) -> int:
    print(words, file=sys.stderr)
    return 1


def images() -> list[str]:
    file = FOLDER / "images.json"
    return json.loads(file.read_text()) if file.exists() else SETTINGS["images"]


def run(arguments: list[str]) -> int:
    count = next(index for index, argument in enumerate(arguments) if not argument.startswith("--"))
    options, image, flags = arguments[:count], arguments[count], arguments[count + 1 :]
    assert "--entrypoint=tensorflow_model_server" in options
    if image not in images():
        print(f"docker: Error response from daemon: No such image: {image}", file=sys.stderr)
        return 125
    # A program that is not TensorFlow Serving, in an image of another kind.
    if SETTINGS["no_program"]:
        print('docker: Error: exec: "tensorflow_model_server": executable file not found in $PATH.', file=sys.stderr)
        return 127
    for option in options:
        if option.startswith("--publish="):
            address, port = re.fullmatch(r"--publish=(.*):(\d+):8500", option).groups()
            settings = {**SETTINGS, "address": address}
            (FOLDER / "settings.json").write_text(json.dumps(settings))
            flags = [re.sub(r"^--port=8500$", f"--port={port}", flag) for flag in flags]
        if option.startswith("--mount="):
            (fields,) = csv.reader([option.removeprefix("--mount=")])
            mount = dict(field.split("=") for field in fields if "=" in field)
            flags = [flag.replace(f"={mount['target']}/", f"={mount['source']}/") for flag in flags]
            models = pathlib.Path(mount["source"], "models.config")
            if models.exists():
                written = models.read_text()
            else:
                model_dir = mount["source"]
    if any(flag.startswith("--model_config_file=") for flag in flags):
        here = FOLDER / "models.config"
        here.write_text(written.replace('base_path: "/model"', f'base_path: "{model_dir}"'))
        flags = [f"--model_config_file={here}" if flag.startswith("--model_config_file=") else flag for flag in flags]
    process = subprocess.Popen([sys.executable, str(SERVER), *flags])
    # docker run passes signals on to the container, where --init passes them to the program.
    signal.signal(signal.SIGTERM, lambda number, frame: process.send_signal(number))
    code = process.wait()
    return 128 - code if code < 0 else code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
