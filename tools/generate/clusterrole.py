"""``docs/reference/clusterrole.yaml``: what Askew needs to be allowed to read of a cluster."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path

from askew.collectors.k8s.resources import RESOURCES, Resource

PATH = Path(__file__).resolve().parents[2] / "docs" / "reference" / "clusterrole.yaml"

_HEAD = """\
# Written by `make generate` from askew.collectors.k8s.resources; do not edit.
#
# What Askew reads of a cluster, and nothing else: it never writes. Bind it with a ClusterRoleBinding, or with a
# RoleBinding for one namespace; what is missing then (nodes, classes) is named in the report and stays unknown.
#
#   kubectl apply -f clusterrole.yaml
#   kubectl create clusterrolebinding askew --clusterrole=askew --serviceaccount=NAMESPACE:NAME
#
# Rules for kinds that are not installed do no harm. Those in comments are for what has to be asked for.
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata:
  name: askew
rules:"""

# Comment, resources, verbs: what only options ask for.
_OPTIONAL = (
    (
        "Whether a key in a Secret changed, and helm-release: sources. There is no right to read less;\n"
        "values are replaced by digests under a random key as they are read.",
        ("secrets",),
        ("get", "list"),
    ),
    ("--logs, logs=on: the beginning and the end of what containers log.", ("pods/log",), ("get",)),
    ("--endpoints, endpoints=on: GET requests to engines, through the API server.", ("pods/proxy",), ("get",)),
    (
        "--exec, exec=on: commands that only read, in containers. Whoever has this right can run any command there.",
        ("pods/exec",),
        ("get", "create"),
    ),
)

_DRY_RUN = """\
  # dry-run: sources ask what the API server would make of a manifest (POST with dryRun=All), and it keeps nothing. RBAC
  # knows no right to dry runs alone: whoever has this one can create these objects. Name the kinds that you use."""
# What a manifest may make of Kubernetes itself, and the pods of it.
_CREATED = (("", ("pods",)), ("apps", ("daemonsets", "deployments", "statefulsets")), ("batch", ("cronjobs", "jobs")))


def render() -> str:
    """The text of the file."""
    return "\n".join((_HEAD, *_rules(), *_optional(), *_dry_run())) + "\n"


def _rules() -> Iterator[str]:
    wanted = [one for one in RESOURCES if (one.group, one.name) != ("", "secrets")]
    for why, rows in groupby(sorted(wanted, key=_why), key=lambda one: one.why):
        yield f"  # {why}"
        for group, kinds in groupby(sorted(rows, key=_group), key=lambda one: one.group):
            yield from _rule((group,), sorted({one.name for one in kinds}), ("get", "list"))


def _why(one: Resource) -> int:
    """Reasons in the order of the table."""
    return next(number for number, other in enumerate(RESOURCES) if other.why == one.why)


def _group(one: Resource) -> str:
    return one.group


def _rule(groups: Iterable[str], names: Iterable[str], verbs: Iterable[str]) -> Iterator[str]:
    yield f"  - apiGroups: [{_listed(groups)}]"
    yield f"    resources: [{_listed(names)}]"
    yield f"    verbs: [{_listed(verbs)}]"


def _optional() -> Iterator[str]:
    for why, names, verbs in _OPTIONAL:
        yield from (f"  # {line}" for line in why.split("\n"))
        yield from (f"  # {line[2:]}" for line in _rule(("",), names, verbs))


def _dry_run() -> Iterator[str]:
    yield _DRY_RUN
    for group, names in _CREATED:
        yield from (f"  # {line[2:]}" for line in _rule((group,), names, ("create",)))


def _listed(texts: Iterable[str]) -> str:
    return ", ".join(f'"{text}"' for text in texts)
