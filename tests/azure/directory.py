"""The directory behind Azure's tests: who exists, with what credentials, and the tokens that they are given."""

from __future__ import annotations

import dataclasses
import datetime
import functools
import types
import uuid
from collections.abc import Collection, Mapping
from typing import Any, Literal, Protocol, TypeAlias

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

Kind: TypeAlias = Literal["User", "ServicePrincipal"]

MANAGEMENT = "https://management.azure.com"
"""The audience of Resource Manager."""

KUBERNETES = "6dae42f8-4368-4678-94ff-3960e28e3630"
"""The audience of AKS: an application that is the same in all of Azure."""

TOKEN_EXCHANGE = "api://AzureADTokenExchange"  # noqa: S105 - an audience
"""The audience of the assertions of federated issuers."""

_SAME_AUDIENCES = ("https://management.core.windows.net", MANAGEMENT)
_TOKEN_SECONDS = 3600
_ASSERTION_SECONDS = 300
_EARLIER = datetime.timedelta(minutes=5)
_REPLICATION_ASKS = 2


class Clock(Protocol):
    """What tells the time."""

    def now(self) -> datetime.datetime:
        """The time, with its zone."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Principal:
    """Whom a token speaks for.

    Attributes:
        object_id: What role assignments name.
        client_id: What it signs in as; of a user, the application that the user signed in with.
        kind: As role assignments' `principalType`.
    """

    object_id: str
    client_id: str
    kind: Kind = "ServicePrincipal"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Secret:
    """A client secret.

    Attributes:
        value: What is sent.
        expires: When it ends to work; never if None.
    """

    value: str = dataclasses.field(repr=False)
    expires: datetime.datetime | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class FederatedCredential:
    """An issuer's assertion that stands for a secret; all three are compared as they are, case included."""

    issuer: str
    subject: str
    audience: str


@dataclasses.dataclass(kw_only=True)
class Identity:
    """An entry of the directory.

    Attributes:
        principal: Who it is.
        secrets: Its client secrets.
        federated: Its federated credentials.
        asks_to_replicate: How many questions are still answered by servers that have not heard of it.
    """

    principal: Principal
    secrets: list[Secret] = dataclasses.field(default_factory=list)
    federated: list[FederatedCredential] = dataclasses.field(default_factory=list)
    asks_to_replicate: int = 0


