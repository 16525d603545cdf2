"""The `bao` command says of this door, word for word, what it says of a real OpenBao: the same commands, to both.

What is new every time (ids, tokens, times, addresses) is put away first; each other difference has a row in ELSE.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from bench.peers import OpenBao, bao_binary
from msgspec import Struct
from tests.clients.conftest import needed
from tests.clients.vault import BAO, vault
from tests.openbao import Peer

pytestmark = pytest.mark.client

COMMANDS = """
secrets enable -path=app -version=2 -description=ours kv
secrets enable -path=app kv
secrets enable nothing
secrets tune -default-lease-ttl=1h -max-lease-ttl=2h app
read sys/mounts/app/tune
secrets list
secrets enable -path=here transit
secrets move here there
secrets disable there
secrets disable there

kv put -mount=app a x=1 y=2
kv put -mount=app -cas=1 a x=2
kv put -mount=app -cas=1 a x=2
kv put -mount=app -cas=0 a x=2
kv get -mount=app a
kv get -mount=app -version=1 a
kv get -mount=app -version=9 a
kv get -mount=app -field=x a
kv get -mount=app -field=no a
kv get -format=json app/a
kv get -format=yaml app/a
kv patch app/a y=3
kv patch -method=rw app/a y=4
kv patch -method=patch -cas=9 app/a y=4
kv patch app/none y=4
kv delete app/a
kv get app/a
kv undelete -versions=4 app/a
kv delete -versions=1,2 app/a
kv destroy -versions=1 app/a
kv rollback -version=3 app/a
kv rollback -version=1 app/a
kv metadata get app/a
kv metadata put -max-versions=2 -cas-required -delete-version-after=1h -custom-metadata=a=b app/a
kv metadata patch -custom-metadata=c=d -remove-custom-metadata=a app/a
kv put app/a x=5
kv put -cas=5 app/a x=5
kv metadata get -format=json app/a
kv put app/deep/er/one x=5
kv list app
kv list app/
kv list -format=json app/deep
kv list app/none
kv metadata delete app/a
kv get app/a
kv metadata get app/a
kv get none/a
secrets enable -path=old kv
kv put old/a b=c
kv get old/a
kv get -field=b old/a
kv list old
kv delete old/a
kv get old/a
kv enable-versioning old
kv put old/a b=d

auth enable userpass
auth enable userpass
auth enable nothing
auth tune -default-lease-ttl=1h -description=people userpass
auth list
write auth/userpass/users/ada password=one-two policies=app
read auth/userpass/users/ada
list auth/userpass/users
login -no-store -method=userpass username=ada password=one-two
login -no-store -method=userpass username=ada password=wrong
login -no-store nonsense
delete auth/userpass/users/ada
auth move auth/userpass auth/people
auth disable people
auth enable approle
write -f auth/approle/role/app
write auth/approle/role/app token_policies=app token_ttl=1h secret_id_num_uses=2
read auth/approle/role/app
read auth/approle/role/none
read auth/approle/role/app/role-id
write -f auth/approle/role/app/secret-id
list auth/approle/role
write auth/approle/login role_id=no secret_id=no

policy write app -
policy read app
policy list
policy list -format=json
policy read none
policy write bad no-such-file
policy delete app
policy delete app
policy delete root
policy delete default
policy fmt policy.hcl

token create -policy=app -ttl=1h -period=2h -display-name=me
token create -policy=app -orphan -explicit-max-ttl=1h
token create -id=mine -ttl=1h
token create -id=mine
token lookup
token lookup mine
token lookup none
token renew mine
token renew -increment=2h mine
token renew none
token capabilities mine sys/mounts
token capabilities mine auth/token/lookup-self
token capabilities app/a
token revoke mine
token revoke mine
token revoke -accessor none
token lookup -accessor none
write auth/token/roles/app allowed_policies=app orphan=true
token create -role=app -policy=other
read auth/token/roles/app
list auth/token/roles

lease lookup none/such
lease renew none/such
lease revoke none/such
lease revoke
lease revoke -prefix none/such
list sys/leases/lookup/none

secrets enable transit
write -f transit/keys/app
write transit/keys/app type=ed25519
read transit/keys/none
list transit/keys
write transit/encrypt/app plaintext=aGVsbG8=
write transit/encrypt/app plaintext=nonsense!
write transit/decrypt/app ciphertext=nonsense
write -f transit/keys/app/rotate
write transit/keys/app/config deletion_allowed=true min_decryption_version=2
read -field=latest_version transit/keys/app
write transit/hash/sha2-256 input=aGVsbG8=
write transit/random/8 format=hex
delete transit/keys/app
delete transit/keys/app

write -wrap-ttl=60s sys/wrapping/wrap a=b
unwrap nonsense
write sys/wrapping/lookup token=nonsense
write cubbyhole/a b=c
read cubbyhole/a
list cubbyhole
delete cubbyhole/a
read cubbyhole/a
list cubbyhole

read no/such/path
read sys/no-such
write sys/no-such a=b
list sys/no-such
delete no/such
path-help no/such

