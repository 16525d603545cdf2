"""Vault policies compiled and asked. Each row of SELECTION and REACHES is put to a real OpenBao in tests/cross as well.

Vault documentation, "Policies": priority matching, parameter constraints, required response wrapping TTLs, templated
policies; OpenBao documentation, the same page: expiration, pagination_limit.
"""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.vaultpolicies import NOW, REACHES, SELECTION, Stanza, acl, as_hcl, as_json, stanza

from keystead.core.errors import InvalidArgument
from keystead.core.policy.vault import (
    DEFAULT_POLICY,
    RESPONSE_WRAPPING_POLICY,
    Capability,
    NamedPolicy,
    compile_acl,
    read_policy,
)
from keystead.core.policy.vault.prefixes import Prefixes

C = Capability


@pytest.mark.parametrize(("about", "policies", "path", "wanted"), SELECTION)
@pytest.mark.parametrize("written", [as_hcl, as_json])
def test_the_most_specific_rule_decides(
    about: str, policies: list[list[Stanza]], path: str, wanted: str, written: Any
) -> None:
    assert " ".join(acl(*map(written, policies)).capabilities(path)) == wanted, about


@pytest.mark.parametrize(("about", "policies", "path", "wanted"), SELECTION)
def test_a_decision_is_what_the_capabilities_say(
    about: str, policies: list[list[Stanza]], path: str, wanted: str
) -> None:
    """A list's path counts with and without its slash, another's only as it is; so lists are asked here."""
    compiled = acl(*map(as_hcl, policies))
    for capability in (C.LIST, C.SCAN):
        assert compiled.decide(path, capability).allowed == (capability.value in wanted.split()), about


@pytest.mark.parametrize("denied", ["kv/metadata/priv/*", "kv/metadata/priv*", "kv/metadata/priv", "kv/metadata/+/"])
def test_a_list_is_denied_where_its_folder_is(denied: str) -> None:
    """CVE-2026-63131, GHSA-xp3c-3jw3-4vcr: whatever a wider rule lets."""
    compiled = acl(as_hcl([stanza("kv/metadata/*", "list"), stanza(denied, "deny")]))
    assert not compiled.decide("kv/metadata/priv/", C.LIST).allowed
    assert not compiled.decide("kv/metadata/priv/", C.SCAN).allowed
    assert compiled.decide("kv/metadata/", C.LIST).allowed


def test_a_plus_without_a_slash_behind_is_no_folder() -> None:
    """As in OpenBao: a rule that matches the path with its slash goes before any that matches it without."""
    compiled = acl(as_hcl([stanza("kv/*", "list", "read"), stanza("kv/+", "deny")]))
    assert compiled.decide("kv/priv/", C.LIST).allowed
    assert not compiled.decide("kv/priv", C.READ).allowed


@pytest.mark.parametrize(("allowed", "denied", "wanted"), REACHES)
def test_a_mount_is_known_where_something_under_it_is_allowed(allowed: str, denied: str, *, wanted: bool) -> None:
    assert acl(as_hcl([stanza(allowed, "read"), stanza(denied, "deny")])).reaches("x/kv/") == wanted
    assert not acl(as_hcl([stanza(allowed, "deny"), stanza(denied, "deny")])).reaches("x/kv/")


def test_the_slash_of_a_list_is_nothing_to_a_read() -> None:
    compiled = acl(as_hcl([stanza("a/b", "read", "list")]))
    assert compiled.decide("a/b/", C.LIST).allowed
    assert compiled.decide("//a/b", C.READ).allowed
    assert not compiled.decide("a/b/", C.READ).allowed


def test_a_verdict_says_which_policies_allowed_it_or_why_not() -> None:
    compiled = acl(as_hcl([stanza("a", "read")]), as_hcl([stanza("a", "update", "read", "sudo")]))
    assert compiled.decide("a", C.READ).rule == "policy p0, p1"
    assert compiled.decide("a", C.UPDATE).rule == "policy p1"
    assert compiled.decide("a", C.UPDATE).why_not == ""
    assert compiled.decide("a", C.DELETE).why_not == "policy p0, p1: a is what decides, and does not allow it"
    assert compiled.decide("b", C.READ).why_not == "no policy has a rule for this path"
    assert compiled.decide("b", C.READ).rule == ""


