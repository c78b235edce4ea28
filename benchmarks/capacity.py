"""Calculate how many images a second a fleet classifies, what it takes, and which limit comes first.

    python benchmarks/capacity.py
    python benchmarks/capacity.py --gpus 1,8,64 --gpu-tflops 40 --decode-ms 6 --client-cpus 32
    python benchmarks/capacity.py --resize-on accelerator --side 331 --canvas 512x384 --resize-ms 1

Every image passes through stages, and each holds it for so many seconds: a GPU, the CPUs beside it that decode, the
copies to the GPU, the network, the CPUs of the callers. A stage of n servers that each hold an image for s seconds
passes at most n / s images a second, and all stages together pass at most as many as the slowest: the asymptotic bound
of operational analysis (Denning and Buzen, "The Operational Analysis of Queueing Network Models", 1978). Queues near
the bound cost some of it: `make bench` measures how much, and a test compares this model with the measurements.

The defaults are PNASNet-5 large (50 GFLOP an image) and assumptions about a GPU that was not available. Replace them.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

# The planned load of a fleet: queues stay short, and one replica can fail.
LOAD = 0.75
GPUS = (1, 4, 10, 40, 100, 400, 1000)
# The first stages are those that each replica brings with it.
_OF_A_REPLICA = 4


@dataclass(frozen=True)
class Stage:
    """A step that each image has to pass.

        Stage("GPUs", servers=8, seconds=1 / 160)

    Attributes:
        name: The name that the table shows.
        servers: The number of servers, each of which holds one image at a time.
        seconds: The time for one image. 0: the stage never limits anything.
    """

    name: str
    servers: float
    seconds: float

    @property
    def images_per_second(self) -> float:
        return self.servers / self.seconds if self.seconds else math.inf


def bottleneck(stages: Sequence[Stage]) -> Stage:
    """Return the stage that passes the fewest images a second: all stages together pass at most as many."""
    return min(stages, key=lambda stage: stage.images_per_second)


@dataclass(frozen=True)
class Fleet:
    """One kind of replica, and its callers; the fields' comments are the command's help."""

    image_gflop: float = 50.0  # floating-point operations that the model needs for an image, in 10^9
    gpu_tflops: float = 8.0  # rate of one GPU that the model really gets, in 10^12 a second
    decode_ms: float = 10.0  # time of one CPU to decode and resize an image
    gpu_cpus: float = 3.0  # CPUs of a replica
    copy_kb: float = 1315.0  # an image that is copied to the GPU, in 10^3 bytes: 331 x 331 x 3 float32
    copy_gbyte: float = 10.0  # rate of the copies to one GPU, in 10^9 bytes a second
    image_kb: float = 100.0  # an image file, in 10^3 bytes
    gpu_gbit: float = 10.0  # network of a replica, in 10^9 bits a second
    client_us: float = 100.0  # time of one CPU of the callers for an image (benchmarks/client.py prints it)
    client_cpus: float = 8.0  # processes that call, each of which uses one CPU at the most
    client_gbit: float = 10.0  # network of all callers together, in 10^9 bits a second

    def stages(self, gpus: int) -> list[Stage]:
        """Return the stages that an image passes with that many GPUs, one in each replica."""
        bits = self.image_kb * 8e3
        return [
            Stage("GPUs", gpus, self.image_gflop / (self.gpu_tflops * 1e3)),
            Stage("CPUs that decode", gpus * self.gpu_cpus, self.decode_ms / 1e3),
            Stage("copies to the GPUs", gpus, self.copy_kb / (self.copy_gbyte * 1e6)),
            Stage("network of the replicas", gpus, bits / (self.gpu_gbit * 1e9)),
            Stage("CPUs of the callers", self.client_cpus, self.client_us / 1e6),
            Stage("network of the callers", 1, bits / (self.client_gbit * 1e9)),
        ]

    def plan(self, gpus: int) -> Plan:
        """Return what that many GPUs do, and what they need."""
        stages = self.stages(gpus)
        first, gpu = bottleneck(stages), stages[0]
        images = first.images_per_second
        # The needs of the other stages if the GPUs are busy all the time.
        busy = gpu.images_per_second
        return Plan(
            gpus=gpus,
            images_per_second=images,
            first=first.name,
            gpu_utilization=images / busy,
            decode_cpus=busy * self.decode_ms / 1e3,
            client_cpus=busy * self.client_us / 1e6,
            client_gbit=busy * self.image_kb * 8e3 / 1e9,
        )

    def gpus_for(self, images_per_second: float, load: float = LOAD) -> int:
        """Return the number of replicas that serve that many images a second at this load, with one to spare.

        Only the stages that a replica brings with it count; `plan` shows what the callers need.
        """
        one = bottleneck(self.stages(1)[:_OF_A_REPLICA]).images_per_second
        return math.ceil(images_per_second / (load * one)) + 1

    def with_resize_on_gpus(self, height: int, width: int, side: int, resize_ms: float) -> Fleet:
        """Return the fleet with models that were exported with `--resize-on accelerator`.

        Args:
            height: Rows of the canvas that is copied to the GPU for an image.
            width: Columns of the canvas.
            side: Rows, and columns, of the model's input.
            resize_ms: The part of `decode_ms` that the resize took (benchmarks/resize.py prints it).
        """
        flop = resize_flop(height, width, side)
        return replace(
            self,
            image_gflop=self.image_gflop + flop / 1e9,
            decode_ms=self.decode_ms - resize_ms,
            copy_kb=height * width * 3 / 1e3,
        )

    def gpu_hours(self, images: float, load: float = LOAD) -> float:
        """Return the hours of one GPU that the images take at this load."""
        return images / (3600 * load * bottleneck(self.stages(1)[:_OF_A_REPLICA]).images_per_second)


def resize_flop(height: int, width: int, side: int) -> int:
    """Return the floating-point operations that resize an image of three channels with two matrix products."""
    rows = 2 * side * height * (3 * width)
    columns = 2 * side * width * (3 * side)
    return rows + columns


@dataclass(frozen=True)
class Plan:
    """The work of a number of GPUs, and the CPUs and network that they need to be busy.

    Attributes:
        gpus: How many.
        images_per_second: The most that the fleet classifies.
        first: The stage that limits it.
        gpu_utilization: The part of the time in which the GPUs then compute.
        decode_cpus: CPUs beside the GPUs that decoding needs to keep the GPUs busy all the time.
        client_cpus: CPUs of the callers to keep the GPUs busy.
        client_gbit: Network of the callers to keep the GPUs busy, in 10^9 bits a second.
    """

    gpus: int
    images_per_second: float
    first: str
    gpu_utilization: float
    decode_cpus: float
    client_cpus: float
    client_gbit: float


def table(fleet: Fleet, gpus: Sequence[int]) -> str:
    """Return the plans as a Markdown table."""
    lines = [
        "| GPUs | images/s | in the way first | GPUs busy | CPUs to decode | CPUs of callers | Gbit/s |",
        "|---:|---:|---|---:|---:|---:|---:|",
    ]
    for plan in map(fleet.plan, gpus):
        lines.append(
            f"| {plan.gpus:,} | {plan.images_per_second:,.0f} | {plan.first} | {plan.gpu_utilization:.0%} "
            f"| {plan.decode_cpus:,.1f} | {plan.client_cpus:,.2f} | {plan.client_gbit:,.2f} |"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--gpus", default=",".join(map(str, GPUS)), help="how many, with commas")
    parser.add_argument("--images-per-second", type=float, default=1000.0, help="for which to count replicas")
    for field in fields(Fleet):
        parser.add_argument(f"--{field.name.replace('_', '-')}", type=float, default=field.default)
    parser.add_argument("--resize-on", choices=("cpu", "accelerator"), default="cpu", help="as the model was exported")
    parser.add_argument("--side", type=int, default=331, help="rows, and columns, of the model's input")
    parser.add_argument("--canvas", default="512x384", help="width and height that an image takes on the accelerator")
    parser.add_argument("--resize-ms", type=float, default=1.0, help="part of --decode-ms that the resize takes")
    given = parser.parse_args()
    gpus, wanted = [int(number) for number in given.gpus.split(",")], given.images_per_second
    fleet = Fleet(**{field.name: getattr(given, field.name) for field in fields(Fleet)})
    if given.resize_on == "accelerator":
        width, height = map(int, given.canvas.split("x"))
        fleet = fleet.with_resize_on_gpus(height, width, given.side, given.resize_ms)
        gflop = resize_flop(height, width, given.side) / 1e9
        print(f"resize on the accelerator: {gflop:.2f} GFLOP and {fleet.copy_kb:,.0f} kB to copy for each image\n")
    print(table(fleet, gpus))
    print(
        f"\n{wanted:,.0f} images/s at a load of {LOAD:.0%}: {fleet.gpus_for(wanted)} replicas, one of them to spare; "
        f"a million images: {fleet.gpu_hours(1e6):.1f} GPU-hours"
    )


if __name__ == "__main__":
    main()
