"""Folders of manifests as they lie in repositories: templates, other spellings of endings, what nobody applies."""

import json
from pathlib import Path
from typing import Any

import pytest

from sequester.proof.prove import prove
from sequester.proof.verdict import Escapes, Proved, Unknown, Verdict
from sequester.sources.manifests import manifest_model

SPACE = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "jobs-sandbox"}}


def policy(name: str, *egress: dict[str, Any], **annotations: str) -> dict[str, Any]:
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": name, "namespace": "jobs-sandbox", "annotations": annotations},
        "spec": {"podSelector": {}, "policyTypes": ["Ingress", "Egress"], "egress": list(egress)},
    }


def verdict(folder: Path, **files: object) -> Verdict:
    for name, content in files.items():
        text = content if isinstance(content, str) else json.dumps(content)
        (folder / name.replace("__", ".")).write_text(text)
    return prove(manifest_model([folder]), ["E1"])["E1"]


def test_a_folder_is_proved(tmp_path: Path) -> None:
    assert isinstance(verdict(tmp_path, space__yaml=SPACE, deny__yml=policy("deny"), README__md="# Jobs"), Proved)


@pytest.mark.parametrize("name", ["open.YAML", "open.Yml", "open.JSON"])
def test_an_ending_in_capitals_is_read(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text(json.dumps(policy("open", {})))
    assert isinstance(verdict(tmp_path, space__yaml=SPACE, deny__yaml=policy("deny")), Escapes)


@pytest.mark.parametrize("name", ["open.jsonnet", "open.yaml.gotmpl", "open.j2", "_helpers.tpl", "open.cue"])
def test_a_template_is_named(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("{{ .Values.open }}")
    found = verdict(tmp_path, space__yaml=SPACE, deny__yaml=policy("deny"))
    assert isinstance(found, Unknown)
    assert any(name in reason and "render it first" in reason for reason in found.reasons)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("helm.sh/hook", "test"),
        ("argocd.argoproj.io/hook", "PostSync"),
        ("config.kubernetes.io/local-config", "true"),
        ("kustomize.toolkit.fluxcd.io/reconcile", "disabled"),
    ],
)
def test_what_may_not_be_applied_closes_nothing(tmp_path: Path, key: str, value: str) -> None:
    found = verdict(tmp_path, space__yaml=SPACE, deny__yaml=policy("deny", **{key: value}))
    assert isinstance(found, Unknown)
    assert any(key in reason for reason in found.reasons)


def test_other_annotations_say_nothing(tmp_path: Path) -> None:
    annotated = policy("deny", **{"argocd.argoproj.io/sync-wave": "1", "config.kubernetes.io/local-config": "false"})
    assert isinstance(verdict(tmp_path, space__yaml=SPACE, deny__yaml=annotated), Proved)
