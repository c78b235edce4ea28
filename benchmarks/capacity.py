"""Calculate how many images a second a fleet classifies, what it takes, and which limit comes first.

    python benchmarks/capacity.py
    python benchmarks/capacity.py --gpus 1,8,64 --gpu-tflops 40 --decode-ms 6 --client-cpus 32

Every image passes through stages, and each holds it for so many seconds: a GPU, the CPUs beside it that decode, the
network, the CPUs of the callers. A stage of n servers that each hold an image for s seconds passes at most n / s images
network, the CPUs of the callers. A stage of n servers that each hold an image for s seconds passes at most n / s images
a second, and all stages together pass at most as many as the slowest: the asymptotic bound of operational analysis
(Denning and Buzen, "The Operational Analysis of Queueing Network Models", 1978). Queues near the bound cost some of it:
`make bench` measures how much, and a test compares this model with the measurements.

The defaults are PNASNet-5 large (50 GFLOP an image) and assumptions about a GPU that was not available. Replace them.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from dataclasses import dataclass, fields

# The planned load of a fleet: queues stay short, and one replica can fail.
LOAD = 0.75
GPUS = (1, 4, 10, 40, 100, 400, 1000)


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
        one = bottleneck(self.stages(1)[:3]).images_per_second
        return math.ceil(images_per_second / (load * one)) + 1

    def gpu_hours(self, images: float, load: float = LOAD) -> float:
        """Return the hours of one GPU that the images take at this load."""
        return images / (3600 * load * bottleneck(self.stages(1)[:3]).images_per_second)


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
    arguments = vars(parser.parse_args())
    gpus, wanted = [int(number) for number in arguments.pop("gpus").split(",")], arguments.pop("images_per_second")
    fleet = Fleet(**arguments)
    print(table(fleet, gpus))
    print(
        f"\n{wanted:,.0f} images/s at a load of {LOAD:.0%}: {fleet.gpus_for(wanted)} replicas, one of them to spare; "
        f"a million images: {fleet.gpu_hours(1e6):.1f} GPU-hours"
    )


if __name__ == "__main__":
    main()
