"""A sealed report: any changed byte is found, and whose signature it is can be held to a key."""

import json
import re
from pathlib import Path

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws
from sample_report import calm, report
from typer.testing import CliRunner

from sequester.cli import app
from sequester.report.document import to_json
from sequester.report.made import Writing, write
from sequester.report.page import page
from sequester.report.seal import (
    FileKey,
    KmsKey,
    SealError,
    Signer,
    content_digest,
    fingerprint,
    new_key,
    sealed_html,
    sealed_json,
    verify,
)

CONTENT = content_digest(to_json(report()))


@pytest.fixture
def signer(tmp_path: Path) -> FileKey:
    new_key(tmp_path / "key")
    return FileKey(tmp_path / "key")


def both(signer: Signer | None) -> tuple[bytes, bytes]:
    return sealed_html(page(report(), CONTENT), CONTENT, signer), sealed_json(to_json(report()), signer)


@pytest.mark.parametrize("signed", [True, False])
@pytest.mark.parametrize("form", [0, 1], ids=["html", "json"])
def test_any_changed_byte_is_found(signer: FileKey, form: int, signed: bool) -> None:
    whole = both(signer if signed else None)[form]
    assert verify(whole).content == CONTENT
    seal = whole.rindex(b"{", 0, len(whole) - 4)
    places = [*range(0, seal, 37), *range(seal - 12, len(whole))]
    for at in places:
        changed = whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :]
        with pytest.raises(SealError):
            verify(changed)
        if chr(whole[at]).isalpha():
            with pytest.raises(SealError):
                verify(whole[:at] + bytes([whole[at] ^ 0x20]) + whole[at + 1 :])


@pytest.mark.parametrize("form", [0, 1], ids=["html", "json"])
def test_what_is_cut_off_or_added_is_found(signer: FileKey, form: int) -> None:
    whole = both(signer)[form]
    for changed in (whole[:-1], whole[1:], whole + b" ", b"\n" + whole, whole[:100], b"", whole + whole):
        with pytest.raises(SealError):
            verify(changed)


def test_a_seal_made_anew_is_another_keys(tmp_path: Path, signer: FileKey) -> None:
    """Whoever changes the page can seal it again; only the key tells."""
    new_key(tmp_path / "attacker")
    forged = sealed_html(page(calm(report()), CONTENT), CONTENT, FileKey(tmp_path / "attacker"))
    assert verify(forged).fingerprint == fingerprint(tmp_path / "attacker.pub")
    assert verify(forged).fingerprint != fingerprint(tmp_path / "key.pub")


def test_json_is_json_and_says_what_the_page_says(signer: FileKey) -> None:
    html, raw = both(signer)
    told = json.loads(raw)
    assert told.pop("seal")["content"] == content_digest(told) == verify(html).content
    assert told["overall"] == "broken"
    assert re.search(CONTENT.encode(), html)


def test_a_key_of_kms_signs(tmp_path: Path) -> None:
    with mock_aws():
        kms = boto3.client("kms", "us-east-1")
        made = kms.create_key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")["KeyMetadata"]["KeyId"]
        wrong = kms.create_key(KeySpec="RSA_2048", KeyUsage="SIGN_VERIFY")["KeyMetadata"]["KeyId"]
        signer = KmsKey(made, kms)
        with pytest.raises(SealError, match="ECC_NIST_P256"):
            KmsKey(wrong, kms)
        with pytest.raises(SealError, match="name a key"):
            KmsKey("no-such-key", kms)
        html, raw = both(signer)
    assert verify(html).algorithm == verify(raw).algorithm == "ECDSA_SHA_256"
    with pytest.raises(SealError):
        verify(html.replace(b"no way", b"a  way"))


def run(*words: object) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["report", *map(str, words)])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, done.output


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--out", "r", "--json", "r"], "--out and --json: both name r: use one file for each"),
        (["--out", "./k", "--key", "k"], "--out and --key: both name k: use one file for each"),
        (["--json", "d.json", "--drill", "d.json"], "--json and --drill: both name d.json: use one file for each"),
        (["--out", "folder"], "'--out': file 'folder' is a directory"),
        (["--kms", "alias/x"], "--kms alias/x: You must specify a region. Set AWS_DEFAULT_REGION and credentials"),
    ],
    ids=lambda one: "-".join(one).replace("/", "") if isinstance(one, list) else "",
)
def test_a_wrong_use_is_a_line_and_writes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], said: str
) -> None:
    (tmp_path / "folder").mkdir()
    for name in ("k", "d.json"):
        (tmp_path / name).write_text("mine")
    monkeypatch.chdir(tmp_path)
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "none")
    code, told = run(*words)
    assert (code in (2, 64), said in told.replace("\n", " ")) == (True, True), told
    assert {file.name: file.read_text() for file in tmp_path.iterdir() if file.is_file()} == dict.fromkeys(
        ("k", "d.json"), "mine"
    )


def test_a_key_of_kms_that_may_not_sign_is_a_line() -> None:
    with mock_aws():
        kms = boto3.client("kms", "us-east-1")
        made = kms.create_key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")["KeyMetadata"]["KeyId"]
        signer = KmsKey(made, kms)
        kms.meta.events.register("before-call.kms.Sign", _refused)
        with pytest.raises(SealError, match="that you may sign by"):
            both(signer)


def _refused(**_: object) -> None:
    raise ClientError({"Error": {"Code": "AccessDeniedException", "Message": "no"}}, "Sign")


def test_verify_as_people_call_it(tmp_path: Path) -> None:
    key, html, raw = tmp_path / "k", tmp_path / "r.html", tmp_path / "r.json"
    assert run("key", key)[0] == 0
    assert key.stat().st_mode & 0o077 == 0
    assert run("key", key) == (64, f"{key}: is there already: choose another name\n")
    write(report(), Writing(html, raw, FileKey(key)))
    assert run("verify", html, raw, "--public-key", f"{key}.pub")[0] == 0
    code, said = run("verify", html)
    assert code == 2
    assert "name the key that you trust" in said
    run("key", tmp_path / "other")
    assert run("verify", html, "--public-key", tmp_path / "other.pub")[0] == 1
    html.write_bytes(html.read_bytes().replace(b"LEAK", b"none"))
    code, said = run("verify", html, "--public-key", f"{key}.pub")
    assert (code, "was changed" in said) == (1, True)
    write(calm(report()), Writing(html, signer=FileKey(key)))
    code, said = run("verify", html, raw, "--public-key", f"{key}.pub")
    assert (code, "not of one report" in said) == (1, True)


def test_an_unsigned_report_is_not_vouched_for(tmp_path: Path) -> None:
    html = tmp_path / "r.html"
    run("key", tmp_path / "k")
    write(report(), Writing(html))
    assert b"nobody signed it" in html.read_bytes()
    assert run("verify", html)[0] == 2
    assert run("verify", html, "--public-key", tmp_path / "k.pub")[0] == 1


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--key", "nowhere"), "is no private key"),
        (("--key", "k", "--kms", "x"), "use one of them"),
        (("--repository", "ftp://x"), "begin with https://"),
    ],
)
def test_bad_input_is_one_line(words: tuple[str, ...], says: str) -> None:
    code, said = run(*words)
    assert code == 64
    assert says in said
    assert said.count("\n") == 1
