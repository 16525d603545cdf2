# ruff: noqa: E501 - a table
"""The security checklist: what the numbers in the names of tests mean (test_row_97_…), and where a row has no such test.

A row is a way in which servers like this one were broken, or a promise that they break. docs.build prints the page with
every test that is named after a row; tests/house/test_docs.py holds the table to the tests.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

GROUPS: Mapping[str, Mapping[int, str]] = {
    "Names": {
        1: "one canonicaliser, called once, at the edge; everything behind it takes ids",
        2: "Unicode normalization forms of one name",
        3: "case folding, with a dotless i, a sharp s and the Kelvin sign",
        4: "spaces before, behind and inside; no-break, zero-width, byte order and direction marks",
        5: "NUL, CR, LF, tab; percent encoding, once and twice",
        6: "//, /./, /../, a slash at the end",
        7: "a backslash as separator",
        8: "alias, id, ARN and path of one key give one decision",
        9: "a wildcard is a whole segment; deny wins at every depth",
        10: "policies that are called root, in any spelling",
        11: "lone surrogates",
        12: "names of no, one, most and one more letters",
        13: "a name that looks like one there is",
        14: "a name used again gets a new id, and old grants do not follow",
    },
    "Authentication": {
        15: "a user who is there and one who is not: same code, body and time",
        16: "wrong secret, disabled, locked: the same",
        17: "a lockout counts the canonical id",
        18: "secrets of more than 72 bytes are looked at whole",
        19: "a one-time password is six digits and counts once",
        20: "tokens are found by a digest, never compared as text",
        21: "a second before the end, at it, after it",
        22: "renewed with another certificate or key",
        23: "a leaf certificate as anchor is pinned by itself, not by serial number or issuer",
        24: "name constraints, key usage, revocation, a stale list of revocations",
        25: "JSON web tokens: alg, kid, aud, iss, times, duplicates, crit, bombs",
        26: "issuer and key belong together",
        27: "SigV4: body, headers, path, skew, Region and service, presigned, session token",
        28: "STS as an identity: fixed host, no redirects, bound to the request",
        29: "Kubernetes tokens: audience, and the account's uid",
        30: "OpenID Connect: state, nonce, PKCE, exact redirect",
        31: "a wrapped answer opens once",
        32: "rekeying, a root token, unsealing: a credential each, and nobody else cancels",
        33: "credentials in a query are refused, and not on record",
        34: "a secret ID belongs to the role that destroys it",
    },
    "Authorization and tenants": {
        35: "default deny at every route",
        36: "every handle is of the caller's tenant",
        37: "nothing in a request sets a field of the decision",
        38: "lists and batches are filtered as a single get",
        39: "deny beats allow, over groups and wildcards",
        40: "no grant exceeds the granter",
        41: "one principal at several doors is no deputy to itself",
        42: "a key policy that locks out is found before it is accepted",
        43: "re-encryption needs both rights",
        44: "an alias moves with rights on the old key and the new",
        45: "revoked while a request is under way",
        46: "revoked everywhere before it is acknowledged",
        47: "a tenant deleted leaves no row and nothing that opens",
        48: "a policy replayed over past uses",
    },
    "Parsers and limits": {
        49: "the size of a body, before it is read",
        50: "depth, nodes and length of strings of JSON, counted before",
        51: "duplicate keys",
        52: "NaN, Infinity, 1e999",
        53: "integers of 64 bits",
        54: "strict UTF-8",
        55: "Content-Encoding",
        56: "TTLV of KMIP",
        57: "base64: one rule a door",
        58: "heads: count, size, folding, smuggling, two hosts",
        59: "slow heads and bodies; idle connections slow nobody",
        60: "patterns take linear time",
        61: "XML",
        62: "ASN.1 bombs, hostile keys, points off the curve",
        63: "Argon2's parameters never come from the input",
        64: "a page token forged, or another's",
        65: "rates by principal and by source",
        66: "what whoever is nobody may cost",
    },
    "Logs": {
        67: "a canary in every part of a request turns up nowhere",
        68: "bytes and text are hidden alike",
        69: "a record has listed fields, and a new one is hidden",
        70: "an unknown header is not on record",
        71: "no line feed, no escape sequence gets in",
        72: "the path of an audit file is not the API's to choose; mode 0600",
        73: "a full disk: uses are refused, and resume by themselves",
        74: "a sink that hangs hangs no request",
        75: "every route is on record, failures and unsealing too",
        76: "the record comes before the answer",
        77: "escapes of CEF and OCSF",
        78: "clocks that step back: order is by index",
    },
    "Cryptography": {
        79: "Wycheproof for every exposed algorithm",
        80: "known answers of RFC 5649",
        81: "no PKCS#1 v1.5 decryption oracle",
        82: "ECDSA with little entropy",
        83: "no nonce of a caller's, unless the protocol asks for one",
        84: "a salt with a stuck generator",
        85: "children share no generator",
        86: "2^32 messages a key, where its cipher has that bound",
        87: "commitment before decryption",
        88: "two contexts are never one",
        89: "one error for all that does not decrypt",
        90: "a key does what it is for",
        91: "weak and duplicate keys are not imported",
        92: "what may not leave does not",
        93: "MACs: constant time, no shorter ones",
        94: "Shamir without tables; no share twice",
        95: "known answers at the start, or none",
        96: "an algorithm after its last day",
    },
    "Lifecycle": {
        97: "destroyed for old media, too",
        98: "schedule and cancel race at the deadline",
        99: "a key that was used lately is kept",
        100: "disabled is not destroyed",
        101: "rotation under load fails no decryption",
        102: "old versions decrypt until they are destroyed",
        103: "a rotation that fails at any step leaves the key whole",
        104: "leases of databases that are down",
        105: "renewed certificates are seen to answer",
        106: "notices of expiry, once each",
        107: "a clock that leaps ten years destroys nothing",
        108: "a restored backup brings back no access",
        109: "undelete of every kind",
        110: "what is imported comes out byte for byte",
    },
    "Storage": {
        111: "power loss",
        112: "kill -9",
        113: "a disk that fails at any operation",
        114: "bytes that rot",
        115: "two servers on one database",
        116: "a log missing, or another's",
        117: "a migration killed at each statement",
        118: "PostgreSQL: primary killed, partitions",
        119: "replicas behind",
        120: "a slot lost, old or another's",
        121: "modes whatever the umask, looked at at the start",
        122: "backups while it writes; a restore drill",
        123: "nodes with other clocks",
        124: "one leader",
    },
    "Outbound": {
        125: "addresses that are not public; rebinding",
        126: "SQL by the driver's quoting alone",
        127: "filters of LDAP",
        128: "SSH certificates name their principals",
        129: "no shell",
        130: "templates hold no code",
        131: "answers are bounded in size and time",
        132: "TLS 1.2 and verified, always",
    },
}
ROWS: Mapping[int, str] = {number: words for rows in GROUPS.values() for number, words in rows.items()}

_ONE_NODE = "One server, one database of its own: there is no other node, and no PostgreSQL."
_NO_SUCH_DOOR = "There is no such door."
ELSEWHERE: Mapping[int, str] = {
    1: "[four ways to write a key](tests/doors/aws_kms/test_names.py#test_the_four_ways_to_write_a_key), "
    "[a path and a header](tests/doors/vault/test_namespaces.py#test_a_path_and_a_header_lead_to_the_same_place)",
    17: "[of Vault's users](tests/doors/vault/test_sys_more.py#test_somebody_who_is_locked_out_is_let_in_again)",
    22: "[renewed with its key](tests/doors/vault/test_logins_cert.py#test_a_token_is_renewed_with_the_key_it_was_got_with)",
    23: "[one certificate](tests/doors/vault/test_logins_cert.py#test_a_role_may_be_one_certificate), "
    "[another of the same name](tests/service/test_client_chains.py#test_another_authority_of_the_same_name)",
    24: "[chains](tests/service/test_client_chains.py#test_names_that_an_authority_may_not_vouch_for), "
    "[revoked](tests/doors/vault/test_logins_crls.py#test_a_certificate_that_is_revoked_logs_nobody_in)",
    28: "Nobody logs in by AWS's STS.",
    29: "[audience](tests/doors/vault/test_logins_kubernetes.py#test_an_audience_that_the_role_asks), "
    "[uid](tests/doors/vault/test_logins_kubernetes.py#test_an_account_without_a_uid_is_nobody)",
    30: "[a state comes back once](tests/doors/vault/test_logins_oidc.py#test_a_state_comes_back_once), "
    "[exact](tests/doors/vault/test_logins_oidc.py#test_nobody_is_sent_elsewhere)",
    31: "[once](tests/service/test_wrapping.py#test_the_token_opens_it_once)",
    34: "[looked up and destroyed](tests/doors/vault/test_logins.py#test_secret_ids_are_looked_up_listed_destroyed)",
    48: "Not offered.",
    56: _NO_SUCH_DOOR,
    72: "[paths](tests/doors/vault/test_sys_audit.py#test_a_path_outside_of_what_the_operator_allows), "
    "[modes](tests/contract/test_disk.py#test_modes)",
    74: "[it falls behind](tests/cli/test_devices.py#test_one_that_nobody_answers_for_falls_behind_and_holds_up_no_other)",
    77: "Records are JSON, in no other form but CloudTrail's.",
    83: "No request of AWS's has one; [in a token they are drawn](tests/cryptoki/test_pkcs11.py#test_ivs_are_never_alike)",
    86: "[counted over all processes](tests/cryptoki/test_pkcs11.py#test_messages_are_counted_over_all_processes_and_restarts); "
    "in software each message has a key of its own",
    92: "[never exportable](tests/service/test_terms.py#test_a_key_that_was_not_made_for_it_is_never_exportable)",
    104: "No credentials of databases are made.",
    105: "No certificates are issued.",
    106: "No certificates are issued.",
    118: _ONE_NODE,
    119: _ONE_NODE,
    123: _ONE_NODE,
    124: _ONE_NODE,
    126: "No database but our own is spoken to; [it is held to a model](tests/contract/test_store.py#test_a_store_behaves_like_the_model)",
    127: _NO_SUCH_DOOR,
    128: _NO_SUCH_DOOR,
    129: "No shell is started: held by the linter (bandit's rules S602 to S607).",
    130: "[a value, and no more](tests/doors/vault/test_identity_oidc.py#test_what_is_said_of_somebody_is_a_value_and_no_more)",
}
"""Of rows without a test named after them: where they are shown, or why they are not."""

_NAMED = re.compile(r"^(?:async )?def (test_rows?_((?:\d+_)(?:to_\d+_|\d+_)*)\w*)\(", re.MULTILINE)


def _numbers(text: str) -> set[int]:
    """ "02_to_07_" and "55_58_" """
    parts = text.strip("_").split("_")
    if "to" in parts:
        first, last = int(parts[0]), int(parts[parts.index("to") + 1])
        return set(range(first, last + 1))
    return {int(part) for part in parts}


def named(tests: Path) -> dict[int, list[str]]:
    """Row -> "path::test" of every test that is named after it."""
    found: dict[int, list[str]] = {}
    for path in sorted(tests.rglob("test_*.py")):
        for name, numbers in _NAMED.findall(path.read_text()):
            for row in _numbers(numbers):
                found.setdefault(row, []).append(f"{path.relative_to(tests.parent)}::{name}")
    return found
