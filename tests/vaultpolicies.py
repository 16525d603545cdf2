# ruff: noqa: E501 - tables
"""Vault policies as text, from what they are to say."""

import json
from datetime import UTC, datetime
from typing import Any

from keystead.core.policy.vault import Acl, NamedPolicy, compile_acl, read_policy

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)

Stanza = tuple[str, dict[str, Any]]


def stanza(path: str, *capabilities: str, **fields: Any) -> Stanza:
    """`path`, and what stands in it."""
    return path, {**({"capabilities": list(capabilities)} if capabilities else {}), **fields}


def _hcl(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + " ".join(f"{json.dumps(name)} = {_hcl(each)}" for name, each in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(map(_hcl, value)) + "]"
    return json.dumps(value, ensure_ascii=False)


def as_hcl(stanzas: list[Stanza]) -> str:
    """With a comment of each kind."""
    lines = ["# first", "/* and", "more */"]
    for path, fields in stanzas:
        lines += [f"path {_hcl(path)} {{ // one"]
        lines += [f"  {name} = {_hcl(value)}" for name, value in fields.items()]
        lines += ["}"]
    return "\n".join(lines) + "\n"


def as_json(stanzas: list[Stanza]) -> str:
    return json.dumps({"path": [{path: fields} for path, fields in stanzas]})


def acl(*texts: str, now: datetime = NOW, facts: dict[str, str] | None = None) -> Acl:
    """Of policies p0, p1 …"""
    policies = [NamedPolicy(name=f"p{n}", policy=read_policy(text)) for n, text in enumerate(texts)]
    return compile_acl(policies, now=now, facts=facts or {})


# --- rows, decided by us in tests/core and by a real OpenBao in tests/cross

R, U, L, D, S = "read", "update", "list", "deny", "sudo"
SELECTION: tuple[tuple[str, list[list[Stanza]], str, str], ...] = (
    # what it is about, policies, path, capabilities
    ("nothing is allowed by itself", [[]], "a", D),
    ("exact", [[stanza("a/b", R)]], "a/b", R),
    ("exact is exact", [[stanza("a/b", R)]], "a/b/", R),  # sys/capabilities asks as a list does
    ("exact is exact", [[stanza("a/b", R)]], "a/bc", D),
    ("exact is exact", [[stanza("a/b/", R)]], "a/b", D),
    ("a leading slash is none", [[stanza("/a/b", R)]], "a/b", R),
    ("a second leading slash stays", [[stanza("//a", R)]], "a", D),
    ("leading slashes of a request are none", [[stanza("a", R)]], "//a", R),
    ("case counts", [[stanza("A", R)]], "a", D),
    ("prefix", [[stanza("a/*", R)]], "a/b/c", R),
    ("prefix, nothing more", [[stanza("a/*", R)]], "a/", R),
    ("prefix, not even the slash", [[stanza("a/*", R)]], "a", D),
    ("prefix inside a segment", [[stanza("a/b*", R)]], "a/bc/d", R),
    ("everything", [[stanza("*", R)]], "a/b", R),
    ("a star is itself elsewhere", [[stanza("a*b", R)]], "axb", D),
    ("a star is itself elsewhere", [[stanza("a*b", R)]], "a*b", R),
    ("the last star alone counts", [[stanza("a**", R)]], "a*x", R),
    ("a segment", [[stanza("a/+/c", R)]], "a/b/c", R),
    ("a segment, not two", [[stanza("a/+/c", R)]], "a/b/b/c", D),
    ("a segment may be empty", [[stanza("a/+", R)]], "a/", R),
    ("a segment must be there", [[stanza("a/+/c", R)]], "a/c", D),
    ("the first segment", [[stanza("+/b", R)]], "a/b", R),
    ("one segment alone", [[stanza("+", R)]], "a", R),
    ("a plus in a segment is itself", [[stanza("a/+b", R)]], "a/xb", D),
    ("a plus in a segment is itself", [[stanza("a/+b", R)]], "a/+b", R),
    ("a plus in a segment is itself", [[stanza("a+", R)]], "ab", D),
    ("a segment and a prefix", [[stanza("a/+/c*", R)]], "a/b/cd/e", R),
    ("a segment and a prefix", [[stanza("a/+/*", R)]], "a/b", D),
    ("a segment and a prefix", [[stanza("a/+/*", R)]], "a/b/", R),
    # one rule decides
    ("exact before prefix", [[stanza("a/b", R), stanza("a/*", U)]], "a/b", R),
    ("exact before segment", [[stanza("a/b", R), stanza("a/+", U)]], "a/b", R),
    ("the longer prefix", [[stanza("a/*", U), stanza("a/b*", R)]], "a/bc", R),
    ("an allow below a deny", [[stanza("a/*", D), stanza("a/b/*", R)]], "a/b/c", R),
    ("a deny below an allow", [[stanza("a/*", R), stanza("a/b/*", D)]], "a/b/c", D),
    ("policies do not add up across paths", [[stanza("a/*", U)], [stanza("a/b", R)]], "a/b", R),
    ("an empty rule hides a wider one", [[stanza("a/*", R), stanza("a/b", capabilities=[])]], "a/b", D),
    ("prefix before segment: its wildcard is later", [[stanza("a/+", U), stanza("a/b*", R)]], "a/b", R),
    ("the later wildcard", [[stanza("a/+/c/d", U), stanza("a/b/+/d", R)]], "a/b/c/d", R),
    ("whole before prefix", [[stanza("a/+/c*", U), stanza("a/+/+", R)]], "a/b/c", R),
    ("a segment before a prefix at the same place", [[stanza("a/*", U), stanza("a/+", R)]], "a/b", R),
    ("fewer segments", [[stanza("a/+/+/d", U), stanza("a/+/c/+", U), stanza("a/+/c/d", R)]], "a/b/c/d", R),
    ("longer", [[stanza("+/b/+/c", U), stanza("+/+/ab/c", R)]], "a/b/ab/c", R),
    ("longer prefix", [[stanza("a/+/c*", U), stanza("a/+/cd*", R)]], "a/b/cde", R),
    ("longer in bytes", [[stanza("+/+/cc", U), stanza("+/é/+", R)]], "a/é/cc", R),
    ("longer in bytes", [[stanza("+/+/ccc", R), stanza("+/é/+", U)]], "a/é/ccc", R),
    ("fewer segments, though shorter", [[stanza("+/+/c", U), stanza("+//c", R)]], "a//c", R),
    ("later in the alphabet", [[stanza("+/+/abc*", U), stanza("+/ab/+/*", R)]], "q/ab/abcd/e", R),
    ("later in the alphabet", [[stanza("+/b/+", R), stanza("+/+/c", U)]], "a/b/c", R),
    ("a place is in bytes", [[stanza("éé/+", R), stanza("éé*", U)]], "éé/b", R),
    ("a segment that begins with a plus", [[stanza("+x/+/c", R), stanza("+/b/c", U)]], "+x/b/c", R),
    # a list's path
    ("a list without its slash", [[stanza("a/b", L)]], "a/b/", L),
    ("with its slash first", [[stanza("a/b", U), stanza("a/b/", L)]], "a/b/", L),
    ("exact without the slash before others with it", [[stanza("a/b", L), stanza("a/b/*", U)]], "a/b/", L),
    ("others without the slash last", [[stanza("a/+", L)]], "a/b/", L),
    ("others with the slash first", [[stanza("a/+", U), stanza("a/b/*", L)]], "a/b/", L),
    ("a deny of segments is of what has no slash", [[stanza("a/*", L), stanza("a/+", D)]], "a/b/", L),
    ("and of what is read", [[stanza("a/*", L), stanza("a/+", D)]], "a/b", D),
    ("a deny of segments with the slash", [[stanza("a/*", L), stanza("a/+/", D)]], "a/b/", D),
    ("a deny of what lies below", [[stanza("a/*", L), stanza("a/b/*", D)]], "a/b/", D),
    ("a deny of what lies below any", [[stanza("a/*", L), stanza("a/+/*", D)]], "a/b/", L),
    ("a deny of the folder", [[stanza("a/*", L), stanza("a/b", D)]], "a/b/", D),
    ("a deny of what begins so", [[stanza("a/*", L), stanza("a/b*", D)]], "a/b/", D),
    # the same path said twice
    ("capabilities add up", [[stanza("a", R)], [stanza("a", U)]], "a", "read update"),
    ("in one policy too", [[stanza("a", R), stanza("/a", U)]], "a", "read update"),
    ("deny silences", [[stanza("a", R)], [stanza("a", D)]], "a", D),
    ("deny silences what comes later", [[stanza("a", D)], [stanza("a", R)]], "a", D),
    ("deny silences in its own list", [[stanza("a", R, D, U)]], "a", D),
    ("prefix and exact are two paths", [[stanza("a", D)], [stanza("a*", R)]], "ab", R),
    # words
    ("all of them", [[stanza("a", "scan", "patch", S, L, "delete", U, R, "create")]], "a",
     "create delete list patch read scan sudo update"),
    ("old words", [[stanza("a", policy="read")]], "a", "list read"),
    ("old words", [[stanza("a", policy="write")]], "a", "create delete list read update"),
    ("old words", [[stanza("a", policy="sudo")]], "a", "create delete list read sudo update"),
    ("old words", [[stanza("a", R, policy="deny")]], "a", D),
    ("old and new", [[stanza("a", "patch", policy="read")]], "a", "list patch read"),
)  # fmt: skip

REACHES: tuple[tuple[str, str, bool], ...] = (
    # what may be read, what is denied, and whether the mount x/kv/ may be known
    ("x/kv/a", "", True),
    ("x/kv", "", True),
    ("x/kv/", "", True),
    ("x/kvs", "", False),
    ("x/kv/a*", "", True),
    ("x*", "", True),
    ("x/k*", "", True),
    ("x/kv/a/+", "", True),
    ("x/+/a", "", True),
    ("+/kv/a", "", True),
    ("+/other/a", "", False),
    ("+/k*", "", True),
    ("+/kvs*", "", False),
    ("+/o*", "", False),
    ("+/+", "", True),
    ("+", "", False),
    ("y/+/a", "", False),
    ("+/k*", "x/kv/*", True),
    ("+/o*", "x/kv/*", False),
    ("+/kv*", "x/kv/*", True),
    ("+/kvs*", "x/kv/*", False),
    ("+/kv/a", "x/kv/*", True),
    ("x/kv/a", "x/kv/*", True),
    ("x/kv/a*", "x/kv/*", True),
)

# --- what is refused, and in which words; what OpenBao takes and we do not; what both take

REFUSED: dict[str, str] = {
    'path "a" { capabilities = ["read"] } bogus = 1': '1 error occurred:\n\t* invalid key "bogus" on line 1\n\n',
    'path "a" { capabilities = ["read"]\n foo = 1\n bar = { x = 1 } }': 'path "a": 2 errors occurred:\n\t* invalid key "foo" on line 2\n\t* invalid key "bar" on line 3\n\n',
    'path "a" { capabilities = ["frob"] }': 'path "a": path "a": invalid capability "frob"',
    'path "a" { capabilities = ["READ"] }': 'path "a": path "a": invalid capability "READ"',
    'path "a" { capabilities = ["subscribe"] }': 'path "a": path "a": invalid capability "subscribe"',
    'path "a" { policy = "frob" }': 'path "a": path "a": invalid policy "frob"',
    'path "a+*" { capabilities = ["read"] }': 'path "a+*": path "a+*": invalid use of wildcards (\'+*\' is forbidden)',
    'path "a" { capabilities = "read" }': 'path "a": path "a": At 1:27: unknown slice type: *ast.LiteralType',
    'path "a" { capabilities = read }': "At 1:27: Unknown token: 1:27 IDENT read",
    'path "a" {\n  capabilities = [1, 2.5] }': 'path "a": path "a": At 2:22: root.Capabilities[1]: unknown type for string *ast.LiteralType',
    'path = "foo"': 'path "path": cannot check HCL keys of type *ast.LiteralType',
    'path "a" { allowed_parameters = { x = [] z = "q" } }': 'path "a": path "a": At 1:46: unknown slice type: *ast.LiteralType',
    'path "a" { allowed_parameters = "x" }': 'path "a": path "a": At 1:33: root.allowed_parameters: not an object type for map (*ast.LiteralType)',
    'path "a" { allowed_parameters = { x y = 1 } }': "At 1:39: nested object expected: LBRACE got: ASSIGN",
    'path "a" { required_parameters = "x" }': 'path "a": path "a": At 1:34: unknown slice type: *ast.LiteralType',
    'path "a" { min_wrapping_ttl = "x" }': 'path "a": error parsing min_wrapping_ttl: time: invalid duration "x"',
    'path "a" { min_wrapping_ttl = "5y" }': 'path "a": error parsing min_wrapping_ttl: time: unknown unit "y" in duration "5y"',
    'path "a" { min_wrapping_ttl = "5.5" }': 'path "a": error parsing min_wrapping_ttl: time: missing unit in duration "5.5"',
    'path "a" { max_wrapping_ttl = true }': 'path "a": error parsing max_wrapping_ttl: could not parse duration from input',
    'path "a" { min_wrapping_ttl = 5 max_wrapping_ttl = "3s" }': 'path "a": max_wrapping_ttl cannot be less than min_wrapping_ttl',
    'path "a" { min_wrapping_ttl = "1d" max_wrapping_ttl = "1h30m" }': 'path "a": max_wrapping_ttl cannot be less than min_wrapping_ttl',
    'path "a" { min_wrapping_ttl = 1.5 max_wrapping_ttl = -5 }': 'path "a": max_wrapping_ttl cannot be less than min_wrapping_ttl',
    'path "a" { pagination_limit = "x" }': 'path "a": path "a": strconv.ParseInt: parsing "x": invalid syntax',
    'path "a" { expiration = "whenever" }': 'path "a": path "a": invalid expiration time: could not parse string as date and time',
    'path "a/{{x" { capabilities = ["list"] }': 'path "a/{{x": failed to validate policy templating: unbalanced templating characters',
    'path "a/x}}" { capabilities = ["list"] }': 'path "a/x}}": failed to validate policy templating: unbalanced templating characters',
    'path "a" { capabilities = ["read" }': "At 1:35: error parsing list, expected comma or list end, got: RBRACE",
    'path "a" { capabilities = ["read" "list"] }': "At 1:35: error parsing list, expected comma or list end, got: STRING",
    'path "a { capabilities = ["read"] }': "At 1:36: literal not terminated",
    'path "a" { capabilities = ["read"] } /* open': "At 1:45: comment not terminated",
    'path "a" { capabilities = ["read"] } }': "At 1:38: expected: IDENT | STRING | ASSIGN | LBRACE got: RBRACE",
    'path "a" = { capabilities = ["read"] }': "At 1:10: nested object expected: LBRACE got: ASSIGN",
    'path "a" { comment = "\\q" }': "At 1:24: illegal char escape",
    "name = [1]": "At 1:8: root.name: unknown type for string *ast.ListType",
    '{"path": {"a": {"capabilities": ["read"], "bogus": 1}}}': 'path "a": 1 error occurred:\n\t* invalid key "bogus" on line 1\n\n',
    '{"path": {"a": {"capabilities": ["read"]}}, "bogus": 1}': '1 error occurred:\n\t* invalid key "bogus" on line 1\n\n',
}
FACTOR = 'factor "f" { controlled_capabilities = ["read"] identity { group_names = ["g"] approvals = 1 } }'
REFUSED_BY_US = {
    'path "a" "b" { capabilities = ["read"] }': "a path has one name",  # OpenBao overlooks the second
    'path { capabilities = ["read"] }': "a path has one name",  # OpenBao takes it for the path "path"
    '{"path": {"a": {"capabilities": ["read"]}}': "got: EOF",  # not JSON
    '{"path": {"a": {"capabilities": ["read"]}}} and more': "illegal char",
    'path "a" { mfa_methods = ["x"] }': "multi-factor authentication per path is not offered",
    f'path "a" {{ control_group = {{ {FACTOR} }} }}': "control groups are not offered",
    'path "a" { capabilities = ["list"] list_scan_response_keys_filter_path = "{{.key}}" }': "is not offered",
    'path "a/{{time.now}}" { capabilities = ["read"] }': "cannot depend on the time",
}

ACCEPTED = (
    "",
    "# nothing\n",
    "{}",
    'name = "x" path "a" { capabilities = ["read"] }',
    'path a { capabilities = ["read"] }',
    'path "a" { capabilities = ["read"] capabilities = ["list"] }',
    'path "a" { capabilities = [,"read",,], comment = [5] }',
    'path "a" { "capabilities" = ["read"] }',
    'path "\\u0061" { capabilities = ["\\x72\\145ad"] }',
    'path "a" { capabilities = ["deny", "frob"] }',
    'path "a" { policy = "deny" capabilities = ["frob"] }',
    'path "a" { policy = "read" capabilities = ["update"] }',
    'path "a" { capabilities = ["read"] expiration = "2020-01-01T00:00:00Z" }',
    'path "a" { capabilities = ["read"] expiration = "2120-01-01T00:00:00.5+01:00" }',
    'path "a" { capabilities = ["read"] pagination_limit = "5" max_wrapping_ttl = "-5" }',
    'path "a" { capabilities = ["read"] min_wrapping_ttl = "1h5.5m.5s" }',
    'path "a" { capabilities = ["read"] allowed_parameters { x = [{a = 1}, [1, 0x1f, 017, 1.5e3]] y { b = 2 } } }',
    'path "a" { capabilities = ["read"] comment = <<END\nread\n  END\n}',
    'path "a" { capabilities = ["read"] comment = <<-END\n    read\n    END\n}\r\n',
    'path "a${b"\n}" { capabilities = ["read"] }',
    '{"path": {"a": {"capabilities": ["read"]}, "b": {"capabilities": ["list"]}}}',
    '{"path": [{"a": {"capabilities": ["read"]}}, {"b": {"capabilities": ["list"]}}]}',
    '{"path": {"a": {}, "b": {"allowed_parameters": {}}}, "name": "x"}',
)
