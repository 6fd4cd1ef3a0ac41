"""What an image reference says, for engines and for platforms alike."""

from __future__ import annotations

from askew.evidence.launch import Token
from askew.evidence.location import Location
from askew.facts.types import Value
from askew.facts.values.image import ImageReference, image
from askew.resolve.observation import Observation, Origin, Unknown

_OBSERVE_DIGEST = "kubectl get pod POD -o jsonpath='{.status.containerStatuses[*].imageID}'"


def read_image(token: Token | None) -> ImageReference | None:
    """The reference that a token holds, or None where it is not final or no runtime would pull it."""
    if token is None or token.unknown is not None:
        return None
    try:
        return image(token.text)
    except ValueError:
        return None


def image_observations(token: Token, *, origin: Origin = "explicit") -> tuple[Observation, ...]:
    """``runtime.image``, its tag and its digest, from the reference as written.

    Without tag and digest the runtime pulls ``latest``, said as a platform default
    (https://kubernetes.io/docs/concepts/containers/images/). Without digest the digest is unknown, not absent: a tag
    always points to one. With a digest and no tag there is no tag. A reference that is not final, or that no runtime
    would pull, makes all three unknown.
    """
    where = (token.location, *token.via)
    if token.unknown is not None:
        return _all_unknown(token, where, token.unknown, origin)
    try:
        found = image(token.text)
    except ValueError as error:
        return _all_unknown(token, where, str(error), origin)
    digest: Value | Unknown = found.digest
    if digest is None:
        digest = Unknown("the image is not pinned by digest", observe_with=_OBSERVE_DIGEST)
    implied = found.tag is None and found.digest is None
    return (
        Observation(fact="runtime.image", value=found.name, origin=origin, locations=where, raw=token.text),
        Observation(
            fact="runtime.image.tag",
            value="latest" if implied else found.tag,
            origin="platform-default" if implied else origin,
            locations=where,
            raw=token.text,
            because=("an image without tag and digest is pulled as latest",) if implied else (),
        ),
        Observation(fact="runtime.image.digest", value=digest, origin=origin, locations=where, raw=token.text),
    )


def _all_unknown(token: Token, where: tuple[Location, ...], reason: str, origin: Origin) -> tuple[Observation, ...]:
    return tuple(
        Observation(fact=key, value=Unknown(reason, text=token.text), origin=origin, locations=where, raw=token.text)
        for key in ("runtime.image", "runtime.image.tag", "runtime.image.digest")
    )
