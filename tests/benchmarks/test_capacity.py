"""The capacity model alone; test_results compares it with measurements."""

import math
from pathlib import Path

import pytest

from capacity import GPUS, Fleet, Stage, bottleneck, resize_flop, table

# 160 images a second for each GPU: 50 GFLOP an image at 8 TFLOP/s.
FLEET = Fleet()


def test_all_stages_together_pass_what_the_slowest_passes() -> None:
    slow, fast = Stage("slow", 2, 0.5), Stage("fast", 1, 0.01)
    assert bottleneck([fast, slow]) is slow
    assert slow.images_per_second == 4


def test_a_stage_that_takes_no_time_is_never_in_the_way() -> None:
    assert bottleneck([Stage("free", 1, 0.0), Stage("any", 1, 1e9)]).name == "any"


@pytest.mark.parametrize(("gpus", "first"), [(1, "GPUs"), (40, "GPUs"), (100, "network of the callers")])
def test_what_comes_first_changes_with_the_scale(gpus: int, first: str) -> None:
    assert FLEET.plan(gpus).first == first


def test_decoding_holds_up_a_gpu_whose_replica_has_too_few_cpus() -> None:
    plan = Fleet(gpu_cpus=1).plan(1)
    assert plan.first == "CPUs that decode"
    assert plan.images_per_second == pytest.approx(100)
    assert plan.gpu_utilization == pytest.approx(100 / 160)
    assert plan.decode_cpus == pytest.approx(1.6)


def test_callers_hold_up_gpus_once_all_their_processes_are_busy() -> None:
    plan = Fleet(client_cpus=1, client_us=1000).plan(100)
    assert plan.first == "CPUs of the callers"
    assert plan.images_per_second == pytest.approx(1000)
    assert plan.client_cpus == pytest.approx(16)


def test_more_gpus_never_pass_less_and_never_more_than_in_proportion() -> None:
    plans = [FLEET.plan(gpus) for gpus in range(1, 1001)]
    passed = [plan.images_per_second for plan in plans]
    assert passed == sorted(passed)
    assert all(plan.images_per_second <= plan.gpus * 160 + 1e-6 for plan in plans)


def test_replicas_are_counted_at_the_load_with_one_to_spare() -> None:
    # 1000 / (0.75 x 160) = 8.3
    assert FLEET.gpus_for(1000) == 9 + 1
    assert FLEET.gpus_for(1000, load=1.0) == 7 + 1


def test_a_million_images_take_gpu_hours_in_proportion() -> None:
    assert FLEET.gpu_hours(1e6) == pytest.approx(1e6 / (3600 * 120))
    assert math.isclose(FLEET.gpu_hours(2e6), 2 * FLEET.gpu_hours(1e6))


def test_the_page_has_the_table_that_the_defaults_give() -> None:
    page = Path(__file__).resolve().parents[2] / "docs/performance.md"
    assert f"<!-- capacity -->\n{table(FLEET, GPUS)}\n<!-- end of capacity -->" in page.read_text(encoding="utf-8")


def test_a_resize_on_the_accelerator_takes_its_operations_and_leaves_the_cpu_the_decoding() -> None:
    # Each of 224 rows is a sum over 384 rows of 1536 numbers, then each of 224 columns one over 512 of 672 numbers.
    assert resize_flop(384, 512, 224) == 2 * (224 * 384 * 1536 + 224 * 512 * 672)
    fleet = Fleet(gpu_cpus=1).with_resize_on_gpus(384, 512, 331, resize_ms=4)
    assert fleet.decode_ms == 6
    assert fleet.copy_kb == pytest.approx(589.8, abs=0.1)
    assert fleet.image_gflop == pytest.approx(50 + resize_flop(384, 512, 331) / 1e9)
    assert fleet.plan(1).images_per_second == pytest.approx(8000 / fleet.image_gflop)


def test_copies_to_a_slow_bus_come_first() -> None:
    plan = Fleet(copy_gbyte=0.1).plan(1)
    assert plan.first == "copies to the GPUs"
    assert plan.images_per_second == pytest.approx(100e6 / 1315e3)
    assert Fleet(copy_gbyte=0.1).gpus_for(1000) == math.ceil(1000 / (0.75 * 100 / 1.315)) + 1
