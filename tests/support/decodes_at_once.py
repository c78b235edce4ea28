"""Print the memory of six costly images, with a number of threads for operations.

    PYTHONPATH=tests python -m support.decodes_at_once MODEL_DIR THREADS

On Linux. MODEL_DIR is best without warm-up records, whose memory stays with the process.
"""

import os
import sys
import tempfile
import zlib
from pathlib import Path

from support import image_files

_SIDE = 5000


def transparent_png() -> bytes:
    """A PNG of 25 million pixels with transparency, which weighs little."""
    row = b"\0" + bytes([10, 20, 30, 128]) * _SIDE
    packer = zlib.compressobj(9)
    data = b"".join(packer.compress(row) for _ in range(_SIDE)) + packer.flush()
    size = _SIDE.to_bytes(4, "big")
    parts = [(b"IHDR", size + size + bytes([8, 6, 0, 0, 0])), (b"IDAT", data), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(image_files.chunk(kind, body) for kind, body in parts)


def _mib(field: str) -> float:
    (line,) = (line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(f"{field}:"))
    return int(line.split()[1]) / 1024


def main(model: str, threads: int) -> None:
    from hubserve import Client
    from hubserve_serve import EmbeddedServer

    with tempfile.NamedTemporaryFile("w", suffix=".pbtxt") as config:
        config.write(f"inter_op_parallelism_threads: {threads}\n")
        config.flush()
        with (
            EmbeddedServer(model, name="model", session_config=config.name) as server,
            Client(server.target, model="model", timeout=280) as client,
        ):
            image = transparent_png()
            before = _mib("VmRSS")
            # Sets the peak back.
            Path("/proc/self/clear_refs").write_text("5")
            results = client.classify([image] * 6)
            assert [result.error for result in results] == [None] * 6
            print(f"{threads} threads: {_mib('VmHWM') - before:.0f} MiB for 6 images of {len(image):,} bytes")


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    main(sys.argv[1], int(sys.argv[2]))
