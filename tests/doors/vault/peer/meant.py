# ruff: noqa: E501 - tables
"""The one table of meant differences between this door and OpenBao 2.7.2: what, and why.

A row is met by a request's line and both answers, each a text `status members`. A row that nothing meets fails the test.
"""

from __future__ import annotations

import json
import re
from typing import Any

from msgspec import Struct
from tests.doors.vault.peer.ask import Ask

ANY = ""


class Meant(Struct, frozen=True):
    """Regular expressions, searched for."""

    line: str
    ours: str
    theirs: str
    why: str
    now_and_then: bool = False  # it hangs on how fast a server was


def text_of(answer: tuple[int, Any]) -> str:
    """An answer as the rows see it."""
    status, said = answer
    if isinstance(said, dict) and "errors" in said:
        said = "".join(said["errors"])
    return f"{status} {said if isinstance(said, str) else json.dumps(said, ensure_ascii=False)}"


def reason(
    one: Ask, ours: tuple[int, Any], theirs: tuple[int, Any], rows: tuple[Meant, ...] | None = None
) -> Meant | None:
    """The first row that is met; of MEANT, where none are given."""
    mine, other = text_of(ours), text_of(theirs)
    for row in MEANT if rows is None else rows:
        patterns = ((row.line, one.line), (row.ours, mine), (row.theirs, other))
        if all(re.search(pattern, text, re.DOTALL) for pattern, text in patterns):
            return row
    return None


