"""The whole of Keystead in one process, without a file or a socket: what a door's tests stand on.

    stack = harness.stack()
    alice = stack.user("alice", policy=harness.ALLOW_ALL)
    key = stack.key()
    reply = alice.call("Encrypt", KeyId=key.id, Plaintext=b"hello")      signed with botocore's own signer
    assert reply.status == 200 and stack.record().outcome == "performed"
    boto = alice.client("kms")                                           a real boto3 client, no network

The view, the barrier, the authorizer, the pipeline, the provider and the door are the real ones; the store is in
memory, the clock stands still, the entropy has a seed, and the journal is a list.
"""

from __future__ import annotations

import json
import re
import threading
from base64 import b64encode
from collections.abc import Callable
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

import boto3
import botocore.config
import msgspec
from botocore.auth import SIGV4_TIMESTAMP, SigV4Auth
from botocore.awsrequest import AWSRequest, AWSResponse
from botocore.credentials import Credentials
from msgspec import Struct
from msgspec.structs import replace
from tests.fakes import FakeClock, MemoryPage, MemorySlot, SeededEntropy
from tests.memorystore import MemoryStore

from keystead.core import operations as ops
from keystead.core.algorithms import Purpose, key_spec
from keystead.core.audit.record import Record, parse
from keystead.core.caller import SYSTEM_DOOR
from keystead.core.entities import AclPolicy, Entity, Key, PolicyText, Principal
from keystead.core.errors import Unavailable
from keystead.core.places import Places
from keystead.core.ports import Net, Store, WouldBlock
from keystead.core.providers import NoKeyStores
from keystead.core.sensitive import Sensitive
from keystead.doors import aws_kms, vault
from keystead.doors.aws_kms import query
from keystead.doors.aws_kms.credential import FLAWS
from keystead.kit import Door, Front, Markers, Means, RequestIds
from keystead.providers.software import SoftwareProvider
from keystead.providers.xks import XksStores
from keystead.service.authenticate import Authenticator
from keystead.service.authorize import Authorizer
from keystead.service.barrier import Barrier, Commit
from keystead.service.bootstrap import bootstrap, first_token, system_principal
from keystead.service.credentials import keyed
from keystead.service.credentials.few import Few
from keystead.service.credentials.flows import Flows
from keystead.service.credentials.keysets import KeySets, KeySource
from keystead.service.credentials.reviews import Reviews
from keystead.service.credentials.session import Sessions
from keystead.service.credentials.statuses import Statuses
from keystead.service.credentials.vouchers import Vouchers
from keystead.service.credentials.webidentity import WebIdentities
from keystead.service.handlers import HANDLERS
from keystead.service.hsms import Hsms
from keystead.service.meter import Meter, Page
from keystead.service.pipeline import Service
from keystead.service.recording import Recording
from keystead.service.rights import acl_policy_id
from keystead.service.view import View
from keystead.wire.http import HttpRequest

TENANT, OTHER_TENANT, REGION, OTHER_REGION = "111122223333", "444455556666", "us-east-1", "eu-west-2"
ALLOW_ALL = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"kms:*","Resource":"*"}]}'
PEER = "203.0.113.7"
MAX_PAGE = 1_000_000
FAR = 8  # threads that wait for other machines
OF_TOKENS = {code for code, _ in FLAWS.values()} | {"IDPCommunicationError"}
QUERY_COMMON = (
    frozenset(row.code for row in query.ERRORS.values()) - {"EntityAlreadyExists", "LimitExceeded"} - OF_TOKENS
)


Cluster = Callable[[dict[str, str], Any, str], tuple[int, bytes]]
"""(headers, what it is asked, PEM of who vouches for it) -> (status, answer)"""
Issuer = Callable[[str, str, dict[str, str], bytes | None, str], tuple[int, bytes]]
"""(method, URL, headers, body, PEM of who vouches for it) -> (status, answer)"""


