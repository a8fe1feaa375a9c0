"""Objects in a cluster, as the provider makes, awaits, reads and removes them: by server-side apply."""

import hashlib
import threading
import time
from typing import cast

from sequester.cloud import kubernetes_provider_waits as waits
from sequester.cloud import wire
from sequester.cloud.kubernetes_api import ApiError, Json, KubernetesApi
from sequester.cloud.wire import Props

MANAGER = "pulumi-kubernetes"
_DEFAULT_TIMEOUT_SECONDS = 600
_SETTLE_SECONDS = 5
"""How long a kind or namespace that was made a moment ago may take to be known."""
_POLL_SECONDS = 0.1


class CannotError(Exception):
    """What the user reads: one line that names the object and what the server said."""


class NotReadyError(CannotError):
    """The object exists and is not ready; the engine is to remember it, by `name` (its id), as such."""

    def __init__(self, message: str, name: str, live: Json) -> None:
        super().__init__(message)
        self.name = name
        self.live = live


class Applied:
    """The objects of one provider in the cluster behind `api`; `cancelled` ends every wait."""

    def __init__(self, api: KubernetesApi, cancelled: threading.Event) -> None:
        self._api = api
        self._cancelled = cancelled

    def rehearse(self, inputs: Props, urn: str) -> Json:
        """What the object would be: by the server's own dry run, where all is known and what it needs exists."""
        if wire.unknown_anywhere(inputs):
            return inputs
        try:
            return self._apply(inputs, urn, dry_run=True)
        except ApiError:  # its kind or namespace is to be made by the same update
            return inputs

    def make(self, inputs: Props, urn: str, timeout_seconds: float) -> Json:
        """Makes or changes the object and waits until it is ready; the live object."""
        return self._await_ready(inputs, self._apply(inputs, urn), timeout_seconds)

    def read(self, wanted: Props) -> Json | None:
        """The live object; None where there is none, or no such kind."""
        try:
            return self._api.read(wanted)
        except ApiError as error:
            if error.reason == "NoKindMatch":
                return None
            raise CannotError(f"{label(wanted)}: {error}") from error

    def remove(self, target: Props, urn: str, timeout_seconds: float) -> None:
        """Deletes the object and waits until it is gone; a Patch gives its fields back instead."""
        if _is_patch(urn):
            self._relinquish(target, urn)
            return
        try:
            path = self._api.path(target)
            gone = self._api.request("DELETE", path, {"propagationPolicy": _propagation(target)})
        except ApiError as error:
            if error.reason == "NoKindMatch":  # its definition went first, and it with it
                return
            raise CannotError(f"{label(target)}: {error}") from error
        if gone.status not in (200, 202, 404):
            raise CannotError(f"{label(target)}: {gone.message}")
        if gone.status != 404 and not waits.skips(target):
            self._await_gone(target, path, timeout_seconds)

    def _apply(self, inputs: Props, urn: str, *, dry_run: bool = False) -> Json:
        """Server-side apply; what was made a moment ago (a kind, a namespace, its account) may need a little."""
        ends = time.monotonic() + (0 if dry_run else _SETTLE_SECONDS)
        force = waits.annotation(inputs, "pulumi.com/patchForce") == "true"
        while True:
            try:
                return self._api.apply(inputs, manager=_manager(urn), dry_run=dry_run, force=force)
            except ApiError as error:
                settles = error.status == 404 or "error looking up service account" in str(error)
                if dry_run and settles:
                    raise
                if not settles or time.monotonic() > ends or self._cancelled.wait(_POLL_SECONDS):
                    raise CannotError(f"{label(inputs)}: {error}") from error

    def _await_ready(self, inputs: Props, live: Json, timeout_seconds: float) -> Json:
        if waits.skips(inputs):
            return live
        ends = time.monotonic() + (timeout_seconds or _DEFAULT_TIMEOUT_SECONDS)
        while True:
            try:
                missing = waits.waits_for(live)
            except waits.NeverReadyError as error:
                raise NotReadyError(f"{label(inputs)}: failed: {error}", identity(inputs), live) from error
            if missing == waits.READY:
                return live
            if time.monotonic() > ends or self._cancelled.wait(_POLL_SECONDS):
                raise NotReadyError(f"{label(inputs)}: not ready: {missing}", identity(inputs), live)
            live = self._api.read(inputs) or live

    def _await_gone(self, target: Props, path: str, timeout_seconds: float) -> None:
        ends = time.monotonic() + (timeout_seconds or _DEFAULT_TIMEOUT_SECONDS)
        first: object = None
        while True:
            answer = self._api.request("GET", path)
            meta = cast(Json, answer.body.get("metadata") or {})
            first = first or meta.get("uid")
            if answer.status == 404 or meta.get("uid") != first:
                return
            if time.monotonic() > ends or self._cancelled.wait(_POLL_SECONDS):
                held = meta.get("finalizers") or cast(Json, answer.body.get("spec") or {}).get("finalizers")
                raise CannotError(f"{label(target)}: deleted but still there; its finalizers are {held}")

    def _relinquish(self, target: Props, urn: str) -> None:
        """Gives the fields of a Patch back: applying none of them drops those that nobody else owns."""
        if self._api.read(target) is None:
            return
        meta = cast(Json, target["metadata"])
        bare = {key: meta[key] for key in ("name", "namespace") if key in meta}
        nothing = {"apiVersion": target["apiVersion"], "kind": target["kind"], "metadata": bare}
        try:
            self._api.apply(nothing, manager=_manager(urn), force=True)
        except ApiError as error:
            raise CannotError(f"{label(target)}: {error}") from error


def _manager(urn: str) -> str:
    """Whose fields these are. Patches of one object come from several resources: each is a manager of its own."""
    return f"{MANAGER}-{hashlib.sha256(urn.encode()).hexdigest()[:8]}" if _is_patch(urn) else MANAGER


def _is_patch(urn: str) -> bool:
    return urn.split("::")[2].endswith("Patch")


def _propagation(manifest: Props) -> str:
    """Foreground, so that what a workload owns is gone too, for the kinds that own something.

    For others it says the same, but an API server's garbage collector takes up to half a minute to see a new kind.
    """
    asked = waits.annotation(manifest, "pulumi.com/deletionPropagationPolicy")
    owns = str(manifest.get("apiVersion", "")).rpartition("/")[0] in ("apps", "batch")
    return asked.capitalize() if asked else "Foreground" if owns else "Background"


def identity(manifest: Props) -> str:
    """The id that the engine knows an object by: `namespace/name`, or `name`."""
    meta = cast(Json, manifest["metadata"])
    return f"{meta['namespace']}/{meta['name']}" if meta.get("namespace") else str(meta["name"])


def label(manifest: Props) -> str:
    """An object as messages name it."""
    return f"{manifest.get('kind')} {identity(manifest)}"