def test_a_deny_says_whose_it_is() -> None:
    compiled = acl(as_hcl([stanza("a/*", "read")]), as_hcl([stanza("a/*", "deny")]))
    assert compiled.decide("a/b", C.READ).why_not == "policy p1: a/* is denied"


def test_of_many_policies_some_are_named() -> None:
    verdict = acl(*[as_hcl([stanza("a", "read")])] * 10).decide("a", C.READ)
    assert verdict.rule == "policy p0, p1, p2, p3, p4, p5, p6, p7 and 2 more"


@pytest.mark.parametrize("capability", [C.SUDO, C.DENY])
def test_sudo_and_deny_are_nothing_that_one_does(capability: Capability) -> None:
    assert not acl(as_hcl([stanza("a", "sudo", "read")])).decide("a", capability).allowed


def test_a_path_that_needs_sudo_needs_the_capability_too() -> None:
    plain, both, sudo = (acl(as_hcl([stanza("a", *words)])) for words in (["read"], ["read", "sudo"], ["sudo"]))
    assert both.decide("a", C.READ, sudo=True).allowed
    assert both.decide("a", C.READ).sudo
    assert not plain.decide("a", C.READ).sudo
    assert not plain.decide("a", C.READ, sudo=True).allowed
    assert not sudo.decide("a", C.READ, sudo=True).allowed


# --- root


def test_root_may_do_everything_and_stands_alone() -> None:
    root = compile_acl([NamedPolicy(name="root")], now=NOW)
    assert root.capabilities("a") == ("root",)
    assert root.reaches("a/")
    assert root.decide("a", C.DELETE, sudo=True).allowed
    with pytest.raises(InvalidArgument, match="other policies present along with root"):
        compile_acl([NamedPolicy(name="root"), NamedPolicy(name="default")], now=NOW)


def test_without_a_policy_there_is_no_right() -> None:
    nobody = compile_acl([], now=NOW)
    assert nobody.capabilities("a") == ("deny",)
    assert not nobody.decide("a", C.READ).allowed
    assert not nobody.reaches("a/")


# --- parameters

