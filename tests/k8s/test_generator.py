"""`hubserve manifests`: the repository's own files are its output, and so are those of other models."""

import json
from pathlib import Path

import click
import pytest
import yaml

from hubserve_k8s._selection import ALTERNATIVES, NEEDS
from k8s.checks import problems
from k8s.generated import BY_GPU, build, files, options, run, written
from k8s.manifests import COMPONENTS, K8S, OVERLAYS, Manifests, compatible, expanded, flags, kustomize, load
from k8s.models import CATS_DOGS, FEATURES, MODELS, PNASNET, write_model
from k8s.test_schemas import VERSIONS, validate

_PRODUCTION = ("--overlay", "production", "--with", "monitoring,autoscaling-keda,gateway,priority")


def sets() -> list[tuple[str, ...]]:
    """Few sets of components that have every component between them."""
    left, found = set(COMPONENTS), []
    while left:
        chosen: tuple[str, ...] = ()
        for name in (*sorted(left), *sorted(set(COMPONENTS) - left)):
            if compatible((*chosen, name)):
                chosen = tuple(expanded((*chosen, name)))
        found.append(chosen)
        left -= set(chosen)
    return found


def test_the_repositorys_files_are_the_output_for_pnasnet(tmp_path):
    model = write_model(tmp_path / "pnasnet", PNASNET, 1, 2)
    runs = [
        ("--version", "1", "--with", "model-pvc"),
        ("--version", "1"),
        ("--version", "1", "--gpu", "none"),
        ("--version", "1", *_PRODUCTION),
    ]
    found: dict[str, str] = {}
    for number, given in enumerate(runs):
        found |= files(written(model, tmp_path / str(number), *given))
    for number, names in enumerate(sets()):
        output = files(written(model, tmp_path / f"set-{number}", *options(names), "--version", "1"))
        # These runs have overlays and Jobs with other components, and an image with both versions for the canary.
        found |= {path: text for path, text in output.items() if path.startswith(("base/", "components/"))}
    ours = {
        path: text for path, text in files(K8S).items() if path.startswith(("base/", "components/", "jobs/", "over"))
    }
    ours["model.Dockerfile"] = (K8S / "model.Dockerfile").read_text(encoding="utf-8")
    assert set(found) == set(ours)
    assert [path for path in ours if found[path] != ours[path]] == []
    assert {path.split("/")[1] for path in ours if path.startswith("overlays/")} == set(OVERLAYS)


# The output for pnasnet is in the repository, and is checked there.
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.slow] if name == "pnasnet" else []) for name in MODELS]
)
@pytest.mark.parametrize("names", sets(), ids=lambda names: f"{len(names)}-{names[0]}")
def test_the_output_for_another_model_is_in_order(tmp_path, name, names):
    versions = (3, 4) if "canary" in names else (3,)
    model = write_model(tmp_path / name, MODELS[name], *versions)
    output = written(model, tmp_path / "out", "--namespace", "team-a", "--overlay", "gpu", *options(names))
    built = build(output)
    assert problems(built) == []
    assert built.namespace == "team-a"
    for item in built.objects:
        validate(item, VERSIONS[-1])
    for job in sorted((output / "jobs").iterdir()):
        both = Manifests([*built.objects, *load(kustomize(job)).objects])
        assert problems(both) == []


@pytest.mark.parametrize("name", [name for name in MODELS if name != "pnasnet"])
def test_nothing_of_pnasnet_is_left(tmp_path, name):
    model = write_model(tmp_path / name, MODELS[name], 1, 2)
    for number, names in enumerate(sets()):
        output = written(model, tmp_path / str(number), "--namespace", "team-a", *options(names))
        for path, text in files(output).items():
            assert "pnasnet" not in text.lower(), path
            for line in text.splitlines():
                # What is left of the word is the label, the program with its images, and a tag of the dashboard.
                words = line.replace("hubserve-", "").replace("part-of: hubserve", "").replace("hubserve ", "")
                assert "hubserve" not in words.replace("hubserve_model", "").replace('"hubserve"', ""), (path, line)


def server(built: Manifests) -> tuple[dict, dict]:
    ((pod, container),) = built.servers()
    return pod.spec, container


