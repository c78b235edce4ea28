"""Prometheus: queries that parse, metrics that TF Serving has, alerts that come when they should."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from k8s.manifests import K8S, overlay, with_components

_HERE = Path(__file__).parent
_METRIC = re.compile(r"(?<![\w:])(:tensorflow[\w:]*|up)(?=[{\[)\s]|$)")
_NO_PROMTOOL = "there is no promtool: scripts/install-promtool .venv/bin brings it"
_TRUE = {"exp_samples": [{"labels": "{}", "value": 1}]}
_HISTOGRAM = ("_bucket", "_sum", "_count")


def exported() -> set[str]:
    names: set[str] = set()
    for line in (_HERE / "metrics.txt").read_text().splitlines():
        if not line.startswith("#"):
            name, _, histogram = line.partition(" ")
            names |= {name + suffix for suffix in _HISTOGRAM} if histogram else {name}
    return names


def rules() -> list[dict]:
    return overlay("production").one("PrometheusRule")["spec"]["groups"][0]["rules"]


def dashboard() -> dict:
    return json.loads(overlay("production").one("ConfigMap", "pnasnet-dashboard")["data"]["pnasnet.json"])


def scaling_query() -> str:
    return overlay("production").one("ScaledObject")["spec"]["triggers"][0]["metadata"]["query"]


def panel_queries() -> list[str]:
    return [target["expr"] for panel in dashboard()["panels"] for target in panel["targets"]]


def promtool(*arguments: object) -> subprocess.CompletedProcess[str]:
    program = shutil.which("promtool", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    if program is None:
        pytest.skip(_NO_PROMTOOL)
    return subprocess.run([program, *map(str, arguments)], capture_output=True, text=True, check=False)


def alerts(folder: Path, changed: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Runs the alerts' tests on the rules, with the text of some changed."""
    text = yaml.safe_dump({"groups": overlay("production").one("PrometheusRule")["spec"]["groups"]}, width=10**6)
    for old, new in (changed or {}).items():
        assert old in text
        text = text.replace(old, new)
    (folder / "rules.yaml").write_text(text)
    shutil.copy(_HERE / "alerts.yaml", folder)
    return promtool("test", "rules", folder / "alerts.yaml")


def scaling(folder: Path, query: str) -> subprocess.CompletedProcess[str]:
    tests = (_HERE / "scaling.yaml").read_text().replace("QUERY", query.replace("'", "''"))
    (folder / "scaling.yaml").write_text(tests)
    return promtool("test", "rules", folder / "scaling.yaml")


def test_every_metric_is_one_that_tf_serving_has():
    queries = [rule["expr"] for rule in rules()] + panel_queries() + [scaling_query()]
    for query in queries:
        asked = set(_METRIC.findall(query))
        assert asked, query
        assert asked <= exported(), query


def test_a_metric_that_tf_serving_lacks_is_noticed():
    asked = set(_METRIC.findall("rate(:tensorflow:serving:queue_depth[1m]) / sum(up)"))
    assert asked - exported() == {":tensorflow:serving:queue_depth"}


def test_every_alert_comes_for_its_trouble_and_for_no_other(tmp_path):
    done = alerts(tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    "change",
    [
        {"== 1": "== 0"},
        {"by (namespace) (up": "(up"},
        {"[1h]": "[1m]"},
        {'absent(sum(up{job="pnasnet"}))': "vector(0) > 1"},
        {"offset 10m": "offset 1s"},
        {"or 0 * sum": "unless sum"},
        {"/ 1e6 > 0.5": "/ 1e6 > 50"},
        {"> 0.01": "> 0.5"},
        {"RESOURCE_EXHAUSTED": "OUT_OF_RANGE"},
        {"INTERNAL|": "NOT_FOUND|"},
        {"1e6 > 5": "1e6 > 50"},
        {"[5m])) / 1e6 > 0.5": "[5m])) / 1e6 > 1.5"},
        {'API=~"(?i:predict)"': 'API=~".*"'},
    ],
    ids=str,
)
def test_another_rule_would_be_noticed(tmp_path, change):
    assert alerts(tmp_path, change).returncode != 0


def test_every_alert_is_tested():
    tests = yaml.safe_load((_HERE / "alerts.yaml").read_text())["tests"]
    fired = {case["alertname"] for test in tests for case in test["alert_rule_test"] if case["exp_alerts"]}
    assert fired == {rule["alert"] for rule in rules()}


def adapter_query() -> str:
    """prometheus-adapter's, with the labels that it fills in."""
    rules = yaml.safe_load((K8S / "components/autoscaling-hpa/prometheus-adapter.yaml").read_text())["rules"]
    (rule,) = rules["external"]
    return rule["metricsQuery"].replace("<<.LabelMatchers>>", 'namespace="hubserve",job="pnasnet"')


