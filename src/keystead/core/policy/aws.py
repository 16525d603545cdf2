"""The aws dialect: IAM JSON policies and KMS key policies, compiled into the one decision form.

IAM User Guide, "IAM JSON policy element reference", "Grammar of the IAM JSON policy language"; KMS Developer
Guide, "Key policies". Every fault raises InvalidArgument in AWS's words, with detail "Policy"
(MalformedPolicyDocumentException) or BAD_ARN (InvalidArnException). Actions without an AWS word have one of
their own, keystead:<action>.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

import msgspec

from keystead.core.actions import ACTIONS, Action
from keystead.core.entities import PrincipalKind
from keystead.core.errors import InvalidArgument
from keystead.core.policy import pattern
from keystead.core.policy.arn import PrincipalName, principal_name, provider_of
from keystead.core.policy.conditions import MOST_COMPARED, Condition, compile_condition
from keystead.core.policy.fold import lower
from keystead.core.policy.form import Document, Effect, Principals, Statement
from keystead.core.policy.request import Request
from keystead.core.policy.sessions import role_of
from keystead.wire import Malformed
from keystead.wire import json as strict_json

MAX_BYTES = 32 * 1024  # KMS Developer Guide, "Quotas": key policy document size
VERSIONS = {"2012-10-17": True, "2008-10-17": False}  # -> whether ${...} is a variable
SYNTAX = "Syntax errors in policy."
PRINCIPALS = "Policy contains a statement with one or more invalid principals."
MISSING, MISSING_TRUST = "Policy contains a statement with no principal.", "Missing required field Principal"
FEDERATED = "Federated"
BAD_ARN = "An ARN in the specified key policy is invalid."
"""words, and detail of the InvalidArgument: what looks like a principal's ARN can be nobody's."""

_ACTION = re.compile(r"\*|([A-Za-z0-9-]+|\*):([A-Za-z0-9*?:-]+)")
_ANYONES_ARN = re.compile(
    r"arn:[^:]*:(iam|sts)::[0-9]{12}:(root|(user|role|assumed-role|federated-user)/.*)", re.DOTALL
)
# of a vendor; or of an issuer, which has a host, perhaps a port, and perhaps a path
_CONDITION_KEY = re.compile(
    r"[A-Za-z0-9-]+:[\x20-\x7e\u0080-\U0010ffff]{1,1024}|[A-Za-z0-9.-]+(?::[0-9]+)?(?:/[A-Za-z0-9._~/-]*)?:[A-Za-z0-9_]+"
)
_DOCUMENT = frozenset({"Version", "Id", "Statement"})
_STATEMENT = frozenset(
    {"Sid", "Effect", "Principal", "NotPrincipal", "Action", "NotAction", "Resource", "NotResource", "Condition"}
)
_WORDS: dict[str, Action] = {lower(row.aws): row.action for row in ACTIONS.values() if row.aws is not None}
_ON_KEYS = frozenset(a for a, row in ACTIONS.items() if (row.aws or "").startswith("keystead:key:"))
_EVERYTHING = "kms:*"
_OWN = frozenset(action for word, action in _WORDS.items() if word.startswith("keystead:"))


def _fault(text: str = SYNTAX) -> NoReturn:
    raise InvalidArgument(text, "Policy")


# --- JSON


def _texts(value: object, fault: str = SYNTAX) -> list[str]:
    """A string, or a list of them."""
    values: list[Any] = value if isinstance(value, list) else [value]
    if not all(isinstance(v, str) for v in values):
        _fault(fault)
    return values


def _scalars(value: object) -> list[str]:
    """Condition values: strings, numbers, booleans."""
    return [_scalar(v) for v in (value if isinstance(value, list) else [value])]


def _scalar(value: object) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int | float) else _fault()


def _object(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else _fault()


def read(text: str) -> tuple[list[dict[str, Any]], bool]:
    """The statements of a document, and whether it has policy variables. Only the frame is looked at."""
    try:
        body = text.encode()
    except UnicodeEncodeError:
        _fault()
    if len(body) > MAX_BYTES:
        _fault(f"The policy is longer than {MAX_BYTES} bytes.")
    try:
        strict_json.check(body, exact=True)
        document = _object(msgspec.json.decode(body))
    except (Malformed, msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        _fault()
    if not document.keys() <= _DOCUMENT or not isinstance(document.get("Id", ""), str):
        _fault()
    version = document.get("Version", "2008-10-17")
    if not isinstance(version, str) or version not in VERSIONS:
        _fault("The policy must contain a valid version string")
    statements = document.get("Statement")
    listed = statements if isinstance(statements, list) else [statements]
    if not listed:
        _fault("Policy document must contain at least one statement.")
    return [_frame(s) for s in listed], VERSIONS[version]


def _frame(value: object) -> dict[str, Any]:
    statement = _object(value)
    if not statement.keys() <= _STATEMENT or not isinstance(statement.get("Sid", ""), str):
        _fault()
    return statement


def _one_of(statement: Mapping[str, Any], name: str, missing: str) -> tuple[Any, bool]:
    """The value of `name` or of Not`name`, and whether it was the latter; exactly one must be there."""
    found = [(statement[n], n != name) for n in (name, f"Not{name}") if n in statement]
    if len(found) != 1:
        _fault(SYNTAX if found else missing)
    return found[0]


# --- principals


def _principal_texts(value: object) -> list[tuple[str, str]]:
    """(type, text) of each principal named; "*" is everyone."""
    if value == "*":
        return [("AWS", "*")]
    pairs = [(kind, text) for kind, named in _object(value).items() for text in _texts(named, PRINCIPALS)]
    if not pairs:
        _fault(PRINCIPALS)
    return pairs


def _named(kind: str, text: str) -> PrincipalName | None:
    """None: everyone."""
    if (kind, text) == ("AWS", "*"):
        return None
    name = principal_name(text)
    if name is None and kind == "AWS" and text.startswith("arn:") and _ANYONES_ARN.fullmatch(text) is None:
        raise InvalidArgument(BAD_ARN, BAD_ARN)
    if name is None or kind != ("Service" if name.kind is PrincipalKind.SERVICE else "AWS"):
        _fault(PRINCIPALS)
    return name


def principals_of(text: str) -> tuple[PrincipalName, ...]:
    """Every principal a key policy names, once each, for whoever puts it to resolve to ids; no more is looked at.

    Each must exist, services excepted. Raises InvalidArgument(detail "Policy", BAD_ARN).
    """
    names: dict[str, PrincipalName] = {}
    for statement in read(text)[0]:
        values = [statement[name] for name in ("Principal", "NotPrincipal") if name in statement]
        named = [(kind, own) for value in values for kind, own in _principal_texts(value) if kind != FEDERATED]
        names |= {n.text: n for kind, own in named if (n := _named(kind, own)) is not None}
    return tuple(names.values())


def _provider(text: str) -> str:
    """The ARN of an OpenID Connect provider. It is trusted by its name, which is its issuer's: nothing to resolve."""
    if provider_of(text) is None:
        _fault(PRINCIPALS)
    return text