def test_names_versions_and_sizes_are_the_models(tmp_path):
    model = write_model(tmp_path / "x", CATS_DOGS, 7)
    given = (
        "--name",
        "cats-dogs",
        "--namespace",
        "pets",
        "--cpus",
        "6",
        "--image",
        "registry.example.com:5000/a/b:2024-1",
    )
    built = build(written(model, tmp_path / "out", *given, "--replicas", "3"))
    spec, container = server(built)
    assert container["readinessProbe"]["httpGet"]["path"] == "/v1/models/cats-dogs/metadata"
    (config,) = (item["data"]["models.config"] for item in built.of("ConfigMap") if "models.config" in item["data"])
    assert 'name: "cats-dogs"' in config
    assert 'base_path: "/models/cats-dogs"' in config
    assert "versions: 7 " in config
    # 4 GiB, twice 1.58 GiB of variables, 6 decodes of 1.17 GiB: 104 million pixels are twice the default.
    assert container["resources"]["limits"]["memory"] == "15Gi"
    assert container["resources"]["requests"]["cpu"] == "6"
    assert flags(container)["tensorflow_inter_op_parallelism"] == "6"
    # A quarter more than 1.59 GiB.
    assert [volume["emptyDir"]["sizeLimit"] for volume in spec["volumes"] if volume["name"] == "models"] == ["2Gi"]
    (init,) = (item for item in spec["initContainers"] if item["name"] == "model")
    assert init["image"] == "registry.example.com:5000/a/b:2024-1"
    assert init["command"] == ["cp", "-R", "/cats-dogs", "/models/"]
    assert built.one("Deployment")["spec"]["replicas"] == 3
    dockerfile = (tmp_path / "out" / "model.Dockerfile").read_text()
    assert "COPY --chown=10001:10001 7 /cats-dogs/7\n" in dockerfile


def test_alerts_scaling_and_certificates_are_the_models(tmp_path):
    model = write_model(tmp_path / "cats-dogs", CATS_DOGS)
    given = ("--namespace", "pets", "--with", "monitoring,autoscaling-keda,mtls,certificates", "--replicas", "2-9")
    built = build(written(model, tmp_path / "out", *given, "--prometheus-release", "prom"))
    scaled = built.one("ScaledObject")["spec"]
    assert (scaled["minReplicaCount"], scaled["maxReplicaCount"]) == (2, 9)
    # Three quarters of two batches of four.
    assert scaled["triggers"][0]["metadata"]["threshold"] == "6"
    assert 'namespace="pets",model_name="cats-dogs"' in scaled["triggers"][0]["metadata"]["query"]
    rules = built.one("PrometheusRule")
    assert {rule["alert"] for group in rules["spec"]["groups"] for rule in group["rules"]} >= {"CatsDogsDown"}
    for item in (rules, built.one("PodMonitor")):
        assert item["metadata"]["labels"]["release"] == "prom"
    dashboard = built.one("ConfigMap", "cats-dogs-dashboard")
    assert 'job=\\"cats-dogs\\"' in dashboard["data"]["cats-dogs.json"]
    assert "cats-dogs-headless.pets.svc.cluster.local" in built.one("Certificate", "cats-dogs-tls")["spec"]["dnsNames"]


def test_what_a_cluster_asks_for_reaches_the_pods(tmp_path):
    model = write_model(tmp_path / "pnasnet", PNASNET)
    digest = f"registry.example.com/pnasnet@sha256:{'a' * 64}"
    given = ("--pull-secret", "registry", "--runtime-class", "nvidia", "--image", digest, "--gpu", "mig:1g.10gb")
    output = written(model, tmp_path / "out", *given)
    built = build(output)
    spec, container = server(built)
    assert spec["runtimeClassName"] == "nvidia"
    assert built.one("ServiceAccount")["imagePullSecrets"] == [{"name": "registry"}]
    assert digest in [item["image"] for item in spec["initContainers"]]
    assert container["resources"]["limits"]["nvidia.com/mig-1g.10gb"] == "1"
    for job in (output / "jobs").iterdir():
        (pod,) = load(kustomize(job)).pods()
        assert pod.spec["imagePullSecrets"] == [{"name": "registry"}]


def test_a_feature_vector_model_has_no_job_that_classifies(tmp_path):
    output = written(write_model(tmp_path / "m", FEATURES), tmp_path / "out", "--name", "m", "--with", "model-pvc")
    # Nor can a Job export a file of the reader's.
    assert [folder.name for folder in (output / "jobs").iterdir()] == ["load-test"]


