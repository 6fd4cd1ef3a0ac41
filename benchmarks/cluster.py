"""What a scan of a whole cluster costs, beside the official Python client and beside the calls that piqc makes.

    python -m benchmarks.cluster [NODES DEPLOYMENTS]

The cluster is a real API server on this machine (`make test-cluster` builds it) with 20,000 pods on 2,000 nodes, unless
told otherwise: `benchmarks/simulated.py` says what they are. Askew's requests are counted in the server's audit log.

- The official client (PyPI: kubernetes) lists the very resources that Askew listed: in one call each and keeping what
  comes, as its examples do; and page by page in pages of 500, dropping each page, which is the least it can do.
- piqc is modelled, not run: the calls of `piqc scan --no-exec --no-collect-runtime`, in their order, made with the
  official client, as `core/orchestrator.py` of piqc 1.10.0 makes them (https://pypi.org/project/piqc/1.10.0/). It lists
  the pods of every namespace, then all pods and all nodes several times over, and for every deployment that serves a
  model its first pod twice and all nodes again, in ten threads. That part is measured for a few deployments and
  multiplied; the table says so.

Server and clients share the processors, as they would not in production.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from benchmarks.__main__ import askew, ended, environment, pip, processor
from benchmarks.simulated import Size, fill
from tests.cluster.build import assets, missing
from tests.cluster.server import Call, Cluster, running

SAMPLE = 10  # deployments of which piqc's calls are measured, one for each of its threads

# Lists what it is given, in pages that it drops where the first word is `pages`. Prints how many objects there were.
OFFICIAL = """\
import sys
from kubernetes import client, config
config.load_kube_config()
core, apps, scaling = client.CoreV1Api(), client.AppsV1Api(), client.AutoscalingV2Api()
METHODS = {
    "/api/v1/pods": core.list_pod_for_all_namespaces, "/api/v1/nodes": core.list_node,
    "/api/v1/services": core.list_service_for_all_namespaces,
    "/api/v1/configmaps": core.list_config_map_for_all_namespaces,
    "/api/v1/secrets": core.list_secret_for_all_namespaces, "/api/v1/events": core.list_event_for_all_namespaces,
    "/apis/apps/v1/deployments": apps.list_deployment_for_all_namespaces,
    "/apis/apps/v1/replicasets": apps.list_replica_set_for_all_namespaces,
    "/apis/apps/v1/daemonsets": apps.list_daemon_set_for_all_namespaces,
    "/apis/apps/v1/statefulsets": apps.list_stateful_set_for_all_namespaces,
    "/apis/autoscaling/v2/horizontalpodautoscalers": scaling.list_horizontal_pod_autoscaler_for_all_namespaces,
}
count, kept, pages = 0, [], sys.argv[1] == "pages"
for path in sys.argv[2:]:
    more = {"limit": 500} if pages else {}
    while path in METHODS:
        page = METHODS[path](**more)
        count += len(page.items)
        if not pages:
            kept.append(page)
        more["_continue"] = page.metadata._continue
        if not more["_continue"]:
            break
print(count)
"""

# The calls of piqc, of which those for each deployment are made for the first of them only. Prints the seconds that
# these took.
PIQC = """\
import sys, time
from concurrent.futures import ThreadPoolExecutor
from kubernetes import client, config
config.load_kube_config()
core = client.CoreV1Api()
running = {"field_selector": "status.phase=Running"}
core.get_api_resources()
pods = {}
for space in core.list_namespace().items:
    pods.update(((pod.metadata.namespace, pod.metadata.name), pod) for pod in
                core.list_namespaced_pod(namespace=space.metadata.name, **running).items)
serving = {}
for (space, name), pod in pods.items():
    if any("nvidia.com/gpu" in (c.resources.limits or {}) for c in pod.spec.containers if c.resources):
        serving.setdefault((space, name.rsplit("-", 2)[0]), name)
everywhere, nodes = core.list_pod_for_all_namespaces(**running), core.list_node()
def model(entry):
    (space, _), name = entry
    core.list_namespaced_pod(namespace=space, field_selector=f"metadata.name={name}")
    core.list_node()
    core.list_namespaced_pod(namespace=space, field_selector=f"metadata.name={name}")
begin = time.perf_counter()
with ThreadPoolExecutor(max_workers=10) as pool:
    list(pool.map(model, list(serving.items())[: int(sys.argv[1])]))
