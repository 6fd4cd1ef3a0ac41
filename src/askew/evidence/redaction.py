"""Secrets never leave the place where they are read.

A secret becomes a marker, ``redacted:`` and sixteen hexadecimal digits of a keyed hash. Within one run equal secrets
have equal markers, so that a changed key is seen; the key is random per run (or per bundle), so that a marker tells nothing
about the secret. Reports show ``<redacted>``, never the marker.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from askew.evidence.document import Document, Node

MARKER = re.compile(r"redacted:[0-9a-f]{16}")

# The last word of a variable's or field's name decides; TOKENIZERS_PARALLELISM, MAX_TOKENS or EOS_TOKEN_ID do not match.
_SECRET_WORD = (
    r"(?:TOKEN|SECRET|PASSWORD|PASSWD|PASSPHRASE|API[_-]?KEYS?|ACCESS[_-]?KEY(?:[_-]?ID)?|SECRET[_-]?KEY|PRIVATE[_-]?KEY|"
    r"MASTER[_-]?KEY|SIGNING[_-]?KEY|ENCRYPTION[_-]?KEY|LICENSE[_-]?KEY|CREDENTIALS?|AUTH|BEARER|COOKIE|SESSION[_-]?KEY|SAS|PAT)"
)
_SECRET_NAME = re.compile(rf"(?:^|[A-Za-z0-9_.-]*[_.-]){_SECRET_WORD}$", re.IGNORECASE)
_CAMEL_SECRET = re.compile(
    r"[a-z0-9](?:Token|Secret|Password|ApiKey|AccessKey|SecretKey|PrivateKey|MasterKey|Credentials?)$"
)
# Names that end in a secret word and hold none: special tokens of tokenizers, references to a Secret by name.
_NOT_SECRET = re.compile(
    r"(?:^|[_.-])(?:EOS|BOS|PAD|UNK|SEP|CLS|MASK|STOP|IMAGE|VIDEO|AUDIO|START|END|PER|MAX|MIN|NUM|SPECIAL|THINK|PROMPT)[_.-]?TOKEN$",
    re.IGNORECASE,
)
_FLAG = (
    r"--?(?:[A-Za-z0-9]+[-_.])*(?:api[-_]?keys?|token|auth[-_]token|hf[-_]token|password|passwd|secret|access[-_]key(?:[-_]id)?|"
    r"secret[-_]key|private[-_]key|master[-_]key|credentials?)"
)
_FLAG_ALONE = re.compile(rf"^{_FLAG}$", re.IGNORECASE)
_FLAG_VALUE = re.compile(rf"((?:^|[\s'\"]){_FLAG}(?:=|\s+|'\s*,\s*'|\"\s*,\s*\"))(['\"]?)([^\s'\"]+)", re.IGNORECASE)
_ASSIGNMENT = re.compile(rf"(\b[A-Za-z0-9_]*{_SECRET_WORD}=)(['\"]?)([^\s'\";&|]+)", re.IGNORECASE)
_JSON_ENV = re.compile(r'(\\?"name\\?"\s*:\s*\\?"([^"\\]+)\\?"\s*,\s*\\?"value\\?"\s*:\s*\\?")((?:[^"\\]|\\[^"])*)')
_JSON_KEY = re.compile(r'(\\?["\']([A-Za-z0-9_.-]+)\\?["\']\s*:\s*\\?["\'])((?:[^"\'\\]|\\[^"\'])+)')
_YAML_KEY = re.compile(r"(?m)^(\s*(?:-\s+)?([A-Za-z0-9_.-]+):[ \t]+)(['\"]?)([^\s'\"#{\[|>&*!][^\n'\"]*)")
_TOKENS = re.compile(
    r"\bhf_[A-Za-z0-9]{16,}|\bsk-[A-Za-z0-9_-]{16,}|\bnvapi-[A-Za-z0-9_-]{16,}|\bgh[pousr]_[A-Za-z0-9]{20,}|\bgithub_pat_[A-Za-z0-9_]{20,}"
    r"|\bxox[abprs]-[A-Za-z0-9-]{10,}|\b(?:AKIA|ASIA)[A-Z0-9]{16}\b|\bglpat-[A-Za-z0-9_-]{16,}|\bAIza[A-Za-z0-9_-]{30,}"
    r"|\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*"
)
_BEARER = re.compile(r"((?:bearer|basic)\s+)([A-Za-z0-9._~+/=-]{8,})", re.IGNORECASE)
_URL_USER = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*://)([^\s/@:'\"]*):([^\s/@'\"]+)@")
_URL_QUERY = re.compile(
    r"([?&](?:[A-Za-z0-9_.-]*(?:token|signature|api[-_]?key|apikey|password|secret|credential)|sig|key|auth)=)([^\s&'\"#]+)",
    re.IGNORECASE,
)
_PEM = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL)
_REFERENCE = re.compile(r"^\s*(?:\$+\(?\{?[A-Za-z_].*|\{\{.*|<[^>]*>|redacted:[0-9a-f]{16})\s*$", re.DOTALL)
# One cheap look that decides whether a text can hold anything of the above; most strings of a manifest cannot.
_SUSPICIOUS = re.compile(
    r"token|secret|passw|passphrase|key|credential|auth|bearer|basic |cookie|://[^/\s]*@|hf_|sk-|nvapi-|gh[pousr]_|github_pat_|xox|AKIA|ASIA|glpat-|AIza|eyJ|"
    r"[?&](?:sig)=|_SAS=|_PAT=|BEGIN ",
    re.IGNORECASE,
)


class Redactor:
    """Replaces secrets by markers under one key. A new key makes markers that cannot be compared with others'."""

    def __init__(self, key: bytes | None = None) -> None:
        if key is None:
            import os

            key = os.urandom(32)
        self._key = key

    def marker(self, secret: str) -> str:
        """The marker of one secret: equal for equal secrets under this key, and nothing else."""
        import hmac

        return "redacted:" + hmac.new(self._key, secret.encode("utf-8", "surrogatepass"), "sha256").hexdigest()[:16]

    def text(self, text: str) -> str:
        """``text`` with every secret in it replaced: tokens of known issuers, credentials in URLs, values of secret
        flags and assignments, private keys. Idempotent."""
        if not _SUSPICIOUS.search(text):
            return text
        out = _PEM.sub(lambda m: self.marker(m[0]), text)
        out = _TOKENS.sub(lambda m: self.marker(m[0]), out)
        out = _URL_USER.sub(lambda m: f"{m[1]}{m[2]}:{self._once(m[3])}@", out)
        out = _URL_QUERY.sub(lambda m: m[1] + self._once(m[2]), out)
        out = _BEARER.sub(lambda m: m[1] + self._once(m[2]), out)
        out = _FLAG_VALUE.sub(lambda m: m[1] + m[2] + self._once(m[3]), out)
        out = _ASSIGNMENT.sub(lambda m: m[1] + m[2] + self._once(m[3]) if is_secret_name(m[1][:-1]) else m[0], out)
        if '"' in out or "'" in out:
            out = _JSON_ENV.sub(lambda m: m[1] + self._once(m[3]) if is_secret_name(m[2]) else m[0], out)
            out = _JSON_KEY.sub(lambda m: m[1] + self._once(m[3]) if is_secret_name(m[2]) else m[0], out)
        if "\n" in out or ": " in out:
            out = _YAML_KEY.sub(lambda m: m[1] + m[3] + self._once(m[4]) if is_secret_name(m[2]) else m[0], out)
        return out

    def variable(self, name: str, value: str) -> str:
        """The value of a variable or field, replaced as a whole when its name says that it is a secret."""
        return self._once(value) if value and is_secret_name(name) else self.text(value)

    def words(self, words: list[str]) -> list[str]:
        """An argument vector with the values of secret flags replaced, also where flag and value are two words."""
        out: list[str] = []
        for word in words:
            out.append(
                self._once(word)
                if out and _FLAG_ALONE.match(out[-1]) and not word.startswith("--")
                else self.text(word)
            )
        return out

    def document(self, document: Document) -> None:
        """Redact a parsed document in place: Secrets, variables, arguments, annotations, URLs."""
        root = document.root
        kind = root.value.get("kind") if isinstance(root.value, dict) else None
        self._walk(document, root, secret=kind == "Secret")

    def _walk(self, document: Document, top: Node, secret: bool) -> None:
        stack: list[tuple[Node, bool]] = [(top, secret)]
        while stack:
            node, in_secret = stack.pop()
            value = node.value
            if isinstance(value, dict):
                is_secret = value.get("kind") == "Secret" and "apiVersion" in value
                name = value.get("name")
                for key, child in node.items():
                    part = child.value
                    if isinstance(part, (dict, list)):
                        stack.append((child, is_secret or (in_secret and key in ("data", "stringData"))))
                    elif isinstance(part, str):
                        if in_secret and node is not top and key not in ("kind", "apiVersion"):
                            self._replace(document, child, self._secret_data(part))
                        elif key == "value" and isinstance(name, str):
                            self._replace(document, child, self.variable(name, part))
                        else:
                            self._replace(document, child, self._field(key, part, is_secret))
                    elif part is not None and not isinstance(part, bool) and in_secret:
                        self._replace(document, child, self.marker(str(part)))
            elif isinstance(value, list):
                before = ""
                for child in node.each():
                    part = child.value
                    if isinstance(part, (dict, list)):
                        stack.append((child, in_secret))
                    elif isinstance(part, str):
                        follows = bool(before) and not part.startswith("--") and _FLAG_ALONE.match(before) is not None
                        self._replace(document, child, self._once(part) if follows else self.text(part))
                        before = part
                        continue
                    before = ""

    def _field(self, key: str, text: str, of_secret: bool) -> str:
        if of_secret and key.endswith("last-applied-configuration"):
            return self.marker(text)
        # secretName, secretKeyRef.key, tokenizer …: a name that points to a secret is none itself.
        if is_secret_name(key) and not key[:1].isupper() and key in ("token", "secret", "auth", "credentials"):
            return self.text(text) if len(text) < 12 or text.isalpha() else self._once(text)
        return self.variable(key, text)

    def _secret_data(self, text: str) -> str:
        import base64
        import binascii

        try:  # data and stringData of one secret have one marker
            plain = base64.b64decode(text, validate=True).decode("utf-8")
        except (binascii.Error, UnicodeDecodeError, ValueError):
            plain = text
        return self._once(plain)

    def _once(self, secret: str) -> str:
        return secret if _REFERENCE.match(secret) else self.marker(secret)

    def _replace(self, document: Document, node: Node, redacted: str) -> None:
        if redacted != node.value:
            document.replace(node, redacted)


def is_secret_name(name: str) -> bool:
    """Whether a variable, field or flag of this name holds a secret (``HF_TOKEN``, ``apiKey``; not ``EOS_TOKEN``)."""
    if not (_SECRET_NAME.search(name) or _CAMEL_SECRET.search(name)):
        return False
    return not _NOT_SECRET.search(name)


def is_redacted(value: object) -> bool:
    """Whether a value is or contains a marker."""
    if isinstance(value, str):
        return "redacted:" in value and MARKER.search(value) is not None
    if isinstance(value, dict):
        return any(is_redacted(part) for part in value.values())
    if isinstance(value, list):
        return any(is_redacted(part) for part in value)
    return False


def shown(text: str) -> str:
    """``text`` as a report may show it: markers become ``<redacted>``."""
    return MARKER.sub("<redacted>", text) if "redacted:" in text else text