ALLOW, DENY, REQUIRE = "allowed_parameters", "denied_parameters", "required_parameters"
PARAMETERS: tuple[tuple[list[dict[str, Any]], dict[str, Any], bool], ...] = (
    # what policies say of the path, parameters, allowed
    ([{ALLOW: {"x": []}}], {"x": "anything"}, True),
    ([{ALLOW: {"x": []}}], {"y": "a"}, False),
    ([{ALLOW: {"x": []}}], {"x": "a", "y": "a"}, False),
    ([{ALLOW: {"x": []}}], {}, True),
    ([{ALLOW: {"X": ["a"]}}], {"x": "a"}, True),
    ([{ALLOW: {"x": ["a"]}}], {"X": "a"}, True),
    ([{ALLOW: {"x": ["a", "b"]}}], {"x": "b"}, True),
    ([{ALLOW: {"x": ["a", "b"]}}], {"x": "c"}, False),
    ([{ALLOW: {"x": ["a"], "*": []}}], {"y": "b"}, True),
    ([{ALLOW: {"x": ["a"], "*": []}}], {"x": "b"}, False),
    ([{ALLOW: {"*": ["a"]}}], {"x": "b"}, True),
    ([{ALLOW: {"*": ["a"]}}], {"*": "b"}, True),
    ([{ALLOW: {"*": ["a"], "x": []}}], {"*": "b"}, False),
    ([{ALLOW: {}}], {"x": "b"}, True),
    ([{DENY: {"x": []}}], {"x": "a"}, False),
    ([{DENY: {"x": []}}], {"X": "a"}, False),
    ([{DENY: {"x": []}}], {"y": "a"}, True),
    ([{DENY: {"x": ["a"]}}], {"x": "b"}, True),
    ([{DENY: {"x": ["a"]}}], {"x": "a"}, False),
    ([{DENY: {"*": []}}], {"x": "a"}, False),
    ([{DENY: {"*": ["a"]}}], {"x": "b"}, False),
    ([{DENY: {"*": []}}], {}, True),
    ([{DENY: {"x": ["a"]}, ALLOW: {"x": ["a", "b"]}}], {"x": "a"}, False),
    ([{DENY: {"x": ["a"]}, ALLOW: {"x": ["a", "b"]}}], {"x": "b"}, True),
    ([{REQUIRE: ["x"]}], {"x": None}, True),
    ([{REQUIRE: ["x"]}], {"y": "a"}, False),
    ([{REQUIRE: ["x"]}], {}, False),
    ([{REQUIRE: ["X"]}], {"x": "a"}, True),
    ([{REQUIRE: ["x"]}], {"X": "a"}, False),  # the name is wanted in lower case
    ([{REQUIRE: ["x", "y"]}], {"x": "a"}, False),
    ([{REQUIRE: [1]}], {"1": "a"}, True),
    # a star at either end of a text
    ([{ALLOW: {"x": ["a*"]}}], {"x": "abc"}, True),
    ([{ALLOW: {"x": ["a*"]}}], {"x": "ba"}, False),
    ([{ALLOW: {"x": ["*a"]}}], {"x": "ba"}, True),
    ([{ALLOW: {"x": ["*a"]}}], {"x": "ab"}, False),
    ([{ALLOW: {"x": ["*a*"]}}], {"x": "bab"}, True),
    ([{ALLOW: {"x": ["*a*"]}}], {"x": "b"}, False),
    ([{ALLOW: {"x": ["**"]}}], {"x": "b"}, True),
    ([{ALLOW: {"x": ["*"]}}], {"x": "b"}, False),
    ([{ALLOW: {"x": ["*"]}}], {"x": "*"}, True),
    ([{ALLOW: {"x": ["a*b"]}}], {"x": "acb"}, False),
    ([{ALLOW: {"x": [""]}}], {"x": ""}, True),
    ([{ALLOW: {"x": [""]}}], {"x": "a"}, False),
    ([{ALLOW: {"x": ["A"]}}], {"x": "a"}, False),
    # types
    ([{ALLOW: {"x": [True]}}], {"x": True}, True),
    ([{ALLOW: {"x": [True]}}], {"x": 1}, False),
    ([{ALLOW: {"x": [1]}}], {"x": True}, False),
    ([{ALLOW: {"x": [True]}}], {"x": "true"}, False),
    ([{ALLOW: {"x": [5]}}], {"x": 5}, True),
    ([{ALLOW: {"x": [5]}}], {"x": Decimal("5.0")}, True),
    ([{ALLOW: {"x": [5]}}], {"x": "5"}, False),
    ([{ALLOW: {"x": ["5"]}}], {"x": 5}, False),
    ([{DENY: {"x": [0.5]}}], {"x": 0.5}, False),
    ([{ALLOW: {"x": [["a"]]}}], {"x": ["a"]}, True),
    ([{ALLOW: {"x": [["a*"]]}}], {"x": ["ab"]}, False),
    ([{ALLOW: {"x": [["a"]]}}], {"x": ["a", "a"]}, False),
    ([{ALLOW: {"x": [["a"]]}}], {"x": "a"}, False),
    ([{ALLOW: {"x": [{"k": "v"}]}}], {"x": {"k": "v"}}, True),
    ([{ALLOW: {"x": [{"k": True}]}}], {"x": {"k": 1}}, False),
    ([{ALLOW: {"x": [{"k": "v"}]}}], {"x": {"k": "v", "l": "v"}}, False),
    ([{ALLOW: {"x": ["a"]}}], {"x": None}, False),
    # policies for the same path
    ([{ALLOW: {"x": ["a"]}}, {ALLOW: {"x": ["b"]}}], {"x": "b"}, True),
    ([{ALLOW: {"x": ["a"]}}, {ALLOW: {"x": []}}], {"x": "c"}, True),
    ([{ALLOW: {"x": []}}, {ALLOW: {"x": ["a"]}}], {"x": "c"}, True),
    ([{ALLOW: {"x": ["a"]}}, {ALLOW: {"y": ["a"]}}], {"y": "a", "x": "a"}, True),
    ([{ALLOW: {"x": ["a"]}}, {}], {"y": "a"}, False),
    ([{}, {ALLOW: {"x": ["a"]}}], {"y": "a"}, False),
    ([{DENY: {"x": ["a"]}}, {DENY: {"x": ["b"]}}], {"x": "b"}, False),
    ([{DENY: {"x": ["a"]}}, {DENY: {"x": []}}], {"x": "c"}, False),
    ([{REQUIRE: ["x"]}, {REQUIRE: ["y", "x"]}], {"x": "a"}, False),
    ([{REQUIRE: ["x"]}, {REQUIRE: ["y", "x"]}], {"x": "a", "y": "a"}, True),
)