taken = time.perf_counter() - begin
del everywhere, nodes
core.list_node(), core.list_pod_for_all_namespaces(**running)
core.list_pod_for_all_namespaces(**running)
core.list_pod_for_all_namespaces(field_selector="status.phase=Pending")
core.list_node()
print(len(serving), taken)
"""


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """One run: seconds, peak resident bytes, what it printed, and what it asked the server for."""

    wall: float
    cpu: float
    peak: int
    out: str
    calls: Sequence[Call]


def measured(cluster: Cluster, command: Sequence[str], config: Path, folder: Path) -> Run:
    """Run a program as the cluster's administrator; it may exit 0 or 1."""
    with cluster.requests("admin") as calls, open(folder / "out", "w+b") as out, open(folder / "err", "w+b") as err:
        begin = time.perf_counter()
        process = subprocess.Popen(
            command, cwd=folder, env={**os.environ, "KUBECONFIG": str(config)},
            stdin=subprocess.DEVNULL, stdout=out, stderr=err,
        )  # fmt: skip
        # The kernel counts what this process held when it made the other one: it holds little (`fill` streams).
        cpu, peak = ended(process)
        wall = time.perf_counter() - begin
    if process.returncode not in (0, 1):
        sys.exit(f"benchmarks: {command[0]} exited {process.returncode}: {(folder / 'err').read_text()[-2000:]}")
    return Run(wall=wall, cpu=cpu, peak=peak, out=(folder / "out").read_text(), calls=calls)


def lists(calls: Sequence[Call]) -> list[str]:
    """The paths that were listed, each once."""
    return list(dict.fromkeys(urlsplit(one.uri).path for one in calls if one.verb == "list" and one.code == 200))


def main() -> None:
    """Print the tables."""
    words = [int(word) for word in sys.argv[1:]]
    size = Size(*words) if words else Size(nodes=2000, deployments=2000)
    if absent := missing(assets()):
        sys.exit(f"benchmarks: no {', '.join(absent)} in {assets()}\nhint: `make test-cluster` builds them")
    program = askew() / "askew"
    official = environment("kubernetes") / "python"
    trouble = pip(official.parent, "kubernetes")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with running(assets(), folder / "server", controllers=False, apiserver=()) as cluster:
            counts = fill(cluster, size)
            cluster.admin.get("/api/v1/pods?limit=1")  # its cache is filled now
            config = cluster.kubeconfig()
            ours = measured(cluster, (str(program), "check", "k8s:*", "--format", "json"), config, folder)
            print(
                f"{time.strftime('%Y-%m-%d')}, Python {platform.python_version()}, {processor()}, "
                f"{os.cpu_count()} cores. {', '.join(f'{count:,} {kind}' for kind, count in sorted(counts.items()))}.\n"
            )
            rows: list[tuple[str, float, float, int, str]] = []
            rows.append(("`askew check k8s:*`", ours.wall, ours.cpu, ours.peak, f"{len(ours.calls)}"))
            if trouble:
                print(f"The official client is skipped: not installable: {trouble}\n")
            else:
                listed = lists(ours.calls)
                for how, title in (
                    ("whole", "official client, the same lists"),
                    ("pages", "the same in dropped pages"),
                ):
                    got = measured(cluster, (str(official), "-c", OFFICIAL, how, *listed), config, folder)
                    rows.append((title, got.wall, got.cpu, got.peak, f"{len(got.calls)}"))
                piqc = measured(cluster, (str(official), "-c", PIQC, str(SAMPLE)), config, folder)
                count, taken = piqc.out.split()
                more = int(count) / SAMPLE - 1  # so many times what was measured was not
                rows.append(
                    (f"piqc's calls, {SAMPLE} of {count} models", piqc.wall, piqc.cpu, piqc.peak, f"{len(piqc.calls)}")
                )
                calls = len(piqc.calls) + 3 * (int(count) - SAMPLE)
                wall, cpu = (value + float(taken) * more for value in (piqc.wall, piqc.cpu))
                rows.append((f"piqc's calls, multiplied to {count} models", wall, cpu, piqc.peak, f"{calls}"))
            print("| whole cluster | wall | times Askew's | CPU | peak memory | times Askew's | calls |")
            print("|---|---:|---:|---:|---:|---:|---:|")
            for title, wall, cpu, peak, asked in rows:
                print(
                    f"| {title} | {wall:.1f} s | {wall / ours.wall:.1f} | {cpu:.1f} s | {peak / 1e6:.0f} MB | "
                    f"{peak / ours.peak:.1f} | {asked} |"
                )
            print("\nOne run each.\n")
            report = json.loads(ours.out)
            source = report["sources"][0]
            print(f"Askew read {len(report['workloads']):,} workloads, {source['status']}. Its requests:\n")
            print("| verb | path | requests |\n|---|---|---:|")
            asked_for = Counter((one.verb, urlsplit(one.uri).path) for one in ours.calls)
            for (verb, path), times in sorted(asked_for.items(), key=lambda entry: (-entry[1], entry[0])):
                print(f"| {verb} | {path} | {times} |")


if __name__ == "__main__":
    main()