policy write reads -
kv put app/a x=1
token create -id=reader -policy=reads -ttl=1h
~ kv get app/a
~ kv get app/b
~ kv put app/a x=2
~ kv put app/b x=2
~ kv patch app/a x=2
~ kv list app
~ kv delete app/a
~ kv metadata get app/a
~ kv get old/a
~ kv get none/a
~ list app/data
~ secrets list
~ auth list
~ policy list
~ policy read reads
~ token lookup
~ token create
~ token capabilities app/data/a
~ token renew
~ token revoke -accessor none
~ read sys/no-such
~ read no/such
~ write -wrap-ttl=60s sys/wrapping/wrap a=b
~ write cubbyhole/a b=c
~ read cubbyhole/a
~ write -f transit/keys/mine
~ path-help transit/keys/app
~ operator seal
~ token revoke -self
~ token lookup

write sys/tools/hash input=aGVsbG8= algorithm=sha2-512
write sys/tools/hash input=aGVsbG8= algorithm=none
read -format=json sys/policies/acl/none
read -field=nothing sys/mounts
"""
"""One a line; those after "~" by a token of the policy below."""
POLICY = 'path "app/data/*" {\n  capabilities = ["read", "list"]\n}\n'
NEW = (
    (r"\b(?:hvs|s)\.[A-Za-z0-9]+", "TOKEN"),
    (r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d+)?(?:Z| \+0000 UTC)", "TIME"),
    (r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", "UUID"),
    (r"http://127\.0\.0\.1:\d+", "ADDRESS"),
    (r"(accessor:? +)[A-Za-z0-9]{20,}", r"\1ACCESSOR"),
    (r"\b([a-z_]+)_[0-9a-f]{8}\b", r"\1_ACCESSOR"),
    (r"vault:v(\d+):\S+", r"CIPHERTEXT OF \1"),
    (r"\b1[78]\d{8}\b", "SECOND"),
    (r"(random_bytes +)[0-9a-f]{16}", r"\1BYTES"),
    (r"\b1h59m\d+s", "2h"),
    (r"\b59m\d+s", "1h"),
    (r"[ \t]+", " "),
    (r"([-=])\1{3,}", r"\1\1\1\1"),
)
"""What is new every time, and tables whose width comes of it."""
OPENBAOS_OWN = re.compile(r'^"?(soft_deleted|current_metadata_version|metadata_cas_required)\b.*\n', re.MULTILINE)
"""Members that Vault has not."""
QUEUED = re.compile(r"^Waiting for terminal status.*\n", re.MULTILINE)
"""Of a move, which here is done when it is answered."""
ELSE: Mapping[str, str] = {
    "read auth/userpass/users/ada": "what was written by its older name is told by the newer one alone",
    "token create -id=mine -ttl=1h": "a token's own text is kept under SHA-256, not SHA-1, and needs no warning",
    "token create -id=reader -policy=reads -ttl=1h": "the same",
    "~ path-help transit/keys/app": "what is out of a token's reach is not told of",
    "token lookup": "the first token is one like others, made at auth/token/create",
}

OF_DEV = {"type": "kv", "options": {"version": "2"}, "description": "key/value secret storage"}
"""What a development server has at secret/ (`bao server -dev`), and the other one here would not have."""


class Spoken(Struct, frozen=True):
    status: int
    out: str
    err: str


def plain(text: str) -> str:
    for found, instead in NEW:
        text = re.sub(found, instead, text)
    lines = "".join(f"{line.strip()}\n" for line in text.strip().splitlines())
    return QUEUED.sub("", OPENBAOS_OWN.sub("", lines))


def session(address: str, token: str, home: Path) -> list[Spoken]:
    """What each of the commands comes to, one after the other."""
    home.mkdir()
    (home / "policy.hcl").write_text('path "a" {capabilities=["read"]}')
    env = {"PATH": os.environ["PATH"], "HOME": str(home), "BAO_ADDR": address, "BAO_TOKEN": token, "GOMAXPROCS": "1"}
    said = []
    for command in filter(None, COMMANDS.splitlines()):
        done = subprocess.run(
            [BAO, *command.removeprefix("~ ").split()],
            env=env | ({"BAO_TOKEN": "reader"} if command.startswith("~") else {}),
            cwd=home,
            input=POLICY if command.endswith(" -") else "",
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        said.append(Spoken(done.returncode, plain(done.stdout), plain(done.stderr)))
    return said


def test_it_says_the_same_of_both(tmp_path) -> None:
    needed(bao_binary(), "bao")
    with OpenBao("bao", tmp_path / "peer", os.sched_getaffinity(0), audited=False) as peer, vault(tmp_path) as here:
        with closing(Peer(peer.address, peer.vault.token)) as root:
            root.json("DELETE", "sys/mounts/transit")  # which the benchmark has made
            root.json("POST", "sys/mounts/secret", OF_DEV)
        host, port = peer.address
        with ThreadPoolExecutor() as both:
            ours = both.submit(session, here.address, here.token, tmp_path / "ours")
            theirs = both.submit(session, f"http://{host}:{port}", peer.vault.token, tmp_path / "theirs")
        said = zip(filter(None, COMMANDS.splitlines()), ours.result(), theirs.result(), strict=True)
        different = {command: (one, other) for command, one, other in said if one != other}
    words = "\n".join(f"{command}\n   ours {one}\n theirs {other}" for command, (one, other) in different.items())
    assert different.keys() == ELSE.keys(), words