@pytest.mark.parametrize(("said", "parameters", "allowed"), PARAMETERS)
@pytest.mark.parametrize("capability", [C.CREATE, C.READ, C.UPDATE, C.PATCH])
def test_parameters(said: list[dict[str, Any]], parameters: dict[str, Any], capability: C, *, allowed: bool) -> None:
    texts = [as_hcl([stanza("a", "create", "read", "update", "patch", **fields)]) for fields in said]
    assert acl(*texts).decide("a", capability, parameters=parameters).allowed == allowed


@pytest.mark.parametrize("capability", [C.DELETE, C.LIST, C.SCAN])
def test_what_has_no_parameters_is_not_asked_for_them(capability: C) -> None:
    words = [capability.value]
    compiled = acl(as_hcl([stanza("a", *words, **{DENY: {"*": []}, REQUIRE: ["x"]})]))
    assert compiled.decide("a", capability, parameters={"y": "b"}).allowed


def test_fields_given_twice_add_up_in_one_path() -> None:
    text = """path "a" {
        capabilities = ["update"]
        allowed_parameters = { x = ["a"] x = ["b"] }
        allowed_parameters { X = ["c"] y = [] }
        required_parameters = ["x"]
        required_parameters = ["y"]
    }"""
    compiled = acl(text)
    for value in "abc":
        assert compiled.decide("a", C.UPDATE, parameters={"x": value, "y": "z"}).allowed
    assert not compiled.decide("a", C.UPDATE, parameters={"x": "d", "y": "z"}).allowed
    assert not compiled.decide("a", C.UPDATE, parameters={"x": "a"}).allowed


# --- wrapping

LEAST, MOST = "min_wrapping_ttl", "max_wrapping_ttl"
WRAPPING: tuple[tuple[list[dict[str, Any]], float | None, bool], ...] = (
    ([{LEAST: "10s"}], None, False),
    ([{LEAST: "10s"}], 9, False),
    ([{LEAST: "10s"}], 10, True),
    ([{LEAST: 10}], 86400, True),
    ([{MOST: "10"}], None, False),
    ([{MOST: "10"}], 10, True),
    ([{MOST: "10"}], 11, False),
    ([{LEAST: "1500ms"}], 1, False),
    ([{LEAST: "1500ms"}], 2, True),
    ([{LEAST: "1m", MOST: "1h30m"}], 5400, True),
    ([{LEAST: "1m", MOST: "1d"}], 86401, False),
    ([{LEAST: 0, MOST: ""}], None, True),
    ([{LEAST: "-5s"}], None, True),
    # of two bounds the lower counts, also of the lower ones
    ([{LEAST: 10}, {LEAST: 20}], 15, True),
    ([{LEAST: 20}, {}], 15, False),
    ([{MOST: 10}, {MOST: 20}], 15, False),
    ([{LEAST: 20}, {MOST: 10}], 15, False),
    ([{LEAST: 20}, {MOST: 10}], 10, False),
    ([{LEAST: 20}, {MOST: 10}], 20, False),
)


