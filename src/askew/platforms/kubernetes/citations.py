"""The public sources of what Kubernetes and container runtimes do when a manifest says nothing."""

from __future__ import annotations

from askew.evidence.location import Location

CORE_DEFAULTS = Location("https://github.com/kubernetes/kubernetes/blob/master/pkg/apis/core/v1/defaults.go")
APPS_DEFAULTS = Location("https://github.com/kubernetes/kubernetes/blob/master/pkg/apis/apps/v1/defaults.go")
# containerd's default mounts give /dev/shm size=65536k; CRI-O and Docker have the same default.
SHM_DEFAULT = Location("https://github.com/containerd/containerd/blob/main/pkg/oci/mounts.go")
EMPTY_DIR = Location("https://kubernetes.io/docs/concepts/storage/volumes/#emptydir")
EXTENDED_RESOURCES = Location(
    "https://kubernetes.io/docs/concepts/configuration/manage-resources-containers/#extended-resources"
)