def test_a_model_from_the_hub_can_be_exported_in_the_cluster(tmp_path):
    output = written(write_model(tmp_path / "p", PNASNET, 4), tmp_path / "out", "--name", "p", "--with", "model-pvc")
    (pod,) = load(kustomize(output / "jobs" / "export")).pods()
    assert pod.spec["containers"][0]["args"] == [
        "export", PNASNET["source"]["handle"], "--output", "/models/p", "--version", "4",
    ]  # fmt: skip


def test_a_component_comes_behind_what_it_needs(tmp_path):
    model = write_model(tmp_path / "pnasnet", PNASNET)
    given = ("--with", "scale-to-zero,autoscaling-keda,monitoring", "--replicas", "3-8")
    built = build(written(model, tmp_path / "out", *given))
    scaled = built.one("ScaledObject")["spec"]
    assert (scaled["minReplicaCount"], scaled["maxReplicaCount"], len(scaled["triggers"])) == (0, 8, 2)
    (down,) = (
        rule for rule in built.one("PrometheusRule")["spec"]["groups"][0]["rules"] if rule["alert"].endswith("Down")
    )
    assert "absent" not in down["expr"]


def test_a_queue_of_kueue_is_for_the_jobs_alone(tmp_path):
    output = written(write_model(tmp_path / "pnasnet", PNASNET), tmp_path / "out", "--with", "kueue")
    assert "kueue" not in (output / "overlays/gpu/kustomization.yaml").read_text()
    for job in (output / "jobs").iterdir():
        assert load(kustomize(job)).one("Job")["metadata"]["labels"]["kueue.x-k8s.io/queue-name"] == "batch"


def test_the_name_is_that_of_the_folder_as_it_is_given(tmp_path, monkeypatch):
    write_model(tmp_path / "store-17", CATS_DOGS)
    (tmp_path / "cats-dogs").symlink_to(tmp_path / "store-17", target_is_directory=True)
    assert build(written(tmp_path / "cats-dogs", tmp_path / "out")).one("Deployment")["metadata"]["name"] == "cats-dogs"
    monkeypatch.chdir(tmp_path / "store-17")
    assert build(written(Path("."), tmp_path / "out2")).one("Deployment")["metadata"]["name"] == "store-17"


def test_a_second_run_changes_nothing(tmp_path):
    model = write_model(tmp_path / "pnasnet", PNASNET)
    before = files(written(model, tmp_path / "out"))
    done = run(model, tmp_path / "out")
    assert done.output.startswith(f"{tmp_path / 'out'}: 0 files new, 0 changed\n")
    assert files(tmp_path / "out") == before


def test_a_new_version_shows_a_diff_and_keeps_the_overlay(tmp_path):
    model = write_model(tmp_path / "pnasnet", PNASNET)
    output = written(model, tmp_path / "out")
    overlay = output / "overlays" / "gpu" / "kustomization.yaml"
    own = overlay.read_text() + "# mine\n"
    overlay.write_text(own)
    write_model(model, PNASNET, 2)
    done = run(model, output)
    assert done.exit_code == 0, done.output
    assert "+    model_version_policy { specific { versions: 2 } }" in done.output
    assert '+  - {name: pnasnet-model, newName: pnasnet-model, newTag: "2"}' in done.output
    assert f"Kept, though it differs from the diff above: {overlay}" in done.output
    assert overlay.read_text() == own
    assert "versions: 2 " in (output / "base/config/models.config").read_text()


def test_an_edited_file_is_not_lost(tmp_path):
    model = write_model(tmp_path / "pnasnet", PNASNET)
    output = written(model, tmp_path / "out")
    edited = output / "base" / "pdb.yaml"
    edited.write_text(edited.read_text() + "# mine\n")
    before = files(output)
    done = run(model, output, "--cpus", "5")
    assert done.exit_code == 1
    assert "-# mine" in done.output
    assert f"base/pdb.yaml in {output} was edited, and would be lost" in done.output
    assert files(output) == before
    assert run(model, output, "--cpus", "5", "--overwrite").exit_code == 0
    assert "# mine" not in edited.read_text()
    assert 'cpu: "5"' in (output / "base/deployment.yaml").read_text()


