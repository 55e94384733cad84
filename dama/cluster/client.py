"""A cluster's API server: objects by kind and name. The one file that knows the Kubernetes client.

Objects are plain trees. What the server says when it refuses is told in its own words; what it is asked with
never is.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Mapping
from typing import Any

from dama.cluster.kinds import Object, path_of
from dama.errors import ClusterError, NotAllowed, ToolMissing

MANAGER = "dama"
"""Who owns the fields that `apply` writes."""
_WAIT_SECONDS = 30.0
_MISSING, _CONFLICT = 404, 409
_BUSY = {429, 500, 502, 503, 504}
"""The server, or a webhook that it asks, does not answer just now."""
_PAUSES_SECONDS = (0.5, 1.0, 2.0, 4.0, 8.0)


def amount(quantity: str) -> float:
    """Return the number that a Kubernetes quantity ("16", "500m", "48Gi") stands for."""
    from kubernetes.utils.quantity import parse_quantity

    return float(parse_quantity(quantity))


class Cluster:
    """One namespace of a cluster, as its caller may see it."""

    def __init__(self, api: Any, namespace: str) -> None:  # noqa: ANN401 - kubernetes' ApiClient
        self.namespace = namespace
        self._api = api

    @classmethod
    def reached(cls, namespace: str | None = None, context: str | None = None) -> Cluster:
        """Return the cluster of the kubeconfig (and its namespace), or inside a pod that of the pod.

        Raises ClusterError where there is neither, ToolMissing without the Kubernetes client.
        """
        try:
            from kubernetes import client, config
            from kubernetes.config.config_exception import ConfigException
        except ImportError as error:
            raise ToolMissing(
                "the package kubernetes is not installed", do="install dama[cluster]"
            ) from error
        if "KUBERNETES_SERVICE_HOST" in os.environ and "KUBECONFIG" not in os.environ:
            config.load_incluster_config()
            return cls(client.ApiClient(), namespace or os.environ.get("POD_NAMESPACE", "default"))
        try:
            file = os.environ.get("KUBECONFIG")  # the client's own default is that of its import
            _, active = config.list_kube_config_contexts(config_file=file)
            api = config.new_client_from_config(config_file=file, context=context)
        except (ConfigException, OSError) as error:
            raise ClusterError(
                f"no cluster: {' '.join(str(error).split())}", do="set KUBECONFIG, or see `kubectl config`"
            ) from error
        chosen = (active or {}).get("context", {}).get("namespace") if context is None else None
        return cls(api, namespace or chosen or "default")

    def get(self, kind: str, name: str) -> Object | None:
        """Return an object, None when there is none of that name (or no such kind)."""
        return self._asked("GET", path_of(kind, self.namespace, name), missing=True)

    def all(self, kind: str, labels: Mapping[str, str] | None = None) -> list[Object] | None:
        """Return the objects with these labels, None when the cluster has no such kind."""
        query = [("labelSelector", ",".join(f"{key}={value}" for key, value in (labels or {}).items()))]
        found = self._asked("GET", path_of(kind, self.namespace), query=query, missing=True)
        return None if found is None else list(found["items"])

    def everywhere(self, kind: str) -> list[Object]:
        """Return the objects of a kind in all namespaces."""
        path = path_of(kind, "*").replace("/namespaces/*", "")
        return list((self._asked("GET", path) or {"items": []})["items"])

    def knows(self, kind: str) -> bool:
        """Say whether the cluster has a kind at all; everybody may ask this."""
        root, plural = path_of(kind, "*").split("/namespaces/*/")
        found = self._asked("GET", root, missing=True) or {"resources": []}
        return any(one["name"] == plural for one in found["resources"])

    def queues(self) -> set[str] | None:
        """Return the names of Kueue's LocalQueues, None when the cluster has no Kueue."""
        group = self._asked("GET", "/apis/kueue.x-k8s.io", missing=True)
        if group is None:
            return None
        version = group["preferredVersion"]["groupVersion"]
        found = self._asked("GET", f"/apis/{version}/namespaces/{self.namespace}/localqueues", missing=True)
        return {one["metadata"]["name"] for one in (found or {"items": []})["items"]}

    def events(self, names: set[str]) -> list[Object]:
        """Return the events of objects with these names, oldest first."""
        found = self._asked("GET", path_of("Event", self.namespace)) or {"items": []}
        mine = [one for one in found["items"] if one["involvedObject"].get("name") in names]
        return sorted(mine, key=lambda one: one.get("lastTimestamp") or one.get("eventTime") or "")

    def create(self, one: Object) -> bool:
        """Make an object; return False when one of that name is there already."""
        path = path_of(one["kind"], self.namespace)
        return self._asked("POST", path, body=one, conflict=True) is not None

    def review(self, one: Object) -> Object:
        """Ask the server a question in the shape of an object, such as whether one may do something."""
        return self._asked("POST", path_of(one["kind"], self.namespace), body=one) or {}

    def apply(self, one: Object, *, dry_run: bool = False) -> Object:
        """Write an object by server-side apply, whoever wrote its fields before; return what came of it."""
        query = [("fieldManager", MANAGER), ("force", "true")]
        if dry_run:
            query.append(("dryRun", "All"))
        namespace = one["metadata"].get("namespace", self.namespace)
        path = path_of(one["kind"], namespace, one["metadata"]["name"])
        found = self._asked("PATCH", path, body=one, query=query, form="application/apply-patch+yaml")
        return found or {}

    def patch(self, kind: str, name: str, change: Object) -> Object | None:
        """Merge `change` into an object; None when it is gone."""
        path = path_of(kind, self.namespace, name)
        return self._asked("PATCH", path, body=change, form="application/merge-patch+json", missing=True)

    def delete(self, kind: str, name: str) -> bool:
        """Remove an object and all that it made; return False when there was none."""
        query = [("propagationPolicy", "Background")]
        path = path_of(kind, self.namespace, name)
        return self._asked("DELETE", path, query=query, missing=True) is not None

    def until_gone(self, kind: str, name: str, seconds: int = 120) -> None:
        """Return once an object that is being removed is gone; ClusterError after a while."""
        for _ in range(seconds):
            if self.get(kind, name) is None:
                return
            time.sleep(1.0)
        raise ClusterError(f"{kind} {name} is still being removed", do="run the same command again later")

    def log(self, pod: str, container: str, *, follow: bool, tail: int | None = None) -> Iterator[str]:
        """Yield the lines of a container's log, on and on with `follow`; none before it has started."""
        query = [("container", container), ("follow", str(follow).lower())]
        if tail is not None:
            query.append(("tailLines", str(tail)))
        answer = self._sent("GET", f"{path_of('Pod', self.namespace, pod)}/log", query, None, "", stream=True)
        if answer is None:
            return
        rest = b""
        for chunk in answer.stream(decode_content=False):
            *lines, rest = (rest + chunk).split(b"\n")
            yield from (line.decode("utf-8", "replace") for line in lines)
        if rest:
            yield rest.decode("utf-8", "replace")

    def version(self) -> str:
        """Return the version of Kubernetes."""
        return str((self._asked("GET", "/version") or {}).get("gitVersion", "unknown"))

    def _asked(
        self,
        method: str,
        path: str,
        *,
        body: Object | None = None,
        query: list[tuple[str, str]] | None = None,
        form: str = "application/json",
        missing: bool = False,
        conflict: bool = False,
    ) -> Object | None:
        """Return the server's answer; None for what is missing, or there already, where that is no error."""
        allowed = {_MISSING} if missing else set()
        answer = self._sent(
            method, path, query or [], body, form, allowed | ({_CONFLICT} if conflict else set())
        )
        return None if answer is None else dict(json.loads(answer.data))

    def _sent(
        self,
        method: str,
        path: str,
        query: list[tuple[str, str]],
        body: Object | None,
        form: str,
        allowed: set[int] | None = None,
        stream: bool = False,
    ) -> Any:  # noqa: ANN401 - urllib3's response
        from kubernetes.client.exceptions import ApiException
        from urllib3.exceptions import HTTPError

        headers = {"Accept": "application/json", "User-Agent": MANAGER}
        if form:
            headers["Content-Type"] = form
        pauses = iter(_PAUSES_SECONDS)
        while True:
            try:
                return self._call(method, path, query, headers, body, stream)
            except ApiException as error:
                if error.status in (allowed or ()) or (stream and error.status in (400, _MISSING)):
                    return None
                pause = next(pauses, None) if error.status in _BUSY else None
                if pause is None:
                    raise _told(error, method, path) from error
            except HTTPError as error:
                raise ClusterError(
                    f"the cluster does not answer ({type(error).__name__})",
                    do="check the network and the kubeconfig (`kubectl cluster-info`)",
                ) from error
            time.sleep(pause)

    def _call(
        self,
        method: str,
        path: str,
        query: list[tuple[str, str]],
        headers: dict[str, str],
        body: Object | None,
        stream: bool,
    ) -> Any:  # noqa: ANN401 - urllib3's response
        return self._api.call_api(
            path,
            method,
            query_params=query,
            header_params=dict(headers),
            body=body,
            auth_settings=["BearerToken"],
            _preload_content=False,
            _return_http_data_only=True,
            _request_timeout=(5.0, None) if stream else _WAIT_SECONDS,
        )


def _told(error: Any, method: str, path: str) -> ClusterError:  # noqa: ANN401 - ApiException
    """Return the server's refusal as an error of ours."""
    try:
        message = str(json.loads(error.body)["message"])
    except (TypeError, ValueError, KeyError):
        message = f"{method} {path}: {error.status} {error.reason}"
    if error.status in (401, 403):
        return NotAllowed(message, do="ask for the rights, or use another context of your kubeconfig")
    return ClusterError(message)
