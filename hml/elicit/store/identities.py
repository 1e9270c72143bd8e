"""Who is who: random codes for people, and a secret key by which outside ids are known without being kept."""

import base64
import hashlib
import hmac
import secrets
import unicodedata
from pathlib import Path

from hml.errors import DataError, InputError
from hml.files.atomic import write_atomically

_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"  # none that looks like another
_KEY_BYTES = 32
_LONGEST_OUTSIDE_ID = 128


def new_code(length: int = 12) -> str:
    """Draw a code that can't be guessed and is easily read out."""
    return "".join(secrets.choice(_LETTERS) for _ in range(length))


def read_code(text: str) -> str:
    """Read a code, or a subject, as somebody types or pastes it: letters and digits count, of whatever case and width.

    Example:
        >>> read_code(" ABCD-efgh 2345 ")
        'abcdefgh2345'
    """
    return "".join(letter for letter in unicodedata.normalize("NFKC", text).lower() if letter.isalnum())


def read_outside_id(text: str) -> str:
    """Read what a recruiting service calls somebody, as a link or a person gives it.

    Whitespace around it and invisible characters are dropped, and it is put into Unicode's composed form. An empty id
    is none.

    Raises:
        InputError: it can't be an id.

    Example:
        >>> read_outside_id(" 5f0aa ")
        '5f0aa'
    """
    composed = unicodedata.normalize("NFC", text)
    outside_id = "".join(letter for letter in composed if unicodedata.category(letter) != "Cf").strip()
    if len(outside_id) > _LONGEST_OUTSIDE_ID:
        raise InputError(
            f"The participant id has {len(outside_id):,} characters, and {_LONGEST_OUTSIDE_ID} are the most: "
            "open the link as it was given to you, or tell the researchers."
        )
    if not outside_id.isprintable():
        raise InputError(
            "The participant id has a line break or a control character in it: "
            "open the link as it was given to you, or tell the researchers."
        )
    if set(outside_id) & set("{}%"):
        raise InputError(
            "The participant id in your link is a placeholder without an id in it: please tell the researchers."
        )
    return outside_id


class Key:
    """The secret of a study's folder, from which everything that must not be forged or guessed is made.

    Args:
        path: Its file, beside the database and never in it; for its owner's eyes only.
        create: Whether a missing one is made.

    Raises:
        DataError: it is missing or damaged.
    """

    def __init__(self, path: Path, create: bool) -> None:
        if create and not path.exists():
            write_atomically(path, secrets.token_bytes(_KEY_BYTES), mode=0o600)
        try:
            self._secret = path.read_bytes()
        except OSError as error:
            raise DataError(
                f"Can't read {path}: {error.strerror}. Put the study's key back: without it nobody is recognised."
            ) from error
        if len(self._secret) != _KEY_BYTES:
            raise DataError(f"{path} has {len(self._secret)} bytes instead of {_KEY_BYTES}: put the study's key back.")

    def derive(self, purpose: str, text: str = "") -> bytes:
        """Make bytes that only this key makes of a purpose and a text."""
        return hmac.new(self._secret, f"{purpose}\0{text}".encode(), hashlib.sha256).digest()

    def hash_outside_id(self, outside_id: str) -> str:
        """Hash an outside id, as `read_outside_id` takes it, or raise an InputError if it is empty."""
        if not (read := read_outside_id(outside_id)):
            raise InputError("The participant id is empty.")
        return self.derive("outside id", read).hex()

    def completion_code(self, code: str) -> str:
        """Make the code that shows that a person has finished."""
        return base64.b32encode(self.derive("completion", code))[:10].decode()