class ListJournal:
    """service.pipeline.Journal in a list; `fails` is raised instead of keeping a record."""

    def __init__(self) -> None:
        self.lines: list[bytes] = []
        self.fails: Exception | None = None

    def append(self, record: bytes) -> None:
        if self.fails is not None:
            raise self.fails
        self.lines.append(record)


class CountingGeneration:
    """service.view.Generation of one process."""

    def __init__(self) -> None:
        self.n = 0

    def current(self) -> int:
        return self.n

    def announce(self) -> None:
        self.n += 1


class Reply(Struct, frozen=True):
    """A reply taken apart."""

    status: int
    headers: dict[str, str]
    body: bytes

    @classmethod
    def of(cls, whole: bytes) -> Reply:
        head, _, body = whole.partition(b"\r\n\r\n")
        first, *lines = head.decode().split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        status = int(first.split()[1])
        if status == 204:  # RFC 9110 §8.6
            assert not body and "content-length" not in headers
        else:
            assert int(headers["content-length"]) == len(body)
        return cls(status, headers, body)

    @property
    def json(self) -> Any:
        return json.loads(self.body) if self.body else None

    @property
    def code(self) -> str | None:
        """The error code, None for a success."""
        return None if self.status == 200 else self.json["__type"]

    @property
    def message(self) -> str | None:
        """The words of an error; None where the member is absent."""
        assert "message" not in self.json or self.json["message"]
        return self.json.get("message")


class _Signer(SigV4Auth):
    """botocore's signer, at a time we say."""

    def add_auth(self, request: AWSRequest, at: datetime | None = None) -> None:
        assert at is not None
        request.context["timestamp"] = at.strftime(SIGV4_TIMESTAMP)
        self._modify_request_before_signing(request)
        canonical = self.canonical_request(request)
        signature = self.signature(self.string_to_sign(request, canonical), request)
        self._inject_signature_to_request(request, signature)


class Person:
    """A principal with an access key, at the door."""

    def __init__(
        self, stack: Stack, principal: Principal, access_key_id: str, secret: bytes, token: str | None
    ) -> None:
        self.stack, self.principal = stack, principal
        self.access_key_id, self.token = access_key_id, token
        self.credentials = Credentials(access_key_id, secret.decode(), token)

    @property
    def arn(self) -> str:
        return f"arn:aws:iam::{self.principal.tenant}:user/{self.principal.name}"

    def call(self, operation: str, *, region: str = REGION, **members: Any) -> Reply:
        """One KMS request; `bytes` are written as base64, everything else as JSON has it."""
        return self.post(operation, msgspec.json.encode(members), region=region)

    def post(self, operation: str, body: bytes, *, region: str = REGION) -> Reply:
        """The same with a body written by hand. What it is refused with must be an error the operation declares."""
        name = f"TrentService.{operation}"
        headers = {"X-Amz-Target": name, "Content-Type": "application/x-amz-json-1.1"}
        reply = self.send(headers, body, region=region)
        declared = self.stack.declared.get(name)
        assert declared is None or reply.code is None or reply.code in declared.errors, (name, reply.code)
        return reply

    def send(
        self,
        headers: dict[str, str],
        body: bytes,
        *,
        method: str = "POST",
        url: str = "https://kms.test/",
        service: str = "kms",
        region: str = REGION,
    ) -> Reply:
        """Any request, signed. What STS and IAM refuse an action with must be an error that it declares."""
        reply = Reply.of(self.stack.serve(self.signed(headers, body, method, url, service, region)))
        action = re.search(rb"(?:^|&)Action=([A-Za-z]+)", body)
        declared = self.stack.declared.get(f"{service}:{action[1].decode()}") if action else None
        code = re.search(rb"<Code>([A-Za-z]+)</Code>", reply.body)
        if declared is not None and code is not None and reply.status != 200:
            assert code[1].decode() in declared.errors | QUERY_COMMON, (declared.name, code[1])
        return reply

    def signed(  # every part of a request
        self,
        headers: dict[str, str],
        body: bytes,
        method: str = "POST",
        url: str = "https://kms.test/",
        service: str = "kms",
        region: str = REGION,
    ) -> HttpRequest:
        unsigned = AWSRequest(method=method, url=url, headers=headers, data=body)
        _Signer(self.credentials, service, region).add_auth(unsigned, self.stack.clock.now())
        prepared = unsigned.prepare()
        found = {_bytes(name).lower(): _bytes(value) for name, value in prepared.headers.items()}
        found.setdefault(b"host", prepared.url.split("/")[2].encode())
        return self.stack.request(method, prepared.url, found, body)

    def client(self, service: str, *, region: str = REGION) -> Any:
        """A boto3 client whose requests are served in this process, signed anew at the stack's time."""
        made = boto3.client(
            service,
            region_name=region,
            endpoint_url="https://kms.test",
            aws_access_key_id=self.access_key_id,
            aws_secret_access_key="not used",
            config=botocore.config.Config(retries={"total_max_attempts": 1}),
        )
        made.meta.events.register("before-send.*", lambda request, **_: self._answer(request, service, region))
        return made

    def _answer(self, prepared: Any, service: str, region: str) -> AWSResponse:
        skip = {"authorization", "x-amz-date", "x-amz-security-token"}
        headers = {n: _bytes(v).decode() for n, v in prepared.headers.items() if n.lower() not in skip}
        body = _bytes(prepared.body or b"")
        reply = self.send(headers, body, method=prepared.method, url=prepared.url, service=service, region=region)
        return AWSResponse(prepared.url, reply.status, _Headers(reply.headers), _Raw(reply.body))