def test_a_dry_run_writes_nothing(tmp_path):
    model = write_model(tmp_path / "pnasnet", PNASNET)
    done = run(model, tmp_path / "out", "--dry-run")
    assert "15 files would be new" in done.output
    assert not (tmp_path / "out").exists()


def test_a_component_can_be_added_later(tmp_path):
    model = write_model(tmp_path / "pnasnet", PNASNET)
    output = written(model, tmp_path / "out")
    done = run(model, output, "--with", "gateway")
    assert "+  - ../../components/gateway" in done.output
    assert (output / "components/gateway/grpcroute.yaml").exists()


@pytest.mark.parametrize(
    ("given", "code", "says"),
    [
        (["--name", "Cats_Dogs"], 2, "Cats_Dogs cannot be the name of a Service: give one with --name"),
        (["--name", "3d"], 2, "3d cannot be the name"),
        (["--name", "a" * 41], 2, "of at most 40 lower-case letters"),
        (["--namespace", "Team A"], 2, "--namespace Team A is not a DNS label"),
        (["--namespace", "123"], 2, "--namespace 123 is not text in YAML"),
        (["--name", "null"], 2, "--name null is not text in YAML"),
        (["--name", "cats-headless"], 2, "is also what a model called cats calls its own objects"),
        (["--overlay", "../../x"], 2, "--overlay ../../x is not a DNS label"),
        (["--prometheus-release", "a}"], 2, "--prometheus-release a} is not a DNS label"),
        (["--pull-secret", "a, b"], 2, "--pull-secret a, b is not a DNS label"),
        (["--name", ""], 2, "cannot be the name of a Service"),
        (["--image", "a/b}:1"], 2, "--image a/b}:1 is not the name of an image"),
        (["--image", "a/b:"], 2, "--image a/b: is not the name of an image"),
        (["--image", "A/B:1"], 2, "--image A/B:1 is not the name of an image"),
        (["--image", "a/b:latest"], 2, "--image a/b:latest floats"),
        (["--gpu", "mig:2g"], 2, "--gpu mig:2g is not"),
        (["--cpus", "0"], 2, "'--cpus': 0 is not in the range"),
        (["--with", "monitor"], 2, "--with has no monitor. It has autoscaling-hpa"),
        (["--with", "gpu-shared"], 2, "--with has no gpu-shared; --gpu chooses it"),
        (["--with", "autoscaling-keda"], 2, "autoscaling-keda needs monitoring: add it to --with"),
        (["--with", "monitoring,scale-to-zero"], 2, "scale-to-zero needs autoscaling-keda: add it to --with"),
        (["--gpu", "2"], 2, "--gpu 2 is not none, 1, shared or mig:SLICE"),
        (["--replicas", "2-4"], 2, "a range needs autoscaling"),
        (["--replicas", "0"], 2, "must be positive and ascending"),
        (["--replicas", "many"], 2, "is not a number such as 2"),
        (
            ["--with", "monitoring,autoscaling-keda", "--replicas", "2"],
            2,
            "autoscaling needs the smallest and the largest",
        ),
        (["--image", "registry.example.com/cats"], 2, "floats: name it with a tag or a digest"),
        (["--version", "9"], 1, "does not have version 9; it has 1"),
        (["--with", "canary"], 1, "canary needs a version after 1"),
        *(
            (options(tuple(sorted(others)[:2])), 2, "exclude each other")
            for others in ALTERNATIVES
            if len(set(others) & set(BY_GPU)) < 2
        ),
    ],
    ids=str,
)
def test_bad_input_is_named_and_nothing_is_written(tmp_path, given, code, says):
    done = run(write_model(tmp_path / "pnasnet", PNASNET), tmp_path / "out", *given)
    assert done.exit_code == code
    assert says in click.unstyle(done.output)
    assert not (tmp_path / "out").exists()


def test_a_folder_without_a_manifest_is_named(tmp_path):
    (tmp_path / "pnasnet" / "1").mkdir(parents=True)
    done = run(tmp_path / "pnasnet", tmp_path / "out")
    assert (done.exit_code, (tmp_path / "out").exists()) == (1, False)
    assert "does not have assets.extra/export.json; only versions that hubserve exported have it" in done.output