class TokenError(Exception):
    """A token does not let its bearer in, for which Resource Manager and the data planes answer 401.

    Attributes:
        code: Of Resource Manager's error.
        message: Of the error.
        headers: WWW-Authenticate, which tells where to get a better one.
    """

    def __init__(self, tenant_id: str, code: str, message: str, description: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        challenge = f'Bearer authorization_uri="https://login.windows.net/{tenant_id}", error="invalid_token"'
        self.headers: Mapping[str, str] = types.MappingProxyType(
            {"WWW-Authenticate": f'{challenge}, error_description="{description or message}"'}
        )


class Directory:
    """A tenant, and the federated issuers whose assertions it takes.

    Attributes:
        tenant_id: Its GUID.
        replication_asks: How many of the first questions about a new identity find it missing, as the directory's
            servers learn of it one after the other. A change counts for identities that are added later.
        token_seconds: How long access tokens last.
    """

    def __init__(self, clock: Clock, tenant_id: str) -> None:
        self.tenant_id = tenant_id
        self.replication_asks = _REPLICATION_ASKS
        self.token_seconds = _TOKEN_SECONDS
        self.key_id = uuid.uuid4().hex
        self._clock = clock
        self._identities: dict[str, Identity] = {}
        self._issuer_keys: dict[str, rsa.RSAPrivateKey] = {}

    @functools.cached_property
    def public_key(self) -> rsa.RSAPublicKey:
        """What the signatures of its tokens are checked with."""
        return self._key.public_key()

    @functools.cached_property
    def _key(self) -> rsa.RSAPrivateKey:
        return _make_key()

    def add_application(self, client_id: str, object_id: str, secret: str | None = None) -> Principal:
        """Adds the service principal of an application that has long been there, with a secret that never ends."""
        principal = Principal(object_id=object_id, client_id=client_id)
        self._identities[object_id.lower()] = Identity(principal=principal)
        if secret is not None:
            self.add_secret(client_id, secret)
        return principal

    def add_secret(self, client_id: str, value: str, expires: datetime.datetime | None = None) -> None:
        """Adds a client secret."""
        self._get(client_id).secrets.append(Secret(value=value, expires=expires))

    def add_federated_credential(
        self, client_id: str, issuer: str, subject: str, audience: str = TOKEN_EXCHANGE
    ) -> None:
        """Lets the assertions of an issuer about a subject stand for a secret."""
        credential = FederatedCredential(issuer=issuer, subject=subject, audience=audience)
        self._get(client_id).federated.append(credential)

    def add_identity(self, object_id: str, client_id: str, principal_type: Kind = "ServicePrincipal") -> Principal:
        """Adds a new user or managed identity; one that is there stays as it is."""
        principal = Principal(object_id=object_id, client_id=client_id, kind=principal_type)
        identity = Identity(principal=principal, asks_to_replicate=self.replication_asks)
        return self._identities.setdefault(object_id.lower(), identity).principal

    def remove_identity(self, object_id: str) -> None:
        """Removes an identity, if it is there; tokens that it has stay good until they expire."""
        self._identities.pop(object_id.lower(), None)

    def is_replicated(self, object_id: str) -> bool:
        """Whether the server that is asked knows an identity: a new one only after some questions."""
        identity = self._identities.get(object_id.lower())
        if identity is None:
            return False
        if identity.asks_to_replicate:
            identity.asks_to_replicate -= 1
            return False
        return True

    def find_principal(self, object_id: str) -> Principal | None:
        """The principal with an object id, whether replicated or not."""
        identity = self._identities.get(object_id.lower())
        return None if identity is None else identity.principal

    def find(self, client_id: str) -> Identity | None:
        """The identity that signs in with a client id; users do not."""
        found = (each for each in self._identities.values() if each.principal.kind != "User")
        return next((each for each in found if each.principal.client_id.lower() == client_id.lower()), None)

    def issue(
        self, principal: Principal, audience: str, lifetime: int | None = None, tenant_id: str | None = None
    ) -> str:
        """An access token.

        Args:
            principal: Whom it speaks for.
            audience: The service that it is for.
            lifetime: In seconds; `token_seconds` by default.
            tenant_id: The tenant that it says it is of; this one if None.
        """
        now = self._clock.now()
        seconds = self.token_seconds if lifetime is None else lifetime
        tenant = tenant_id or self.tenant_id
        user = principal.kind == "User"
        claims: dict[str, Any] = {
            "aud": audience,
            "iss": _write_issuer(tenant),
            "iat": now - _EARLIER,
            "nbf": now - _EARLIER,
            "exp": now + datetime.timedelta(seconds=seconds),
            "appid": principal.client_id,
            "appidacr": "0" if user else "1",
            "idp": _write_issuer(tenant),
            "idtyp": "user" if user else "app",
            "oid": principal.object_id,
            "sub": principal.object_id,
            "tid": tenant,
            "uti": uuid.uuid4().hex,
            "ver": "1.0",
        }
        return jwt.encode(claims, self._key, "RS256", {"kid": self.key_id, "x5t": self.key_id})

    def identify(self, token: str, audiences: Collection[str]) -> Principal:
        """Whom a token speaks for.

        Args:
            token: What follows "Bearer".
            audiences: The service's own names; a slash at their end means nothing, and Resource Manager's two
                names are one.

        Raises:
            TokenError: It is none of this directory's, or has expired, or is for another service or tenant.
        """
        try:
            claims = jwt.decode(token, self.public_key, ["RS256"], options=_SIGNATURE_ONLY)
        except jwt.InvalidTokenError:
            raise self._refuse("InvalidAuthenticationToken", "The access token is invalid.") from None
        now, expiry = self._clock.now(), datetime.datetime.fromtimestamp(claims["exp"], datetime.timezone.utc)
        if expiry <= now:
            raise self._refuse(
                "ExpiredAuthenticationToken",
                f"The access token expiry UTC time '{_write_time(expiry)}' is earlier than current UTC time"
                f" '{_write_time(now)}'.",
            )
        allowed = _list_audiences(audiences)
        if claims["aud"] not in allowed:
            allowed_text = ",".join(f"'{each}'" for each in allowed)
            raise self._refuse(
                "InvalidAuthenticationTokenAudience",
                f"The access token has been obtained for wrong audience or resource '{claims['aud']}'. It should"
                f" exactly match with one of the allowed audiences {allowed_text}.",
            )
        if claims["iss"] != _write_issuer(self.tenant_id):
            raise self._refuse(
                "InvalidAuthenticationTokenTenant",
                f"The access token is from the wrong issuer '{claims['iss']}'. It must match the tenant"
                f" '{_write_issuer(self.tenant_id)}' associated with this subscription. Please use the authority (URL)"
                f" 'https://login.windows.net/{self.tenant_id}' to get the token. Note, if the subscription is"
                " transferred to another tenant there is no impact to the services, but information about new tenant"
                " could take time to propagate (up to an hour). If you just transferred your subscription and see"
                " this error message, please try back later.",
            )
        kind: Kind = "User" if claims["idtyp"] == "user" else "ServicePrincipal"
        return Principal(object_id=claims["oid"], client_id=claims["appid"], kind=kind)

    def read_bearer(self, authorization: str | None) -> str:
        """The token of an Authorization header.

        Raises:
            TokenError: There is no header, or it is no bearer's.
        """
        if not authorization:
            message = "Authentication failed. The 'Authorization' header is missing."
            description = "The authentication failed because of missing 'Authorization' header."
            raise self._refuse("AuthenticationFailed", message, description)
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            message = "Authentication failed. The 'Authorization' header is provided in an invalid format."
            raise self._refuse("AuthenticationFailedInvalidHeader", message)
        return token.strip()

    def sign_assertion(
        self, issuer: str, subject: str, audience: str = TOKEN_EXCHANGE, lifetime: int = _ASSERTION_SECONDS
    ) -> str:
        """What a federated issuer, such as GitHub or an AKS cluster, says of one of its own; good for `lifetime` s."""
        now = self._clock.now()
        claims: dict[str, Any] = {
            "iss": issuer,
            "sub": subject,
            "aud": audience,
            "iat": now,
            "nbf": now,
            "exp": now + datetime.timedelta(seconds=lifetime),
            "jti": str(uuid.uuid4()),
        }
        if issuer not in self._issuer_keys:
            self._issuer_keys[issuer] = _make_key()
        return jwt.encode(claims, self._issuer_keys[issuer], "RS256", {"kid": issuer})

    def is_signed_by_issuer(self, assertion: str) -> bool:
        """Whether an assertion's signature is that of the issuer which it names."""
        try:
            issuer = jwt.decode(assertion, options={"verify_signature": False})["iss"]
            jwt.decode(assertion, self._issuer_keys[issuer].public_key(), ["RS256"], options=_SIGNATURE_ONLY)
        except (jwt.InvalidTokenError, KeyError):
            return False
        return True

    def _get(self, client_id: str) -> Identity:
        identity = self.find(client_id)
        assert identity is not None, f"nobody has the client id {client_id}"
        return identity

    def _refuse(self, code: str, message: str, description: str = "") -> TokenError:
        return TokenError(self.tenant_id, code, message, description)


# Times are those of the tests' clock, which the library does not know.
_SIGNATURE_ONLY: Any = types.MappingProxyType(
    {"verify_aud": False, "verify_exp": False, "verify_iat": False, "verify_nbf": False}
)


def _make_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def _write_issuer(tenant_id: str) -> str:
    return f"https://sts.windows.net/{tenant_id}/"


def _list_audiences(audiences: Collection[str]) -> list[str]:
    names = dict.fromkeys(each.rstrip("/") for each in audiences)
    if names.keys() & set(_SAME_AUDIENCES):
        names = dict.fromkeys((*_SAME_AUDIENCES, *names))
    return [form for name in names for form in (f"{name}/", name)]


def _write_time(time: datetime.datetime) -> str:
    # As .NET writes it in the culture of the United States: 8/21/2018 3:22:00 PM.
    utc = time.astimezone(datetime.timezone.utc)
    return f"{utc.month}/{utc.day}/{utc.year} {utc.hour % 12 or 12}:{utc:%M:%S %p}"