@pytest.mark.parametrize(("said", "ttl", "allowed"), WRAPPING)
@pytest.mark.parametrize("capability", [C.READ, C.LIST, C.DELETE])
def test_wrapping(said: list[dict[str, Any]], ttl: float | None, capability: C, *, allowed: bool) -> None:
    texts = [as_hcl([stanza("a", "read", "list", "delete", **fields)]) for fields in said]
    assert acl(*texts).decide("a", capability, wrap_ttl=ttl).allowed == allowed


# --- names of policies among parameters

OF_POLICIES: tuple[tuple[dict[str, Any], dict[str, Any], bool], ...] = (
    ({DENY: {"policies": ["admin"]}}, {"policies": "app"}, True),
    ({DENY: {"policies": ["admin"]}}, {"policies": "ADMIN"}, False),
    ({DENY: {"policies": ["admin"]}}, {"policies": " admin"}, False),
    ({DENY: {"policies": ["admin"]}}, {"policies": "app,Admin"}, False),
    ({DENY: {"policies": ["admin"]}}, {"policies": ["app", "admin"]}, False),
    ({DENY: {"policies": ["adm*"]}}, {"policies": ["app", "ADMIN"]}, False),
    ({DENY: {"policies": ["Admin"]}}, {"policies": ["admin"]}, False),
    ({DENY: {"policies": []}}, {"policies": []}, False),
    ({DENY: {"policies": []}}, {"policies": ["app"]}, False),
    ({DENY: {"token_policies": ["admin"]}}, {"policies": "admin"}, False),
    ({DENY: {"policies": ["admin"]}}, {"token_policies": "admin"}, False),
    ({DENY: {"name": ["admin"]}}, {"name": "ADMIN"}, True),
    ({ALLOW: {"token_policies": ["app*"]}}, {"token_policies": "app-x"}, True),
    ({ALLOW: {"token_policies": ["app*"]}}, {"token_policies": "APP-X,app-y"}, True),
    ({ALLOW: {"token_policies": ["app*"]}}, {"token_policies": ["app-x", "app-y"]}, True),
    ({ALLOW: {"token_policies": ["app*"]}}, {"token_policies": "app-x,admin"}, False),
    ({ALLOW: {"token_policies": ["app*"]}}, {"token_policies": ["app-x", "admin"]}, False),
    ({ALLOW: {"token_policies": ["app*"], "*": []}}, {"policies": "admin"}, False),
    ({ALLOW: {"token_policies": ["a", "b"]}}, {"token_policies": ["a", "b"]}, True),
    ({ALLOW: {"token_policies": [["a", "b"]]}}, {"token_policies": ["a", "b"]}, True),
    ({ALLOW: {"policies": []}}, {"policies": ["anything"]}, True),
)


@pytest.mark.parametrize(("fields", "parameters", "allowed"), OF_POLICIES)
def test_policies_are_looked_at_one_by_one_and_by_both_names_of_the_parameter(
    fields: dict[str, Any], parameters: dict[str, Any], *, allowed: bool
) -> None:
    """As they are read: in any case, in lists and between commas (Vault 2.1.2, "canonicalization bypasses")."""
    compiled = acl(as_hcl([stanza("a", "update", **fields)]))
    assert compiled.decide("a", C.UPDATE, parameters=parameters).allowed == allowed


# --- pages

PAGES: tuple[tuple[dict[str, Any], dict[str, Any], Any], ...] = (
    # the rule, parameters, what `limit` is to be (None: as it came; "no": refused)
    ({}, {}, None),
    ({}, {"limit": "5"}, None),
    ({}, {"limit": "max"}, 0),
    ({"pagination_limit": 3}, {}, 3),
    ({"pagination_limit": "3"}, {"after": "b"}, 3),
    ({"pagination_limit": 3}, {"limit": "3"}, None),
    ({"pagination_limit": 3}, {"limit": 2}, None),
    ({"pagination_limit": 3}, {"limit": "4"}, "no"),
    ({"pagination_limit": 3}, {"limit": "-1"}, "no"),
    ({"pagination_limit": 3}, {"limit": "0"}, 3),
    ({"pagination_limit": 3}, {"limit": "max"}, 3),
    ({"pagination_limit": 3}, {"limit": "all"}, "no"),
    ({"pagination_limit": 3}, {"limit": True}, "no"),
    ({"pagination_limit": 3}, {"limit": " 2"}, "no"),
    ({"pagination_limit": 3}, {"limit": "+2"}, None),
    ({"pagination_limit": 3}, {"limit": 2.0}, "no"),
    ({"pagination_limit": 3}, {"limit": "9" * 5000}, "no"),
    ({"pagination_limit": 3}, {"limit": None}, "no"),
    ({"pagination_limit": 3, REQUIRE: ["Limit"]}, {}, "no"),
    ({"pagination_limit": 3, REQUIRE: ["Limit"]}, {"limit": "max"}, 3),
    ({"pagination_limit": 0}, {"limit": "9"}, None),
    ({"pagination_limit": -1}, {}, None),
)


