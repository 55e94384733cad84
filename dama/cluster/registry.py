"""Whether a registry has the images of a run, as far as it tells somebody without a login."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from urllib.error import HTTPError, URLError
from urllib.parse import urlencode
from urllib.request import Request, urlopen

from dama.cluster.doctor import Finding
from dama.spec.image import ImagesSpec

_ACCEPTED = ", ".join(
    f"application/vnd.{kind}"
    for kind in (
        "oci.image.index.v1+json",
        "oci.image.manifest.v1+json",
        "docker.distribution.manifest.list.v2+json",
        "docker.distribution.manifest.v2+json",
    )
)
_WAIT_SECONDS = 10.0
_LOCAL = re.compile(r"^(localhost|127\.0\.0\.1)(:\d+)?$")


def examine_images(images: ImagesSpec) -> Iterator[Finding]:
    """Yield a finding for each image: there, not there, or not told."""
    for name in ("preprocess", "train", "control", "store"):
        image = str(getattr(images, name))
        try:
            _ask(image)
        except HTTPError as error:
            if error.code in (401, 403):
                yield Finding("unknown", f"image {name}: the registry tells only who logs in ({image})")
            elif error.code == 404:
                yield Finding("wrong", f"image {name}: {image} is not there", "make push REGISTRY=...")
            else:
                yield Finding("unknown", f"image {name}: {image}: the registry answers {error.code}")
        except (URLError, OSError, ValueError) as error:
            yield Finding("unknown", f"image {name}: {image}: {' '.join(str(error).split())}")
        else:
            yield Finding("ok", f"image {name}: {image} is there")


def _ask(image: str) -> None:
    """Ask for an image's manifest; HTTPError says that it is not given."""
    registry, path, reference = split_image(image)
    scheme = "http" if _LOCAL.match(registry) else "https"
    address = f"{scheme}://{registry}/v2/{path}/manifests/{reference}"
    try:
        _open(address, {"Accept": _ACCEPTED})
    except HTTPError as error:
        challenge = re.findall(r'(\w+)="([^"]*)"', error.headers.get("WWW-Authenticate", ""))
        asked = dict(challenge)
        if error.code != 401 or not asked.get("realm", "").startswith("https://"):
            raise
        scope = {key: asked[key] for key in ("service", "scope") if key in asked}
        answer = json.loads(_open(f"{asked['realm']}?{urlencode(scope)}", {}))
        token = answer.get("token") or answer.get("access_token")
        _open(address, {"Accept": _ACCEPTED, "Authorization": f"Bearer {token}"})


def split_image(image: str) -> tuple[str, str, str]:
    """Return registry, path, and digest or else tag, of an image; Docker Hub's own where none is written."""
    rest, _, digest = image.partition("@")
    first, slash, path = rest.partition("/")
    if not slash or not ("." in first or ":" in first or first == "localhost"):
        first, path = "registry-1.docker.io", rest if slash else f"library/{rest}"
    if first == "docker.io":
        first = "registry-1.docker.io"
    path, _, tag = path.partition(":")
    return first, path, digest or tag or "latest"


def _open(address: str, headers: dict[str, str]) -> bytes:
    request = Request(address, headers=headers)  # noqa: S310 - the scheme is written above
    with urlopen(request, timeout=_WAIT_SECONDS) as answer:  # noqa: S310
        return bytes(answer.read(1 << 20))