def test_one_version_instead_of_the_models_folder_is_named(tmp_path):
    model = write_model(tmp_path / "pnasnet", PNASNET)
    done = run(model / "1", tmp_path / "out")
    assert (done.exit_code, (tmp_path / "out").exists()) == (1, False)
    assert f"1 is one version of a model: give the model's base folder, {model}" in done.output


@pytest.mark.parametrize("file", ["notes.txt", "base/deployment.yaml"])
def test_foreign_files_stay(tmp_path, file):
    foreign = tmp_path / "out" / file
    foreign.parent.mkdir(parents=True)
    foreign.write_text("mine")
    done = run(write_model(tmp_path / "pnasnet", PNASNET), tmp_path / "out")
    assert done.exit_code == 1
    assert f"holds files that hubserve manifests did not write, such as {file.split('/')[0]}" in done.output
    assert files(tmp_path / "out") == {file: "mine"}


def test_an_output_that_is_a_file_is_named(tmp_path):
    (tmp_path / "out").write_text("mine")
    done = run(write_model(tmp_path / "pnasnet", PNASNET), tmp_path / "out")
    assert (done.exit_code, "is not a folder" in done.output) == (1, True)


def test_a_record_that_cannot_be_read_is_named(tmp_path):
    output = written(write_model(tmp_path / "pnasnet", PNASNET), tmp_path / "out")
    (output / ".hubserve.json").write_text(json.dumps({"files": 1}))
    done = run(tmp_path / "pnasnet", output)
    assert (done.exit_code, "is not a record of hubserve manifests" in done.output) == (1, True)


def test_every_component_is_known_to_the_rules():
    assert set().union(*ALTERNATIVES) | set(NEEDS) | set(NEEDS.values()) <= set(COMPONENTS)


def test_the_output_is_yaml_that_a_person_reads(tmp_path):
    output = written(write_model(tmp_path / "pnasnet", PNASNET), tmp_path / "out", *_PRODUCTION)
    for path, text in files(output).items():
        if path.endswith(".yaml"):
            assert list(yaml.safe_load_all(text))
            assert text.startswith("#") or path.count("/") > 1 or "base/" in path


def test_a_namespace_may_contain_a_models_name(tmp_path):
    model = write_model(tmp_path / "cats", CATS_DOGS)
    built = build(written(model, tmp_path / "out", "--namespace", "pnasnet-prod", "--with", "priority,monitoring"))
    assert built.namespace == "pnasnet-prod"
    assert built.one("PriorityClass")["metadata"]["name"] == "pnasnet-prod-cats-serving"


@pytest.mark.parametrize(
    ("change", "missing"),
    [
        ({"preprocessing": {"height": 331, "width": 331}}, "preprocessing.max_pixels"),
        ({"preprocessing": {"height": "331", "width": 331, "max_pixels": 1}}, "preprocessing.height"),
        ({"preprocessing": {"height": 0, "width": 331, "max_pixels": 1}}, "preprocessing.height"),
        ({"preprocessing": None}, "preprocessing.max_pixels"),
        ({"batch_sizes": []}, "batch_sizes"),
        ({"batch_sizes": [1, True]}, "batch_sizes"),
        ({"model": []}, "model"),
        ({"source": {}}, "source.handle"),
        ({"files": []}, "files"),
        ({"files": [{"path": "variables/x", "bytes": -5}]}, "files.bytes"),
        ({"files": [{"path": 1, "bytes": 1}]}, "path"),
    ],
    ids=str,
)
def test_a_manifest_that_says_too_little_is_named(tmp_path, change, missing):
    done = run(write_model(tmp_path / "m", PNASNET | change), tmp_path / "out")
    assert done.exit_code == 1
    assert "has no possible value of" in done.output
    assert missing in done.output or missing.startswith("preprocessing")
    assert not (tmp_path / "out").exists()


def test_an_address_with_quotes_stays_one_argument(tmp_path):
    handle = 'https://example.com/a?b="c", --output, /'
    model = write_model(tmp_path / "p", PNASNET | {"source": {"handle": handle}})
    output = written(model, tmp_path / "out", "--with", "model-pvc")
    (pod,) = load(kustomize(output / "jobs" / "export")).pods()
    assert pod.spec["containers"][0]["args"][1] == handle
