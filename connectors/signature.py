"""Signature: Standard Webhooks 1.0, made for what we send and checked on what is sent to us."""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Annotated

from pydantic import AfterValidator, SecretStr

SHORTEST_SECRET, LONGEST_SECRET = 24, 64
"""Bytes, as the specification asks of a random signing secret."""
TOLERANCE = timedelta(minutes=5)
"""How far a message's time may be from ours, either way: an old one may have been caught and sent again."""

PREFIX = "whsec_"


def signing_key(secret: str) -> bytes:
    """The bytes of a secret written `whsec_<base64>`. Raises ValueError, without the secret, if it is malformed."""
    try:
        key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not secret.startswith(PREFIX) or not SHORTEST_SECRET <= len(key) <= LONGEST_SECRET:
        raise ValueError('a secret is "whsec_" and 24 to 64 random bytes in base64: whsec_$(openssl rand -base64 32)')
    return key


def _well_formed(value: SecretStr) -> SecretStr:
    signing_key(value.get_secret_value())
    return value


SigningSecret = Annotated[SecretStr, AfterValidator(_well_formed)]
"""A secret in the settings."""


def sign(secret: str, sent_as: str, timestamp: int, content: bytes) -> str:
    """One signature, `v1,<base64 HMAC-SHA256>`, over `id.timestamp.body`; timestamp in seconds since 1970."""
    signed = b".".join([sent_as.encode(), str(timestamp).encode(), content])
    return "v1," + base64.b64encode(hmac.new(signing_key(secret), signed, hashlib.sha256).digest()).decode()


def fault(secrets: Iterable[str], headers: Mapping[str, str], content: bytes, now: float) -> str | None:
    """What is wrong with a signed message that came at `now` (seconds since 1970); None where one of `secrets` fits.

    `headers` are asked by their names in small letters. Every signature is compared with every secret, in a time that
    tells nothing about either.
    """
    sent_as, told, signatures = (headers.get(f"webhook-{name}", "") for name in ("id", "timestamp", "signature"))
    if not (sent_as and told and signatures):
        return "webhook-id, webhook-timestamp and webhook-signature are needed"
    if not (told.isascii() and told.isdecimal()) or len(told) > len("99999999999"):
        return "webhook-timestamp is no number of seconds"
    if abs(now - int(told)) > TOLERANCE.total_seconds():
        return "webhook-timestamp is too far from the time here"
    rights = [sign(secret, sent_as, int(told), content).encode() for secret in secrets]
    given = [signature.encode() for signature in signatures.split()]
    fits = [hmac.compare_digest(right, signature) for right in rights for signature in given]
    return None if any(fits) else "no signature fits"