@pytest.mark.parametrize(("fields", "parameters", "wanted"), PAGES)
@pytest.mark.parametrize("capability", [C.LIST, C.SCAN])
def test_pages(fields: dict[str, Any], parameters: dict[str, Any], wanted: Any, capability: C) -> None:
    verdict = acl(as_hcl([stanza("a", "list", "scan", "read", **fields)])).decide(
        "a/", capability, parameters=parameters
    )
    assert (verdict.limit if verdict.allowed else "no") == wanted
    assert not verdict.allowed or verdict.rule == "policy p0"


def test_the_smaller_page_counts_and_a_read_has_none() -> None:
    compiled = acl(*(as_hcl([stanza("a", "list", "read", pagination_limit=n)]) for n in (5, 3, 0)))
    assert compiled.decide("a", C.LIST).limit == 3
    assert compiled.decide("a", C.READ).limit is None
    assert compiled.decide("a", C.READ, parameters={"limit": "9"}).allowed


# --- what expires

SOON = NOW + timedelta(hours=1)


def test_a_path_counts_until_it_expires_and_the_acl_says_when() -> None:
    text = as_hcl([stanza("a", "read", expiration=SOON.isoformat()), stanza("a", "update"), stanza("b", "read")])
    before, after = acl(text), acl(text, now=SOON)
    assert before.capabilities("a") == ("read", "update")
    assert before.until == SOON
    assert after.capabilities("a") == ("update",)
    assert after.until is None


def test_a_deny_expires_as_well() -> None:
    text = as_hcl([stanza("a", "read"), stanza("a", "deny", expiration=SOON.isoformat())])
    assert acl(text).capabilities("a") == ("deny",)
    assert acl(text, now=SOON).capabilities("a") == ("read",)


def test_a_policy_counts_until_it_expires() -> None:
    later = SOON + timedelta(hours=1)
    policy = read_policy(as_hcl([stanza("a", "read", expiration=later.isoformat())]))
    named = NamedPolicy(name="p", policy=policy, expires_at=SOON)
    assert compile_acl([named], now=NOW).until == SOON
    assert compile_acl([named], now=SOON).capabilities("a") == ("deny",)


@pytest.mark.parametrize(
    ("written", "instant"),
    [
        ("2026-11-25T13:00:00Z", SOON),
        ("2026-11-25T14:00:00+01:00", SOON),
        ("2026-11-25T13:00:00.500000000Z", SOON + timedelta(milliseconds=500)),
        ("1795611600", datetime(2026, 11, 25, 13, tzinfo=UTC)),
    ],
)
def test_the_ways_to_write_a_date(written: str, instant: datetime) -> None:
    (found,) = read_policy(as_hcl([stanza("a", "read", expiration=written)])).stanzas
    assert found.expires_at == instant


# --- templates

FACTS = {
    "identity.entity.id": "e-1",
    "identity.entity.name": "",
    "identity.entity.metadata.team": "blue",
    "identity.entity.metadata.none": "",
    "identity.entity.metadata.star": "a*",
    "identity.entity.metadata.plus": "+",
    "identity.entity.metadata.slash": "a/b",
}