class _Headers(dict):
    """What botocore reads of urllib3's headers."""


class _Raw:
    """What botocore reads of urllib3's response."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    def stream(self, *_: Any, **__: Any) -> Any:
        yield self._body


class Stack:
    """See the head of this file."""

    def __init__(
        self,
        *,
        seed: int = 1,
        door: Door = aws_kms.DOOR,
        regions: tuple[str, ...] = (REGION,),
        net: Net | None = None,
        store: Store | None = None,
        slot: MemorySlot | None = None,
        unseal: Sensitive | None = None,
        uses: Page | None = None,
        hsms: Hsms | None = None,
    ) -> None:
        """`net`: the way out to external key stores; without one, none is reached.

        `store`, `slot`, `unseal`: an installation that may be there already; then it is opened, and has no `admin`.
        """
        self.clock, self.entropy = FakeClock(), SeededEntropy(seed)
        self.peer, self.secure = PEER, False  # where requests come from, and whether over TLS
        self.certificates: tuple[bytes, ...] = ()  # that the peer has shown
        self.store, self.slot, self.journal = store or MemoryStore(), slot or MemorySlot(), ListJournal()
        is_new = not self.slot.generations()
        self.generation = CountingGeneration()
        self.barrier = Barrier(self.store, self.slot, self.entropy, clock=self.clock)
        self.unseal = unseal or Sensitive(self.entropy(32))
        (self.barrier.initialise if is_new else self.barrier.open)(self.unseal)
        self.provider = SoftwareProvider(self.entropy)
        self.uses = uses or MemoryPage()
        self.meter = Meter(self.barrier, self.uses)
        outside = XksStores(net, self.clock) if net is not None else NoKeyStores()
        self.hsms = hsms or Hsms()
        self.view = View(self.barrier, self.store, self.provider, self.generation, outside, self.hsms, self.meter)
        self.authorizer = Authorizer(self.view.may_block)
        self.view.on_drop(self.authorizer.forget)
        recording = Recording()
        recording.digest_under(self.barrier.subkey("context-digest"))
        if is_new:
            self.first = bootstrap(
                self.barrier,
                tenant=TENANT,
                regions=regions,
                administrator="admin",
                uid=0,
                now=self.clock.now(),
                entropy=self.entropy,
            )
        self.service = Service(
            view=self.view,
            barrier=self.barrier,
            authorizer=self.authorizer,
            recorder=recording,
            journal=self.journal,
            handlers=HANDLERS,
            provider=self.provider,
            entropy=self.entropy,
            announce=self.generation.announce,
            outside=outside,
            places=Places(("/devices", "/var/log/keystead"), ("syslog", "tcp:127.0.0.1:9090", "unix:/run/audit.sock")),
            meter=self.meter,
            hsms=self.hsms,
        )
        self.key_sets: dict[str, bytes] = {}  # issuer -> its JWK set; one that is not here does not answer
        self.asked_for: list[str] = []  # issuers, each time that one was asked for its keys
        web_identities = WebIdentities(self.view, KeySets(self._keys_of, self.clock.monotonic))
        self.login_keys: dict[str, bytes] = {}  # the same of what auth methods ask, by URL
        self.clusters: dict[str, Cluster] = {}  # by the URL that is asked
        self.issuers: dict[str, Issuer] = {}  # by the beginning of the URL that is asked
        few, login_sets = Few(FAR), KeySets(self._login_keys_of, self.clock.monotonic)
        flows = Flows(self._exchange, login_sets, few, self.clock.monotonic)
        self.responders: dict[str, Callable[[bytes], bytes]] = {}  # by the URL that is asked (OCSP)
        statuses = Statuses(self._status_of, few)
        vouchers = Vouchers(self.view.tenant, login_sets, Reviews(self._review, few), flows, statuses)
        sessions = Sessions(self.barrier.subkey("session-token"), self.entropy)
        self.means = Means(
            service=self.service,
            authenticator=Authenticator(
                self.view, sessions, self.entropy, web_identities=web_identities, vouchers=vouchers
            ),
            markers=Markers(keyed(self.barrier.subkey("marker"))),
            request_ids=RequestIds(self.entropy),
            mounts=self.view,
        )
        self.door, self.front, self.declared = door, door.open(self.means), door.table()
        if is_new:
            key = self.first.access_key
            self.admin = Person(self, self.first.administrator, key.credential.id, key.secret.reveal(), None)

    def _keys_of(self, issuer: str) -> bytes:
        self.asked_for.append(issuer)
        if issuer not in self.key_sets:
            raise Unavailable("no answer")
        return self.key_sets[issuer]

    def _login_keys_of(self, source: KeySource) -> bytes:
        self.asked_for.append(source.url)
        if source.url not in self.login_keys:
            raise Unavailable("no answer")
        return self.login_keys[source.url]

    def _review(self, url: str, headers: Any, body: bytes, authorities: str) -> tuple[int, bytes]:
        if url not in self.clusters:
            raise Unavailable("no answer")
        return self.clusters[url](dict(headers), json.loads(body), authorities)

    def _status_of(self, url: str, body: bytes) -> bytes:
        if url not in self.responders:
            raise Unavailable("no answer")
        return self.responders[url](body)

    def _exchange(self, method: str, url: str, headers: Any, body: bytes | None, authorities: str) -> tuple[int, bytes]:
        for beginning, issuer in self.issuers.items():
            if url.startswith(beginning):
                return issuer(method, url, dict(headers), body, authorities)
        raise Unavailable("no answer")

    # --- the door

    def unsigned(self, form: dict[str, str]) -> Reply:
        """A request of nobody, in the Query protocol."""
        body = urlencode(form).encode()
        headers = {b"host": b"kms.test", b"content-type": b"application/x-www-form-urlencoded"}
        return Reply.of(self.serve(self.request("POST", "https://kms.test/", headers, body)))

    def request(self, method: str, url: str, headers: dict[bytes, bytes], body: bytes) -> HttpRequest:
        now = self.clock.now()
        target = "/" + url.split("/", 3)[3]
        return HttpRequest(
            method=method.encode(),
            target=target.encode(),
            headers=headers,
            body=body,
            peer=self.peer,
            received_at=now,
            second=int(now.timestamp()),
            secure=self.secure,
            certificates=self.certificates,
        )

    def serve(self, request: HttpRequest, front: Front | None = None) -> bytes:
        """As a listener does: what would block the loop's thread is done on another. `front`: of another door."""
        serve = (front or self.front).serve
        try:
            return serve(request)
        except WouldBlock:
            answers: list[bytes] = []
            thread = threading.Thread(target=lambda: answers.append(serve(request)))
            thread.start()
            thread.join()
            return answers[0]

    def on_the_loop(self) -> Stack:
        """From here on this thread is the event loop's: whatever would block it is done on another."""
        self.view.loop_thread = threading.get_ident()
        return self

    # --- who and what there is

    def perform(self, op: ops.Operation[Any], by: Person | None = None, *, region: str = REGION) -> Any:
        """An operation past the door, by the administrator or somebody else, as an authenticated caller."""
        person = by or self.admin
        request = person.signed({"X-Amz-Target": "harness"}, b"", region=region)
        caller = self.means.authenticator.aws(
            request, service="kms", door="harness", wire_operation=type(op).__name__, request_id="harness"
        )
        return self.service.perform(caller, op)

    def by_system(self, op: ops.Operation[Any]) -> Any:
        """An operation of the installation's own principal (the scheduler, the operator)."""
        request = replace(self.request("POST", "https://kms.test/", {}, b""), peer="uid:0")
        caller = self.means.authenticator.peer(
            request, namespace="system", door="harness", wire_operation=type(op).__name__, request_id="harness"
        )
        return self.service.perform(caller, op)

    def as_scheduler(self, op: ops.Operation[Any]) -> Any:
        """What the installation does of itself: it waits for nobody's approval. Past the loop."""
        loop, self.view.loop_thread = self.view.loop_thread, None
        try:
            system, name = system_principal(self.barrier), type(op).__name__
            caller = self.means.authenticator.itself(
                system, namespace="system", door=SYSTEM_DOOR, operation=name, request_id="", now=self.clock.now()
            )
            return self.service.perform(caller, op)
        finally:
            self.view.loop_thread = loop

    def user(self, name: str, policy: str | None = None, *, tenant: str = TENANT) -> Person:
        """A user with an access key, and with an identity policy if one is given (the aws dialect's text)."""
        at = ops.TenantRef(tenant)
        made = self.by_system(ops.CreatePrincipal(tenant=at, name=name))
        if policy is not None:
            text = PolicyText("default", "aws", policy)
            self.by_system(ops.PutPrincipalPolicy(tenant=at, name=name, policy=text))
        key = self.by_system(ops.CreateAccessKey(tenant=at, name=name))
        return Person(self, made, key.credential.id, key.secret.reveal(), None)

    def bearer(self, policy: str | None = None) -> Bearer:
        """Who bears a root token, or one that has a policy of that text alone."""
        made = first_token(self.barrier, TENANT, self.clock.now(), self.entropy)
        self.generation.announce()
        root = Bearer(self, made.text.reveal().decode())
        return root if policy is None else root.child(policy)

    def keyring(self, tenant: str = OTHER_TENANT, region: str = REGION) -> None:
        """Another account or region; the tenant is made with its first keyring."""
        at = f"aws:{tenant}:{region}"
        self.by_system(ops.CreateKeyring(tenant=tenant, name=region, namespaces=(at,)))

    def key(
        self,
        spec: str = "SYMMETRIC_DEFAULT",
        purpose: Purpose | None = None,
        *,
        policy: str | None = None,
        by: Person | None = None,
        region: str = REGION,
    ) -> Key:
        """A key of the AWS key spec `spec`, for its default purpose or another."""
        wanted = key_spec("aws", spec)
        person = by or self.admin
        made = self.perform(
            ops.CreateKey(
                keyring=ops.KeyringRef(f"aws:{person.principal.tenant}:{region}"),
                spec=wanted,
                purpose=purpose or wanted.purposes[0],
                policy=PolicyText("default", "aws", policy) if policy else None,
                bypass_lockout_check=True,
            ),
            person,
            region=region,
        )
        return made.key

    def arn(self, key: Key, region: str = REGION) -> str:
        return f"arn:aws:kms:{region}:{key.tenant}:key/{key.id}"

    def name(self, key: Key, alias: str, *, region: str = REGION) -> None:
        at = f"aws:{key.tenant}:{region}"
        self.perform(ops.CreateName(key=ops.KeyRef(at, id=key.id), name=alias), region=region)

    def put(self, *entities: Entity) -> None:
        """Entities as they are given, past everything: for states that no operation leads to yet."""
        self.barrier.commit(Commit(put=entities))
        self.generation.announce()

    def stored(self, key: Key) -> Key:
        """The key as the store has it now."""
        found = self.barrier.get(Key, key.id)
        assert found is not None
        return found

    def change(self, key: Key, **fields: Any) -> None:
        """Put `fields` into the stored key."""
        self.put(replace(self.stored(key), **fields))

    # --- what is on record

    def records(self) -> list[Record]:
        """Every audit record so far: of changes, then of uses and refusals, each in order."""
        changes = [line for _, line in self.store.records(0, MAX_PAGE)]
        return [parse(line) for line in (*changes, *self.journal.lines)]

    def record(self) -> Record:
        """The newest record of a use or a refusal."""
        return parse(self.journal.lines[-1])

    def forget_records(self) -> None:
        """Begin a new journal, so that the next record is the only one."""
        self.journal.lines.clear()


