"""Calculate how many images a second a fleet classifies, what it takes, and which limit comes first.

    python benchmarks/capacity.py
    python benchmarks/capacity.py --gpus 1,8,64 --gpu-tflops 40 --decode-ms 6 --client-cpus 32

Every image passes through stages, and each holds it for so many seconds: a GPU, the CPUs beside it that decode, the
network, the CPUs of the callers. A stage of n servers that each hold an image for s seconds passes at most n / s images
a second, and all of them together no more than the slowest: the asymptotic bound of operational analysis (Denning and
Buzen, "The Operational Analysis of Queueing Network Models", 1978). Queues near the bound cost some of it: `make bench`
measures how much, and a test holds this model to what was measured.

The defaults are PNASNet-5 large (50 GFLOP an image) and assumptions about a GPU that was not at hand. Replace them.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from dataclasses import dataclass, fields

# What a fleet is planned to run at, so that queues stay short and one replica can go.
LOAD = 0.75
GPUS = (1, 4, 10, 40, 100, 400, 1000)


@dataclass(frozen=True)
class Stage:
    """Something that each image has to pass.

        Stage("GPUs", servers=8, seconds=1 / 160)

    Attributes:
        name: What it is.
        servers: How many there are, each of which holds one image at a time.
        seconds: For how long. 0: it never holds anything up.
    """

    name: str
    servers: float
    seconds: float

    @property
    def images_per_second(self) -> float:
        return self.servers / self.seconds if self.seconds else math.inf


def bottleneck(stages: Sequence[Stage]) -> Stage:
    """Return the stage that passes the fewest images a second, which is what all of them together pass at most."""
    return min(stages, key=lambda stage: stage.images_per_second)


@dataclass(frozen=True)
class Fleet:
    """One kind of replica, and those who call it; the fields' comments are the command's help."""

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
        """Tell what an image passes with so many GPUs, one in each replica."""
        bits = self.image_kb * 8e3
        return [
            Stage("GPUs", gpus, self.image_gflop / (self.gpu_tflops * 1e3)),
            Stage("CPUs that decode", gpus * self.gpu_cpus, self.decode_ms / 1e3),
            Stage("network of the replicas", gpus, bits / (self.gpu_gbit * 1e9)),
            Stage("CPUs of the callers", self.client_cpus, self.client_us / 1e6),
            Stage("network of the callers", 1, bits / (self.client_gbit * 1e9)),
        ]

    def plan(self, gpus: int) -> Plan:
        """Tell what so many GPUs do, and what they need."""
        stages = self.stages(gpus)
        first, gpu = bottleneck(stages), stages[0]
        images = first.images_per_second
        # What each other stage needs for the GPUs to be busy.
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
        """Return the replicas that serve so many images a second at this load, and one more while one is replaced.

        It asks the stages that a replica brings with it; what the callers bring, `plan` shows.
        """
        one = bottleneck(self.stages(1)[:3]).images_per_second
        return math.ceil(images_per_second / (load * one)) + 1

    def gpu_hours(self, images: float, load: float = LOAD) -> float:
        """Return hours of one GPU that so many images take at this load."""
        return images / (3600 * load * bottleneck(self.stages(1)[:3]).images_per_second)


@dataclass(frozen=True)
class Plan:
    """Hold what a number of GPUs does, and what they need to be busy.

    Attributes:
        gpus: How many.
        images_per_second: At most, with everything as the fleet has it.
        first: The stage that is in the way.
        gpu_utilization: The part of the time that the GPUs compute, then.
        decode_cpus: CPUs beside the GPUs that decoding needs for them to be busy all the time.
        client_cpus: CPUs of the callers, likewise.
        client_gbit: Network of the callers, likewise, in 10^9 bits a second.
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