def _principals(statement: Mapping[str, Any], ids: Mapping[str, str], *, federated: bool = False) -> Principals:
    value, negated = _one_of(statement, "Principal", MISSING_TRUST if federated else MISSING)
    own: set[str] = set()
    accounts: set[str] = set()
    sessions: dict[str, set[str]] = {}
    everyone = False
    named = _principal_texts(value)
    providers = frozenset(_provider(text) for kind, text in named if federated and kind == FEDERATED)
    for kind, text in named:
        if federated and kind == FEDERATED:
            continue
        name = _named(kind, text)
        if name is None:
            everyone = True
        elif text in ids and name.session:
            sessions.setdefault(role_of(ids[text]), set()).add(name.session)
        elif text in ids:
            (accounts if name.kind is PrincipalKind.ROOT else own).add(ids[text])
        elif name.kind is not PrincipalKind.SERVICE:
            _fault(PRINCIPALS)
    if sessions and negated:  # whom it then spares AWS finds by role and account too, and may find neither (SPEC.md)
        _fault(PRINCIPALS)
    named_sessions = {role: frozenset(names) for role, names in sessions.items()}
    return Principals(frozenset(own), frozenset(accounts), everyone, negated, providers, named_sessions)


# --- actions, resources, conditions


def _reached(text: str) -> frozenset[Action]:
    found = _ACTION.fullmatch(text)
    if found is None:
        _fault("Actions/Conditions must be prefixed by a vendor, e.g., iam, sdb, ec2, etc.")
    glob = pattern.glob(lower(text))
    named = frozenset(action for word, action in _WORDS.items() if glob(word))
    # Whoever gives all that can be done to a key gives what AWS has no word for, too (docs/adr/0020).
    return named | _ON_KEYS if lower(text) == _EVERYTHING else named


def _actions(statement: Mapping[str, Any], effect: Effect) -> frozenset[Action]:
    value, negated = _one_of(statement, "Action", "Policy statement must contain actions.")
    texts = _texts(value)
    if not texts:
        _fault("Policy statement must contain actions.")
    reached = frozenset[Action]().union(*map(_reached, texts))
    if not negated:
        return reached
    rest = frozenset(_WORDS.values()) - reached
    # Whoever wrote "all but iam:*" meant AWS's words: rights of Keystead's own are given by name, or by "*".
    return rest - _OWN if effect is Effect.ALLOW else rest