@pytest.mark.parametrize("query", [scaling_query, adapter_query])
def test_autoscaling_follows_the_images_in_flight(tmp_path, query):
    done = scaling(tmp_path, query())
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("(?i:predict)", ".*"),
        (" / 1e6", ""),
        ("or vector(0)", ""),
        ("> 0 or vector(0)", "or vector(0)"),
        ('namespace="hubserve",', ""),
        ('namespace="hubserve",job="pnasnet"', 'namespace="hubserve"'),
        ("queuing_latency_sum", "wrapped_run_count"),
        ("input_batch_size_count", "wrapped_run_count"),
    ],
)
def test_another_query_would_be_noticed(tmp_path, old, new):
    assert old in scaling_query()
    assert scaling(tmp_path, scaling_query().replace(old, new)).returncode != 0


def test_without_keda_the_same_number_is_the_target():
    ours = with_components("autoscaling-hpa").one("HorizontalPodAutoscaler")["spec"]
    keda = overlay("production").one("ScaledObject")["spec"]
    (metric,) = ours["metrics"]
    assert metric["external"]["target"]["averageValue"] == keda["triggers"][0]["metadata"]["threshold"]
    assert metric["external"]["metric"]["selector"]["matchLabels"] == {"job": "pnasnet"}
    assert (ours["minReplicas"], ours["maxReplicas"]) == (keda["minReplicaCount"], keda["maxReplicaCount"])


def in_six_digits(query: str) -> str:
    """A pod 90 days old, with 1.5 requests of 32 images in flight: TF Serving prints its sum to six digits."""
    start = 1.5e6 * 90 * 86400
    printed = [float(f"{start + 1.5e6 * 15 * step:.6g}") for step in range(120)]
    labels = 'namespace="hubserve",job="pnasnet"'
    series = {
        ':tensorflow:serving:request_latency_sum{namespace="hubserve",model_name="pnasnet",API="Predict"}': " ".join(
            f"{value:.0f}" for value in printed
        ),
        f":tensorflow:serving:batching_session:input_batch_size_sum{{{labels}}}": "0+320x120",
        f":tensorflow:serving:batching_session:input_batch_size_count{{{labels}}}": "0+10x120",
    }
    test = {
        "interval": "15s",
        "input_series": [{"series": name, "values": values} for name, values in series.items()],
        "promql_expr_test": [
            {"expr": f"abs(({query}) - 48) < bool 10", "eval_time": f"{600 + 15 * step}s", **_TRUE}
            for step in range(40)
        ],
    }
    return yaml.safe_dump({"evaluation_interval": "15s", "tests": [test]})


@pytest.mark.parametrize(("window", "steady"), [("5m", True), ("1m", False)])
def test_a_sum_of_six_digits_does_not_make_it_swing(tmp_path, window, steady):
    file = tmp_path / "digits.yaml"
    file.write_text(in_six_digits(scaling_query().replace("[5m]", f"[{window}]")))
    assert (promtool("test", "rules", file).returncode == 0) == steady


def test_the_dashboards_queries_parse(tmp_path):
    # Grafana's variables are not PromQL.
    queries = [query.replace("$__rate_interval", "1m").replace("$namespace", ".*") for query in panel_queries()]
    parsed = {"rules": [{"record": f"panel:{number}", "expr": query} for number, query in enumerate(queries)]}
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump({"groups": [{"name": "dashboard", **parsed}]}))
    done = promtool("check", "rules", tmp_path / "rules.yaml")
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_panel_shows_this_model_alone():
    """Another model of the namespace has series of the same names."""
    for query in panel_queries():
        for selector in re.findall(r"\{([^}]*)\}", query):
            assert re.search(r'(job|model_name)="pnasnet"', selector), query


def test_a_panel_rates_sums_over_five_minutes():
    """TF Serving prints them to six digits: over a shorter time the rate swings."""
    for query in panel_queries():
        assert not re.search(r"latency_sum\{[^}]*\}\[(?!5m\])", query), query


def test_the_dashboard_asks_the_source_that_the_reader_chooses():
    board = dashboard()
    variables = {variable["name"] for variable in board["templating"]["list"]}
    assert variables == {"datasource", "namespace"}
    assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])
    for panel in board["panels"]:
        assert panel["datasource"]["uid"] == "${datasource}"
        assert panel["description"]
        assert all("$namespace" in target["expr"] for target in panel["targets"])


def test_each_alert_is_explained_in_the_readme():
    readme = (K8S / "README.md").read_text(encoding="utf-8")
    for rule in rules():
        assert f"`{rule['alert']}`" in readme