@pytest.mark.parametrize(
    ("template", "path"),
    [
        ("a/{{identity.entity.id}}", "a/e-1"),
        ("a/{{ identity.entity.id }}/{{identity.entity.metadata.team}}/b", "a/e-1/blue/b"),
        ("{{identity.entity.id}}*", "e-1/x"),
        ("a/x-{{identity.entity.metadata.none}}-y", "a/x--y"),
        ("+/{{identity.entity.id}}", "z/e-1"),
    ],
)
def test_a_template_is_filled(template: str, path: str) -> None:
    text = as_hcl([stanza(template, "read")])
    assert acl(text, facts=FACTS).capabilities(path) == ("read",)
    assert acl(text).capabilities(path) == ("deny",)
    assert acl(text).capabilities(template) == ("deny",)


@pytest.mark.parametrize(
    "directive", ["identity.entity.name", "identity.entity.metadata", "identity.groups.names.x.id"]
)
def test_a_path_without_a_value_for_its_template_is_left_out(directive: str) -> None:
    text = as_hcl([stanza(f"a/{{{{{directive}}}}}*", "deny"), stanza("a/*", "read")])
    assert acl(text, facts=FACTS).capabilities("a/") == ("read",)


@pytest.mark.parametrize(("name", "sign"), [("star", "*"), ("plus", "+"), ("slash", "/")])
def test_a_value_that_would_change_the_path_denies_everything(name: str, sign: str) -> None:
    text = as_hcl([stanza(f"a/{{{{identity.entity.metadata.{name}}}}}", "deny"), stanza("a/*", "read")])
    with pytest.raises(InvalidArgument, match=f'forbidden value: "\\{sign}"'):
        acl(text, facts=FACTS)


def test_a_policy_may_allow_such_values() -> None:
    policy = read_policy(as_hcl([stanza("a/{{identity.entity.metadata.star}}", "read")]))
    named = NamedPolicy(name="p", policy=policy, allow_wildcards=True)
    assert compile_acl([named], now=NOW, facts=FACTS).capabilities("a/abc") == ("read",)
    policy = read_policy(as_hcl([stanza("a/{{identity.entity.metadata.plus}}*", "read")]))
    with pytest.raises(InvalidArgument, match="forbidden"):
        compile_acl([NamedPolicy(name="p", policy=policy, allow_wildcards=True)], now=NOW, facts=FACTS)


# --- what is built in


def test_the_default_policy_lets_a_token_look_after_itself() -> None:
    facts = {"identity.entity.id": "e-1", "identity.entity.name": "ada"}
    compiled = acl(DEFAULT_POLICY, facts=facts)
    for path, words in {
        "auth/token/lookup-self": "read",
        "auth/token/renew-self": "update",
        "auth/token/revoke-self": "update",
        "sys/capabilities-self": "update",
        "identity/entity/id/e-1": "read",
        "identity/entity/name/ada": "read",
        "identity/entity/name/bob": "deny",
        "sys/leases/renew": "update",
        "cubbyhole/a/b": "create delete list read update",
        "sys/wrapping/unwrap": "update",
        "sys/tools/hash/sha2-256": "update",
        "identity/oidc/provider/p/authorize": "read update",
        "auth/token/create": "deny",
        "secret/a": "deny",
    }.items():
        assert " ".join(compiled.capabilities(path)) == words, path


def test_the_token_of_a_wrapped_response_may_open_it_and_nothing_else() -> None:
    compiled = acl(RESPONSE_WRAPPING_POLICY)
    assert compiled.capabilities("cubbyhole/response") == ("create", "read")
    assert compiled.capabilities("sys/wrapping/unwrap") == ("update",)
    assert compiled.capabilities("cubbyhole/other") == ("deny",)


# --- the longest prefix


@given(st.sets(st.text("ab", max_size=5)), st.text("abc", max_size=6))
def test_the_longest_prefix_is_found(texts: set[str], text: str) -> None:
    prefixes = Prefixes({each: each for each in texts})
    assert prefixes.longest(text) == max((each for each in texts if text.startswith(each)), key=len, default=None)
    assert sorted(prefixes.beginning(text)) == sorted(each for each in texts if each.startswith(text))
