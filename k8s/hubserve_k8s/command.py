"""The subcommand `hubserve manifests`."""

from __future__ import annotations

import os
from pathlib import Path

import click

from hubserve_model import ModelFilesError

from . import _output
from ._errors import ChoiceError, ManifestsError
from ._model import Model, read_model
from ._overlay import of_job
from ._overlay import overlay as overlay_text
from ._selection import choose
from ._server import choose_server
from ._sizes import work_out
from ._tree import texts


def _names(_context: click.Context, _option: click.Parameter, given: tuple[str, ...]) -> tuple[str, ...]:
    """Read components, with commas between them."""
    return tuple(name.strip() for value in given for name in value.split(",") if name.strip())


@click.command(short_help="Write Kubernetes manifests for a model directory.")
@click.argument("model_dir", type=click.Path(path_type=Path))
@click.option(
    "--output",
    required=True,
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Folder to write the manifests to. It must be empty, or of an earlier run.",
)
@click.option(
    "--name",
    metavar="NAME",
    help="Name of the model, its Deployment and its Services.  [default: the name of MODEL_DIR]",
)
@click.option("--namespace", metavar="NAME", default="hubserve", show_default=True, help="Namespace of everything.")
@click.option("--version", type=click.IntRange(min=0), metavar="N", help="Version to serve.  [default: the newest]")
@click.option(
    "--image",
    metavar="IMAGE",
    help="Image of the model, as the cluster pulls it, with a tag or a digest.  [default: NAME-model:VERSION]",
)
@click.option(
    "--server-image",
    metavar="IMAGE",
    help="Image of TensorFlow Serving, with a tag or a digest. It must not be older than the TensorFlow that exported "
    "the model.  [default: tensorflow/serving, of the release that the model needs]",
)
@click.option(
    "--replicas",
    metavar="N|MIN-MAX",
    help="Number of pods; with autoscaling the smallest and the largest number.  [default: 1; 2-4 with autoscaling]",
)
@click.option(
    "--gpu",
    metavar="none|1|shared|mig:SLICE",
    default="1",
    show_default=True,
    help="GPU of a pod: none, a whole one, a time slice, or a MIG slice such as mig:2g.20gb.",
)
@click.option(
    "--cpus",
    type=click.IntRange(min=1),
    metavar="N",
    default=3,
    show_default=True,
    help="CPUs of a pod. As many images are decoded at once, and the memory follows.",
)
@click.option(
    "--with",
    "components",
    metavar="A,B,...",
    multiple=True,
    callback=_names,
    help="Components, such as monitoring,autoscaling-keda,gateway. May be repeated. k8s/README.md lists them.",
)
@click.option("--overlay", metavar="NAME", help="Folder of the overlay.  [default: gpu; cpu with --gpu none]")
@click.option(
    "--prometheus-release",
    "release",
    metavar="NAME",
    default="kube-prometheus-stack",
    show_default=True,
    help="Helm release of the Prometheus operator, which selects monitors and rules by it.",
)
@click.option("--pull-secret", metavar="NAME", help="Secret with which images are pulled.")
@click.option("--runtime-class", metavar="NAME", help="RuntimeClass of the server's pods, such as nvidia.")
@click.option("--overwrite", is_flag=True, help="Write files anew that were edited since the last run.")
@click.option("--dry-run", is_flag=True, help="Show what would change, and write nothing.")
def manifests(
    model_dir: Path,
    output: Path,
    name: str | None,
    namespace: str,
    version: int | None,
    image: str | None,
    server_image: str | None,
    replicas: str | None,
    gpu: str,
    cpus: int,
    components: tuple[str, ...],
    overlay: str | None,
    release: str,
    pull_secret: str | None,
    runtime_class: str | None,
    overwrite: bool,
    dry_run: bool,
) -> None:
    """Write Kubernetes manifests for a model directory.

    MODEL_DIR is the model's base folder, which holds its versions. The output is kustomize: a base, the components that
    were chosen, one overlay and the Jobs. Memory, disk, probes, alerts and scaling follow from the model's manifest.
    When the command runs again, it shows what changes. It keeps overlays and Jobs, which are yours.

    \b
    Example:
      hubserve manifests models/pnasnet --output deploy --image registry.example.com/pnasnet:1
      kubectl apply -k deploy/overlays/gpu
    """
    try:
        choice = choose(
            name=_folder_name(model_dir) if name is None else name,
            namespace=namespace,
            gpu=gpu,
            components=components,
            overlay=overlay,
            image=image,
            server_image=server_image,
            replicas=replicas,
            cpus=cpus,
            release=release,
            pull_secret=pull_secret,
            runtime_class=runtime_class,
        )
        model = read_model(model_dir, version, canary="canary" in choice.components)
        server = choose_server(model, choice.server_image)
        files = texts(choice, model, server, work_out(model, cpus), _source(model))
        files[f"overlays/{choice.overlay}/kustomization.yaml"] = overlay_text(choice, model)
        for path in files:
            if path.startswith("jobs/") and path.endswith("kustomization.yaml"):
                files[path] = of_job(files[path], choice)
        planned = _output.plan(output, files)
        for line in planned.diff:
            click.echo(line)
        if not dry_run:
            _output.write(output, files, planned, overwrite=overwrite)
    except ChoiceError as error:
        raise click.UsageError(str(error)) from error
    except (ManifestsError, ModelFilesError) as error:
        raise click.ClickException(str(error)) from error
    if server.note:
        click.echo(f"Warning: {server.note}", err=True)
    _report(output, planned, choice.overlay, dry_run=dry_run)


def _folder_name(model_dir: Path) -> str:
    """Return the name of a model's folder; that of a link is the link's own.

    Raises:
        ManifestsError: The folder is one version of a model.
    """
    folder = Path(os.path.abspath(model_dir))
    if folder.name.isascii() and folder.name.isdecimal():
        raise ManifestsError(f"{model_dir} is one version of a model: give the model's base folder, {folder.parent}")
    return folder.name


def _source(model: Model) -> str | None:
    """Return what a Job in the cluster can export again: a model by its address or its name, and not a file."""
    handle = model.source
    return handle if handle.startswith(("https://", "http://")) or handle == "efficientnet-lite0" else None


def _report(output: Path, planned: _output.Plan, overlay: str, *, dry_run: bool) -> None:
    would = "would be " if dry_run else ""
    click.echo(f"{output}: {len(planned.new)} files {would}new, {len(planned.changed)} {would}changed")
    for path in planned.kept:
        click.echo(f"Kept, though it differs from the diff above: {output / path}")
    if not dry_run:
        click.echo(f"Apply it: kubectl apply -k {output / 'overlays' / overlay}")
