"""Keystead's own operations at an AWS door, asked from anywhere with the credentials of AWS's variables.

    AWS_ENDPOINT_URL_KMS, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN, AWS_REGION

As `keystead env aws` prints them, and as every client of AWS's reads them. Signed with SigV4 for the service "kms".
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Any
from urllib.parse import urlsplit

import msgspec

from keystead.core.errors import Denied, InvalidArgument, KeysteadError, NotFound, Unavailable, WrongState
from keystead.wire.aws import sigv4

OWN, SERVICE = "Keystead.", b"kms"
WAIT_FOR, MOST = 60.0, 8 << 20  # seconds; bytes of an answer
KINDS: Mapping[str, type[KeysteadError]] = {
    "AccessDeniedException": Denied,
    "NotFoundException": NotFound,
    "KMSInvalidStateException": WrongState,
    "ValidationException": InvalidArgument,
}


def ask(environment: Mapping[str, str], name: str, **members: Any) -> Any:
    """The answer of "Keystead.<name>" as JSON. Raises InvalidArgument for a variable, KINDS, Unavailable."""
    at = urlsplit(_wanted(environment, "AWS_ENDPOINT_URL_KMS"))
    if at.scheme not in {"http", "https"} or not at.netloc:
        raise InvalidArgument("AWS_ENDPOINT_URL_KMS is no URL", "endpoint")
    body = msgspec.json.encode(members)
    headers = _signed(environment, at.netloc, name, body)
    connection = (HTTPSConnection if at.scheme == "https" else HTTPConnection)(at.netloc, timeout=WAIT_FOR)
    try:
        connection.request("POST", "/", body, headers)
        reply = connection.getresponse()
        text = reply.read(MOST)
    except (OSError, HTTPException) as error:
        raise Unavailable(f"{at.netloc} did not answer ({type(error).__name__})") from error
    finally:
        connection.close()
    try:
        answer = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Unavailable(f"{at.netloc} is no AWS door of Keystead's") from error
    if reply.status != 200:
        code = str(answer.get("__type", "")) if isinstance(answer, dict) else ""
        words = str(answer.get("message") or code) if isinstance(answer, dict) else "it was refused"
        raise KINDS.get(code, Unavailable)(words)
    return answer


def _wanted(environment: Mapping[str, str], name: str) -> str:
    if not (found := environment.get(name, "")):
        raise InvalidArgument(f"{name} is not set; `keystead env aws` prints what points here", name)
    return found


def _signed(environment: Mapping[str, str], host: str, name: str, body: bytes) -> dict[str, str]:
    key_id = _wanted(environment, "AWS_ACCESS_KEY_ID")
    secret = _wanted(environment, "AWS_SECRET_ACCESS_KEY").encode()
    region = environment.get("AWS_REGION") or environment.get("AWS_DEFAULT_REGION") or "us-east-1"
    stamp = sigv4.timestamp(int(time.time()))
    headers = {
        b"content-type": b"application/x-amz-json-1.1",
        b"host": host.encode(),
        b"x-amz-date": stamp,
        b"x-amz-target": f"{OWN}{name}".encode(),
    }
    if token := environment.get("AWS_SESSION_TOKEN"):
        headers[b"x-amz-security-token"] = token.encode()
    names = tuple(sorted(headers))
    scope = sigv4.Scope(stamp[:8], region.encode(), SERVICE)
    signer = sigv4.Signer(sigv4.signing_key(secret, scope), scope, names)
    signature = (signer.signature(b"POST", b"/", headers, body, stamp) or b"").decode()
    told = {header.decode(): value.decode() for header, value in headers.items()}
    signed = b";".join(names).decode()
    said = (
        f"AWS4-HMAC-SHA256 Credential={key_id}/{bytes(scope).decode()}, SignedHeaders={signed}, Signature={signature}"
    )
    return {**told, "authorization": said}
