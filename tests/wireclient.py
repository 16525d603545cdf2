"""A small AWS client over one keep-alive connection: botocore's signer, http.client, nothing that hides an answer."""

from __future__ import annotations

import http.client
import json
from base64 import b64encode
from typing import Any, NamedTuple

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials


class Answer(NamedTuple):
    status: int
    request_id: str
    body: dict[str, Any]

    @property
    def error(self) -> str:
        return self.body.get("__type", "")


class WireClient:
    """`address`: "127.0.0.1:8200"."""

    def __init__(self, address: str, access_key_id: str, secret_access_key: str, region: str = "us-east-1") -> None:
        self.address, self._region = address, region
        self._credentials = Credentials(access_key_id, secret_access_key)
        self._connection = http.client.HTTPConnection(address, timeout=60)

    @classmethod
    def administrator(cls, environment: dict[str, str]) -> WireClient:
        """Of what `keystead env aws --json` says."""
        return cls(
            environment["AWS_ENDPOINT_URL_KMS"].partition("://")[2],
            environment["AWS_ACCESS_KEY_ID"],
            environment["AWS_SECRET_ACCESS_KEY"],
            environment["AWS_REGION"],
        )

    def sign(self, operation: str, **members: Any) -> AWSRequest:
        return self.sign_body(operation, json.dumps(members, default=lambda raw: b64encode(raw).decode()).encode())

    def sign_body(self, operation: str, body: bytes) -> AWSRequest:
        headers = {"X-Amz-Target": f"TrentService.{operation}", "Content-Type": "application/x-amz-json-1.1"}
        request = AWSRequest("POST", f"http://{self.address}/", data=body, headers=headers)
        SigV4Auth(self._credentials, "kms", self._region).add_auth(request)
        return request

    def call(self, operation: str, **members: Any) -> Answer:
        """Raises OSError or http.client.HTTPException when the server has gone."""
        return self.send(self.sign(operation, **members))

    def send(self, request: AWSRequest) -> Answer:
        self._connection.request("POST", "/", request.data, dict(request.headers))
        reply = self._connection.getresponse()
        text = reply.read()
        return Answer(reply.status, reply.getheader("x-amzn-RequestId", ""), json.loads(text) if text else {})

    def close(self) -> None:
        self._connection.close()