def _resource(statement: Mapping[str, Any], effect: Effect, variables: bool) -> Condition:  # noqa: FBT001 - a Resource
    value, negated = _one_of(statement, "Resource", "Policy statement must contain resources.")
    texts = _texts(value)
    if not texts:
        _fault("Policy statement must contain resources.")
    for text in texts:
        if text != "*" and not text.startswith("arn:"):
            _fault(f'Resource {text[:64]} must be in ARN format or "*".')
    unresolved = negated and effect is Effect.ALLOW
    matchers = [pattern.arn_like(t, variables=variables, unresolved=unresolved) for t in texts]
    matcher = pattern.any_of(matchers)
    matches, cost = matcher.matches, sum(one.cost for one in matchers)

    def holds(request: Request) -> bool:
        return matches(request.resource, request) is not negated

    return Condition(holds, matcher.stable, cost)


def _n_values(statements: list[dict[str, Any]]) -> int:
    """How many values the conditions of a document have, well-formed or not."""
    blocks = [block for s in statements if isinstance(block := s.get("Condition"), dict)]
    lines = [
        values for block in blocks for keys in block.values() if isinstance(keys, dict) for values in keys.values()
    ]
    return sum(len(values) if isinstance(values, list) else 1 for values in lines)


def _conditions(statement: Mapping[str, Any], effect: Effect, *, variables: bool, most: int) -> tuple[Condition, ...]:
    block = _object(statement.get("Condition", {}))
    lines = [(word, key, values) for word, keys in block.items() for key, values in _object(keys).items()]
    for _, key, _ in lines:
        if _CONDITION_KEY.fullmatch(key) is None:
            _fault("Actions/Conditions must be prefixed by a vendor, e.g., iam, sdb, ec2, etc.")
    allowing = effect is Effect.ALLOW
    return tuple(
        compile_condition(word, key, _scalars(values), variables=variables, allowing=allowing, most=most)
        for word, key, values in lines
    )


# --- documents


def _effect(statement: Mapping[str, Any]) -> Effect:
    value = statement.get("Effect")
    if value is None:
        _fault("Missing required field Effect")
    for effect in Effect:
        if effect.value == value:
            return effect
    return _fault(f"Invalid effect: {str(value)[:64]}")


Resource = Callable[[Mapping[str, Any], Effect, bool], Condition]


def _compile(
    text: str, principals: Callable[[Mapping[str, Any]], Principals | None], resource: Resource = _resource
) -> Document:
    statements, variables = read(text)
    sids = [s["Sid"] for s in statements if s.get("Sid")]
    if len(set(sids)) != len(sids):
        _fault("Statement IDs (SID) in a single policy must be unique.")
    most = MOST_COMPARED // max(1, _n_values(statements))
    compiled = []
    for statement in statements:
        effect = _effect(statement)
        tests = (
            resource(statement, effect, variables),
            *_conditions(statement, effect, variables=variables, most=most),
        )
        compiled.append(Statement(effect, principals(statement), _actions(statement, effect), tests))
    return Document(tuple(compiled))


def compile_key_policy(text: str, ids: Mapping[str, str]) -> Document:
    """`ids`: what each of principals_of(text) was resolved to. Raises InvalidArgument(detail "Policy", BAD_ARN)."""
    return _compile(text, lambda statement: _principals(statement, ids))


def _nobody(statement: Mapping[str, Any]) -> None:
    if "Principal" in statement or "NotPrincipal" in statement:
        _fault("Policy document should not specify a principal.")


def compile_identity_policy(text: str) -> Document:
    """Raises InvalidArgument(detail "Policy")."""
    return _compile(text, _nobody)


def _itself(statement: Mapping[str, Any], _effect: Effect, _variables: bool) -> Condition:  # noqa: FBT001 - a Resource
    """A trust policy is about its role and nothing else."""
    if "Resource" in statement or "NotResource" in statement:
        _fault("Has prohibited field Resource")
    if "NotAction" in statement or not all(lower(t).startswith("sts:") for t in _texts(statement.get("Action", []))):
        _fault("AssumeRole policy may only specify STS AssumeRole actions.")
    return Condition(lambda _: True, stable=True)


def compile_trust_policy(text: str, ids: Mapping[str, str]) -> Document:
    """IAM User Guide, "IAM roles", trust policy. `ids` as in compile_key_policy. Raises the same."""
    return _compile(text, lambda statement: _principals(statement, ids, federated=True), _itself)


def default_key_policy(tenant: str) -> str:
    """KMS Developer Guide, "Default key policy when you create a KMS key programmatically"."""
    statement = {
        "Sid": "Enable IAM User Permissions",
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:aws:iam::{tenant}:root"},
        "Action": "kms:*",
        "Resource": "*",
    }
    document = {"Version": "2012-10-17", "Id": "key-default-1", "Statement": [statement]}
    return msgspec.json.encode(document).decode()