U = "unsupported "
MEANT = (
    # what is read
    Meant(ANY, r"^400 failed to decode JSON input: not (JSON|UTF-8)$", r"^400 failed to decode JSON input: ",
          "what is wrong with JSON is not told by its characters (docs/adr/0019)"),
    Meant(ANY, r"cannot unmarshal number into", r"cannot unmarshal number \S+ into", "nor which number it was"),
    Meant(ANY, r"got unconvertible type '\S+ .*'$", r"value: '", "an item of a wrong type is not said back"),
    Meant(r'"(token|lease_id)":[^"]', ANY, r"^(403 invalid token|400 invalid lease ID|500 .*no token found)",
          "a number is taken for a text here too, and a list is refused in the words that it is everywhere"),
    Meant(r'wrapping/\w+ \{"token":(5|\["x"\])\}$', "^400 ", "^403 .*could not decode token in request body",
          "the token of the request is looked at first, and is none that wraps"),
    Meant(r'userpass/login/u0 \{"password":\["pw"\]\}', "^400 Field validation", "^500 Field validation",
          "a password of a wrong type is no error of the server"),
    Meant("many2000", "^204", "^400 refused JSON input due to high complexity", "the bounds on JSON are our own (docs/adr/0019)"),
    Meant(r"^PATCH (sys|kv)/", f"^405 .*{U}operation", r"^(415 PATCH requires|400 mime: no media type)",
          "that nothing is patched there is said before its type is looked at"),
    Meant(r"help=1", "^200 .*Matching Route", "^200 .*Matching Route", "each has words of its own for what a path is (SPEC.md)"),
    # where it leads
    Meant(r"^\w+ sys$", f"^404 .*{U}path", "^307", "no redirect to a path that there is not"),
    Meant(r"^\w+ (\.\./kv/a|kv/\.\.)$", "^400 relative paths", "^307", "never a redirect to what is not below /v1/"),
    Meant(r"^GET \S*(\.|//)", "^307 null", "^307 a text", "a redirect has no page for a browser"),
    Meant(r"^POST cubbyhole$", "missing path", "missing data fields", "of two things that are wrong the other is told"),
    Meant(r"two/metadata/odd .*merge-patch", "^404", "^204",
          "what is not there is not patched, whatever the patch has"),
    Meant(r"^LIST sys/policies/acl/(n0|odd)", f"^405 .*{U}operation", "^404 $", "policies in folders are OpenBao's own"),
    Meant(r"login.* by nobody$", "^403 permission denied", rf"^40[45] {U}(path|operation)$",
          "who has no token is not told what there is"),
    Meant(r"^(GET|DELETE) auth/approle/login", "^40[35]", "^500 missing role_id", "only a write logs in"),
    Meant(r"^GET sys/wrapping/unwrap$", f"^405 .*{U}operation", "^400 wrapping token", "there is no reading there"),
    Meant(r"^GET auth/token/accessors by own", "^405", "^403", "who may read there is told that nobody can"),
    Meant(r"^\w+ auth/(token/roles|userpass/users|approle/role)/(a%20b|a@b|%C3%A9|-)( |$)", "^(204|404 $)", f"^404 .*{U}path",
          "a name may have any character there"),
    Meant(r"(users|role)/?(\?list=(true|1))?$", r'"a b"', r'"mixed"', "so there are more of them"),
    # sys
    Meant(r"sys/mounts/sys/tune", "^200 ", "passthrough_request_headers", "headers are not passed on to engines"),
    Meant(r"sys/mounts/(a%20b|%C3%A9) ", "^400 a mount's path has letters", "^204", "a mount's path is an address (docs/adr/0017)"),
    Meant(r'tune \{"default_lease_ttl":"-1"\}', "^400 cannot provide negative", "^204", "no negative times"),
    Meant(r'tune \{"options":\{"version":"2"\}\}', "^204", "Upgrading mount from version 0", "there is nothing to wait for"),
    Meant(r"response-wrapping$", "cubbyhole/response", "revoke-self", "the policy's text is Vault's"),
    Meant(r"not a policy", "At 1:15", "At 1:16", "the column of an end of file (docs/adr/0018)"),
    Meant(r"random/(-1|\+8|9{20}) ", "^400 .*(invalid syntax|cannot be less than 1)", "^(200|400 .*out of range)", "the path names a number, or it does not"),
    Meant(r"seal-status", '"version": "1.17.6"', '"version": "2.7.2"', "each says who it is"),
    # tokens
    Meant(r'"meta":\{\}', '"metadata": null', '"metadata": {}', "no metadata are none"),
    Meant(r'"ttl":"0.5s"', '"lease_duration": 10', '"lease_duration": 0', "tokens last whole seconds, rounded up"),
    Meant(r'"id":', r'"warnings": null', "uses the weaker SHA1 hashing", "a token's own id is kept under SHA-256 (SPEC.md)"),
    Meant(r'"id":"b.abc"', "'b.' prefix", r"'\.' in the value", "of two things that are wrong the other is told"),
    Meant(r"renew-self", "^400 lease is not renewable", "^400 invalid lease ID", "a root token is a token too"),
    Meant(r"auth/token/renew.* (by last|\{.*last)", '"num_uses": 1', '"num_uses": 2', "so many uses are left, not were given"),
    Meant(r"renew-accessor", "^400 lease is not renewable", "^400 .*invalid request", "the same words as by its text"),
    Meant(r"token/tidy$", "^202", "already in progress", "it is done when it is answered", now_and_then=True),
    Meant(r"revoke-orphan .* by t1", "^403 .*permission denied", "^400 root or sudo", "the path needs sudo, as Vault's does"),
    Meant(r"roles/(r12|r13|r17|r20)$", "^200 ", "^200 ", "a value is shown under both its names, or the newer, whichever it was given by"),
    Meant(r'create/r22 \{"policies":', r'"policies": \["app"\]', r'"policies": \["app", "default"\]',
          "a role without the default policy makes no token with it"),
    Meant(r"renew-self \{\} by (u|at|rt)$", "^400 failed to renew entry: ", "^(500 .*failed to renew entry: |204 null$)",
          "who lets in is gone, or gives other policies: no error of the server, nor nothing"),
    # transit
    Meant(r"^POST transit/keys/[ep] ", "^200 ", "^200 ", "each makes a key of its own"),
    Meant(r"sign/b ", "^(400|500|200) ", "^400 key type aes256-gcm96 does not support signing", "of two things that are wrong the other is told"),
    Meant(r"^POST transit/(hmac|sign|verify|rewrap|decrypt)", "^500 .*failed to parse batch input", "^400 (signing|encryption) key not found", "of two things that are wrong the other is told"),
    Meant(r"external-key", "^400 unknown key type external-key", "^400 ", "external keys are not offered (transit/SPEC.md)"),
    Meant(r'derive-key/d \{"peer_public_key":"x"(,"base_key_name":"")?\}', "^400 specified base key not found", "^500 ", "a request without a name is no error of the server"),
    # userpass, approle
    Meant(r"x{73}", "^204", "^500 .*bcrypt", "Argon2id has no such bound"),
    Meant(r'"password_hash":("x"|5)', "^400 password_hash is not offered", "^400 password_hash is not a valid bcrypt hash",
          "passwords are kept under Argon2id, and bcrypt is none of it (SPEC.md)"),
    Meant(r"^GET auth/userpass/users/u6$", "^200", "^404", "so that user is there"),
    Meant(r"^GET auth/\S+/((u7|u8|u9|u20|u28|r2|r3|r18)|r2/(policies|period))$", "^200 .*token_", "^200 ",
          "options are shown under their newer names alone, names of policies in lower case; bound-cidr-list is left out"),
    Meant(r"^GET auth/approle/role/r6$", "127.0.0.1/32", '"127.0.0.1"', "a network is shown as it was given"),
    Meant(r'cidrs?(_list)?":', "^400 .*(invalid CIDR|verify subset)|^400 error parsing address", "^[45]00 .*(invalid CIDR|verify subset|error parsing)", "a request that is wrong is no error of the server: 400"),
    Meant(r'"token_max_ttl":"9999h"', "^204", "greater than the backend mount's maximum", "the bound is told to who logs in"),
    Meant(r"bind-secret-id", ANY, f"^404 .*{U}path", "Vault has this path"),
    Meant(r"bound-cidr-list", f"^404 .*{U}path", ANY, "left out: deprecated since Vault 0.10"),
    Meant(r"^POST auth/approle/role/none/", "^404 $", f"^404 .*{U}path", "a role that is not there is not there"),
    Meant(r'role-id \{"role_id":"\{r3\}"\}', "^400 role_id is already in use", "^500 .*role_id already in use", "no error of the server"),
    Meant(r"secret-id-accessor/lookup ", "^404 failed to find accessor", '^404 .*"error"', "an error is told as one (SPEC.md)"),
    Meant(r"role/r2/secret-id-accessor/destroy", "^500 .*failed to find accessor", "^403 invalid secret id accessor",
          "that another role has it is not told"),
    Meant(r"^DELETE auth/approle/role/s/secret-id/destroy", "^405", "^400 missing secret_id", "as Vault's documentation: by POST"),
)  # fmt: skip
