"""Build one model of the zoo, save it, and run it on the images, in a process of its own.

PYTHONPATH=tests python -m zoo.build NAME FOLDER
"""

import json
import sys
from pathlib import Path

from support.reference import upright
from zoo import catalogue, pictures, reference
from zoo.built import Entry
from zoo.row import BUILT, REFERENCE


def build(entry: Entry, folder: Path) -> Path:
    """Builds a model in an empty folder, and gives the path to export."""
    import keras

    keras.utils.set_random_seed(1)
    built = entry.build()
    path = built.save(folder)
    asked = reference.ask(built, [upright(data) for data in pictures.files().values()])
    asked.write(folder / REFERENCE)
    (folder / BUILT).write_text(json.dumps({"model": path.name, "parameters": built.model.count_params()}))
    return path


if __name__ == "__main__":
    build(catalogue.find(sys.argv[1]), Path(sys.argv[2]))
