"""Image registries, read only: is this very image there, and may it be pulled?

The distribution protocol over HTTPS (HTTP for a registry on this machine); where a registry wants a token for
anonymous readers, it is fetched from where the registry says.
"""

from __future__ import annotations

import hashlib
import json
import re
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass

from dama.errors import AccessRefused, CorruptArtifact, ObjectMissing, StorageError, StoreUnreachable

_KINDS = ", ".join(
    f"application/vnd.{kind}+json"
    for kind in (
        "oci.image.index.v1",
        "oci.image.manifest.v1",
        "docker.distribution.manifest.list.v2",
        "docker.distribution.manifest.v2",
    )
)
_MOST = 4 << 20
"""No manifest is larger, in bytes."""
_HUB = "docker.io"
_LOCAL = ("localhost", "127.0.0.1")


@dataclass(frozen=True)
class Reference:
    """An image as `registry/path:tag@digest` names it."""

    registry: str
    path: str
    tag: str
    digest: str

    @classmethod
    def parse(cls, text: str) -> Reference:
        """Read a whole reference; ValueError where a part is missing."""
        found = re.fullmatch(r"([^/]+)/([^@]+?):([^:/@]+)@(sha256:[0-9a-f]{64})", text)
        if found is None:
            raise ValueError(f"not REGISTRY/PATH:TAG@sha256:DIGEST: {text!r}")
        return cls(*found.groups())

    @property
    def address(self) -> str:
        """Where its manifest lies."""
        host = "registry-1.docker.io" if self.registry == _HUB else self.registry
        scheme = "http" if host.partition(":")[0] in _LOCAL else "https"
        return f"{scheme}://{host}/v2/{self.path}/manifests/{self.digest}"


def check_image(text: str, timeout_seconds: float = 20.0) -> None:
    """Ask the registry for the manifest of the image that `text` names, and compare its bytes to the digest.

    Raises ObjectMissing, AccessRefused (it wants a login, which only the cluster may have), StoreUnreachable,
    or CorruptArtifact when the registry sends something else.
    """
    reference = Reference.parse(text)
    try:
        body = _get(reference.address, timeout_seconds)
    except urllib.error.HTTPError as error:
        with error:  # it holds the connection
            raise _told(reference, error.code) from error
    except (OSError, ValueError) as error:
        raise StoreUnreachable(
            f"{reference.registry} does not answer ({' '.join(str(error).split())})",
            do="check the network and the registry's address",
        ) from error
    found = f"sha256:{hashlib.sha256(body).hexdigest()}"
    if found != reference.digest:
        raise CorruptArtifact(f"{reference.registry} answers {reference.digest} with the bytes of {found}")


def _get(address: str, timeout: float, token: str = "") -> bytes:
    headers = {"Accept": _KINDS, **({"Authorization": f"Bearer {token}"} if token else {})}
    try:
        return _read(urllib.request.Request(address, headers=headers), timeout)  # noqa: S310 - see `address`
    except urllib.error.HTTPError as error:
        realm = _realm(error.headers.get("WWW-Authenticate", ""), address)
        if error.code != 401 or token or realm is None:
            raise
        error.close()
    answer = json.loads(_read(urllib.request.Request(realm), timeout))  # noqa: S310 - checked in `_realm`
    if not isinstance(answer, dict):
        raise ValueError("the token server sent no token")
    return _get(address, timeout, str(answer.get("token") or answer.get("access_token") or "none"))


def _read(request: urllib.request.Request, timeout: float) -> bytes:
    with urllib.request.urlopen(request, timeout=timeout) as response:  # noqa: S310 - https, or this machine
        body = response.read(_MOST + 1)
    if len(body) > _MOST:
        raise ValueError("an answer of more than 4 MiB")
    return bytes(body)


def _realm(challenge: str, address: str) -> str | None:
    """Return where an anonymous reader gets a token, as a 401 says; None when it offers none.

    The answer is the registry's word: only https is followed, or plain http by a registry on this machine.
    """
    scheme, _, rest = challenge.partition(" ")
    fields = dict(re.findall(r'([a-z]+)="([^"]*)"', rest))
    realm = fields.pop("realm", "")
    trusted = realm.startswith("https://") or (address.startswith("http://") and realm.startswith("http://"))
    if scheme.lower() != "bearer" or not trusted:
        return None
    asked = {key: fields[key] for key in ("service", "scope") if key in fields}
    return f"{realm}?{urllib.parse.urlencode(asked)}"


def _told(reference: Reference, status: int) -> StorageError:
    where = f"{reference.registry}/{reference.path}"
    if status == 404:
        return ObjectMissing(f"{where} has no image {reference.digest}", do="push it, or mend the lock")
    if status in (401, 403):
        return AccessRefused(
            f"{where} is not for anonymous readers",
            do="the cluster needs a pull secret for it; `docker pull` says whether you may",
        )
    return StoreUnreachable(f"{reference.registry} answers {status} for {where}", do="try again later")
