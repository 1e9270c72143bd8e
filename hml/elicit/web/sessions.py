"""Signed sessions, and the token that a page's own forms carry."""

import hashlib
import hmac
import secrets
from dataclasses import asdict, dataclass, field

from itsdangerous import BadData, URLSafeTimedSerializer
from starlette.requests import Request
from starlette.responses import Response

_PERSON_SECONDS = 30 * 24 * 3600  # people may return to a study after a holiday
_RESEARCHER_SECONDS = 12 * 3600


@dataclass(frozen=True)
class Session:
    """A browser's session; by default it has no person yet."""

    nonce: str = field(default_factory=lambda: secrets.token_urlsafe(16))  # makes the session's CSRF token unique
    code: str | None = None  # the person's, once they have agreed
    # Whether the person was recognised only by an outside id, which others may know. Such a browser isn't shown the
    # withdrawal code, and can't delete the person without it. It is shown the completion code, because
    # people return by their link to get it, and only its own id is paid for it.
    is_by_id: bool = False


class Sessions:
    """Reads and writes the two cookies, both signed: a person's, and the researcher's.

    Args:
        key: The key that signs them; it is not in the database.
        secure: Whether cookies are sent over HTTPS only.
        token: The researcher's token.
    """

    def __init__(self, key: bytes, secure: bool, token: str) -> None:
        self._key = key
        self._serializer = URLSafeTimedSerializer(key, salt="hml.elicit.session")
        self._secure = secure
        self._token = token
        # A changed token ends the researcher's session.
        self._researcher = {"researcher": hashlib.sha256(token.encode()).hexdigest()}
        # Named after the study: browsers send a port's cookies to other ports too, and two studies must not end each
        # other's sessions. With its prefix, no other site of the same domain can set the person's cookie.
        study = hmac.new(key, b"cookies", hashlib.sha256).hexdigest()[:8]
        self.person_cookie = f"{'__Host-' if secure else ''}hml_session_{study}"
        self.researcher_cookie = f"{'__Secure-' if secure else ''}hml_researcher_{study}"

    def read(self, request: Request) -> Session:
        """Read a person's session; a new one if there is none, or its signature is wrong."""
        content = self._loads(request.cookies.get(self.person_cookie), _PERSON_SECONDS)
        match content:
            case {"nonce": str(nonce), "code": str() | None as code, "is_by_id": bool(is_by_id)}:
                return Session(nonce, code, is_by_id)
        return Session()

    def write(self, response: Response, session: Session) -> None:
        """Set a browser's session."""
        content = self._serializer.dumps(asdict(session))
        self._set(response, self.person_cookie, content, _PERSON_SECONDS, "/")

    def csrf(self, session: Session) -> str:
        """Return the token that every form of a session's pages contains."""
        return hmac.new(self._key, f"csrf:{session.nonce}".encode(), hashlib.sha256).hexdigest()

    def is_own_form(self, session: Session, token: object) -> bool:
        """Check whether a form came from one of this session's own pages."""
        return isinstance(token, str) and hmac.compare_digest(token.encode(), self.csrf(session).encode())

    def is_token(self, token: str) -> bool:
        """Check whether this is the researcher's token."""
        return hmac.compare_digest(token.encode(), self._token.encode())

    def admit_researcher(self, response: Response) -> None:
        """Let a browser see the researcher's page without the token in its address."""
        content = self._serializer.dumps(self._researcher)
        self._set(response, self.researcher_cookie, content, _RESEARCHER_SECONDS, "/researcher")

    def is_researcher(self, request: Request) -> bool:
        """Check whether a browser was admitted with the current token."""
        return self._loads(request.cookies.get(self.researcher_cookie), _RESEARCHER_SECONDS) == self._researcher

    def _loads(self, cookie: str | None, seconds: int) -> object:
        try:
            content: object = self._serializer.loads(cookie or "", max_age=seconds)
        except BadData:
            return None
        return content

    def _set(self, response: Response, name: str, content: str, seconds: int, path: str) -> None:
        response.set_cookie(
            name, content, max_age=seconds, path=path, secure=self._secure, httponly=True, samesite="lax"
        )