class Bearer:
    """Whoever bears a Vault token, at the Vault door."""

    def __init__(self, stack: Stack, token: str) -> None:
        self.stack, self.token = stack, token
        self.front = vault.DOOR.open(stack.means)

    def send(self, method: str, path: str, body: bytes = b"", headers: dict[bytes, bytes] | None = None) -> Reply:
        """`path` below /v1/, with its query."""
        lines = {b"host": b"vault.test", b"x-vault-token": self.token.encode(), **(headers or {})}
        request = self.stack.request(method, f"https://vault.test/v1/{path}", lines, body)
        return Reply.of(self.stack.serve(request, self.front))

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Reply:
        """One request; a body that is no bytes is written as JSON, and a patch says that it is one."""
        lines = {b"content-type": b"application/merge-patch+json"} if method == "PATCH" else {}
        lines |= {name.lower().replace("_", "-").encode(): value.encode() for name, value in headers.items()}
        raw = b"" if body is None else body if isinstance(body, bytes) else msgspec.json.encode(body)
        return self.send(method, path, raw, lines)

    def call(self, method: str, path: str, **fields: Any) -> Reply:
        """One request; `fields` are its body."""
        return self.ask(method, path, fields or None)

    def data(self, method: str, path: str, **fields: Any) -> Any:
        """The data of an answer that is to be one; None for an empty one."""
        reply = self.call(method, path, **fields)
        assert reply.status in {200, 204}, (method, path, reply.status, reply.body)
        return reply.json["data"] if reply.json else None

    def child(self, policy: str) -> Bearer:
        """Whoever bears a token of this one's that has that ACL policy alone."""
        name = f"p-{self.stack.entropy(4).hex()}"
        id_ = acl_policy_id(self.stack.barrier, TENANT, name)
        now = self.stack.clock.now()
        self.stack.put(AclPolicy(id=id_, tenant=TENANT, name=name, text=policy, modified_at=now))
        made = self.call("POST", "auth/token/create", policies=[name], no_default_policy=True)
        return Bearer(self.stack, made.json["auth"]["client_token"])

    def refusal(self, method: str, path: str, **fields: Any) -> tuple[int, str]:
        """(status, words) of a refusal; "" where there are none."""
        reply = self.call(method, path, **fields)
        assert reply.status >= 400, (method, path, reply.status, reply.body)
        return reply.status, (reply.json["errors"] or [""])[0]


def stack(**options: Any) -> Stack:
    return Stack(**options)


def b64(data: bytes) -> str:
    return b64encode(data).decode()


def _bytes(value: str | bytes) -> bytes:
    return value.encode() if isinstance(value, str) else value
