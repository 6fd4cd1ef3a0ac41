"""Which release of vLLM an image states: in a tag that counts its releases, or in a table of its publisher."""

from __future__ import annotations

import re

from askew.facts.values.image import ImageReference

# Tags of these count vLLM's own releases: vLLM's own images, and builds that keep the name and the tag ...
_OWN_TAG = ("/vllm", "/vllm-cpu-release-repo")
# ... but these publishers name their images likewise and count releases of their own.
_VENDORS = (
    *("docker.io/lmcache/", "docker.io/opea/", "docker.io/rocm/", "registry.redhat.io/", "nvcr.io/", "quay.io/modh/"),
    *("quay.io/ascend/", "quay.io/rhoai/"),
)
# Elsewhere a tag must be the release and words for its platform: a commit, a date or a patch makes another build.
_PLAIN_TAG = r"(?a)v?\d+\.\d+\.\d+(?:\.?(?:post|rc)\d+)?(?:-(?:cu\d+|x86_64|aarch64|a(?:rm|md)64|cpu|gpu|xpu|ubi\d+))*"
# Tags of these begin with the release, and go on with words of their own.
# https://docs.aws.amazon.com/deep-learning-containers/ and https://awsdocs-neuron.readthedocs-hosted.com
_LEADS = (
    r"\.dkr\.ecr\.[\w.-]+/vllm$|public\.ecr\.aws/deep-learning-containers/vllm$|"
    r"/(?:pytorch-inference-)?vllm(?:-inference)?-neuronx$"
)
# vLLM Ascend numbers itself after the vLLM it belongs to, with candidates and later releases of its own.
# https://docs.vllm.ai/projects/ascend/en/latest/community/versioning_policy.html
_ASCEND = r"(?a)v?(\d+\.\d+\.\d+)(?:rc\d+|\.post\d+)?(?:-[\w.-]+)?"
# vLLM in NVIDIA's monthly images: https://docs.nvidia.com/deeplearning/frameworks/vllm-release-notes/
_NVIDIA = {"25.10": "0.10.2", "26.01": "0.11.1", "26.03": "0.17.1", "26.05": "0.20.1", "26.10": "0.31.0"}
_NAMED_IN_TAG = r"(?:^|[-_.])vllm[-_]?v?(\d+\.\d+\.\d+(?:\.?(?:post|rc)\d+)?)(?=$|[-_.+])"


def stated_release(image: ImageReference) -> str | None:
    """The release of vLLM that an image states: in its tag, where that counts vLLM's releases, or named in the tag."""
    from askew.facts.values.version import image_tag_version

    if image.tag is None:
        return None
    named = re.search(_NAMED_IN_TAG, image.tag) if "vllm" in image.tag else None
    if named is not None:
        return image_tag_version(named[1])
    name = image.name
    if name == "nvcr.io/nvidia/vllm":
        return _NVIDIA.get(image.tag.partition("-")[0])
    if name.endswith("/vllm-ascend"):
        ascend = re.fullmatch(_ASCEND, image.tag)
        return ascend[1] if ascend is not None else None
    if re.search(_LEADS, name):
        return image_tag_version(image.tag.partition("-")[0])
    named_so = name.endswith(_OWN_TAG) or "/vllm-openai" in name
    plain = named_so and not name.startswith(_VENDORS) and re.fullmatch(_PLAIN_TAG, image.tag)
    if plain or name.startswith("docker.io/vllm/"):
        return image_tag_version(image.tag)
    return None
