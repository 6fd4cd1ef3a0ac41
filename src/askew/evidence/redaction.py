"""Secrets never leave the place where they are read.

A secret becomes a marker, ``redacted:`` and sixteen hexadecimal digits: eight tell the key, eight are a keyed hash of
the secret. Within one run equal secrets have equal markers, so that a changed key is seen; the key is random per run
(or per bundle), so that a marker tells nothing about the secret, and markers under two keys nothing about each other.
Reports show ``<redacted>``, never the marker.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from askew.evidence.document import Document, Node


class _Pattern:
    """A regular expression that is compiled when first used: most runs need few of them, and compiling costs."""

    def __init__(self, source: str, flags: int = 0) -> None:
        self._source, self._flags = source, flags

    @functools.cached_property
    def _compiled(self) -> re.Pattern[str]:
        return re.compile(self._source, self._flags)

    def sub(self, replacement: str | Callable[[re.Match[str]], str], text: str) -> str:
        return self._compiled.sub(replacement, text)

    def search(self, text: str) -> re.Match[str] | None:
        return self._compiled.search(text)

    def match(self, text: str) -> re.Match[str] | None:
        return self._compiled.match(text)


MARKER = re.compile(r"redacted:[0-9a-f]{16}")

# The last word of the name of a variable or field decides: not TOKENIZERS_PARALLELISM, MAX_TOKENS or EOS_TOKEN_ID.
_SECRET_WORD = (
    r"(?:TOKEN|SECRET|PASSWORD|PASSWD|PASSPHRASE|API[_-]?KEYS?|ACCESS[_-]?KEY(?:[_-]?ID)?|SECRET[_-]?KEY|PRIVATE[_-]?KEY|"
    r"MASTER[_-]?KEY|SIGNING[_-]?KEY|ENCRYPTION[_-]?KEY|LICENSE[_-]?KEY|ACCOUNT[_-]?KEY|SUBSCRIPTION[_-]?KEY|"
    r"CREDENTIALS?|AUTH|AUTHORIZATION|BEARER|COOKIE|SESSION[_-]?KEY|SAS|PAT)"
)
# Short words that are secrets only behind another one: DB_PASS and MYSQL_PWD, not PWD.
_SECRET_NAME = _Pattern(
    rf"(?:(?:^|[A-Za-z0-9_.-]*[_.-]){_SECRET_WORD}|[A-Za-z0-9][_.-](?:PASS|PWD))(?:[_.-]?[0-9]{{1,3}})?$", re.IGNORECASE
)
_CAMEL_SECRET = _Pattern(
    r"[a-z0-9](?:Token|Secret|Password|ApiKey|AccessKey|AccountKey|SecretKey|PrivateKey|MasterKey|Credentials?)$"
)
_LONGEST_NAME = 256
_SHORT = 64
_MOST_CLEAN = 20_000
# Names that end in a secret word and hold none: special tokens of tokenizers, references to a Secret by name, counts of
# tokens (max_prompt_adapter_token of vLLM), switches that turn authorization off (disable_token_authorization of
# TorchServe).
_NOT_SECRET = _Pattern(
    r"(?:^|[_.-])(?:EOS|BOS|PAD|UNK|SEP|CLS|MASK|STOP|IMAGE|VIDEO|AUDIO|START|END|PER|MAX|MIN|NUM|SPECIAL|THINK|PROMPT"
    r"|BLOCK|BYTES|NEW|FIRST|LAST)[_.-]?TOKEN(?:[_.-]?[0-9]+)?$|(?:^|[_.-])NO[_.-]AUTH$"
    r"|^(?:--)?MAX[_-]PROMPT[_-]ADAPTER[_-]TOKEN$"
    # The path of a file, and not what is in it. https://cloud.google.com/docs/authentication/application-default-credentials
    r"|^GOOGLE_APPLICATION_CREDENTIALS$"
    r"|(?:^|[_.-])DISABLE[_.-](?:[A-Z]+[_.-]){0,4}(?:AUTH|AUTHORIZATION)$",
    re.IGNORECASE,
)
_FLAG = (
    # A count of tokens is no token: --max-num-batched-token is an abbreviation that argparse accepts.
    r"--?(?!(?:[A-Za-z0-9]+[-_.])*(?:max|min|num|new|batched|per|eos|bos|pad|stop)[-_])(?:[A-Za-z0-9]+[-_.])*(?:api[-_]?keys?|token|auth[-_]token|hf[-_]token|password|passwd|secret|access[-_]key(?:[-_]id)?|"
    r"secret[-_]key|private[-_]key|master[-_]key|credentials?)"
)
_FLAG_ALONE = _Pattern(rf"^{_FLAG}$", re.IGNORECASE)
_FLAG_EQUALS = _Pattern(rf"({_FLAG}=)(.+)\Z", re.IGNORECASE | re.DOTALL)
_VALUE = r"('[^'\n]*'|\"(?:[^\"\\\n]|\\.)*\"|\$\([^()\n]*\)|[^\s'\"]+)"
_FLAG_VALUE = _Pattern(rf"((?:^|[\s'\"`(=]){_FLAG}(?:=|[\s\\]+|'\s*,\s*'|\"\s*,\s*\"))(?!-){_VALUE}", re.IGNORECASE)
# Engines take several keys behind --api-key; a word with a slash is more likely the model.
_MORE_KEYS = _Pattern(
    r"(--api[-_]keys?(?:=|\s+)redacted:[0-9a-f]{16}['\"]?)"
    r"((?:[ \t]+(?!redacted:)[^\s'\"`/;&|<>()$\\-][^\s'\"`/;&|<>()$\\]*)+)",
    re.IGNORECASE,
)
_ASSIGNMENT = _Pattern(
    rf"((?<![A-Za-z0-9_-])[A-Za-z0-9_]*(?:{_SECRET_WORD}|_PASS|_PWD)(?:_?[0-9]{{1,3}})?=)(?!\[\s{{0,9}}\\?['\"])"
    r"('[^'\n]*'|\"(?:[^\"\\\n]|\\.)*\"|\$\([^()\n]*\)|[^\s'\";&|]+)",
    re.IGNORECASE,
)
# A whole assignment in quotes: docker run -e "NAME=two words", Environment="NAME=two words".
_QUOTED_ASSIGNMENT = _Pattern(
    rf"(['\"])([A-Za-z0-9_]*(?:{_SECRET_WORD}|_PASS|_PWD)(?:_?[0-9]{{1,3}})?=)([^'\"\n]+)\1", re.IGNORECASE
)
_SHELL_BEFORE = _Pattern(r"-[a-z]*c\s*\Z")
_COMMAND_INSIDE = _Pattern(r"\s--?[A-Za-z]|[;&|]")
_JSON_ENV = _Pattern(r'(\\?"name\\?"\s*:\s*\\?"([^"\\]+)\\?"\s*,\s*\\?"value\\?"\s*:\s*\\?")((?:[^"\\]|\\[^"])*)')
_JSON_KEY = _Pattern(r'(\\?["\']([A-Za-z0-9_.-]{1,256})\\?["\']\s*:\s*\\?(["\']))((?:(?!\3)[^\\\n]|\\(?!\3).)+)')
# Several values: api_key=['a', 'b'] of a namespace that was printed, "api_keys": ["a"] of JSON and YAML in a text.
_LISTED = _Pattern(
    r"((?:(?<![A-Za-z0-9_-])([A-Za-z0-9_]{1,256})=|\\?[\"']([A-Za-z0-9_.-]{1,256})\\?[\"']\s{0,9}:\s{0,9}"
    r"|(?<![A-Za-z0-9_.-])([A-Za-z0-9_.-]{1,256}):[ \t]{1,9})\[)(\s{0,9}[^\[\]\s][^\[\]]{0,65536})"
)
# What stands in the lines below a key of YAML in a text: a list, a block.
_BELOW = _Pattern(
    r"(?m)^(([ \t]{0,200})(?:-[ \t]{1,9})?([A-Za-z0-9_.-]{1,256}):)"
    r"([ \t]*\n(?:\2[ \t]*-[ \t]+(?!\S+:\s)[^\s{\[][^\n]*(?:\n|\Z))+"
    r"|[ \t]+[|>][-+0-9]{0,2}[ \t]*\n(?:\2[ \t]+\S[^\n]*(?:\n|\Z))+)"
)
_LINE = _Pattern(r"(?m)^([ \t]*(?:-[ \t]+)?['\"]?)([^\s'\"][^\n]*?)(['\"]?[ \t]*)$")
_ITEM = _Pattern(r"(\\?[\"'])((?:(?!\1)[^\n])+)(\1)|()([^\s,\"'\\][^\s,]*)()")
# An entry of a map in the text form of protocol buffers: key: "NAME" value { string_value: "…" }
_PROTO_ENTRY = _Pattern(
    r"(\bkey\s{0,9}:\s{0,9}[\"']([A-Za-z0-9_.-]{1,256})[\"']\s{0,99},?\s{0,99}value\s{0,9}:?\s{0,9}[{<]?\s{0,99}"
    r"(?:string_value\s{0,9}:\s{0,9})?([\"']))((?:(?!\3)[^\\\n]|\\.)+)"
)
_YAML_KEY = _Pattern(
    r"(?m)^([^\S\n]*(?:-[^\S\n]+)?([A-Za-z0-9_.-]{1,256})(?::[ \t]+|[ \t]+=[ \t]+))"
    r"('[^'\n]*'|\"(?:[^\"\\\n]|\\.)*\"|[^\s'\"#{\[|>&*!=][^\n]*)"
)
_HEADER = _Pattern(r"(\b([A-Za-z][A-Za-z0-9-]{0,60}):[ \t]+)(?![|>][-+0-9]{0,2}[ \t]*(?:\n|\Z)|\[)([^\s'\"\\]+)")
_TOKENS = _Pattern(
    r"\bhf_[A-Za-z0-9]{16,}|\bsk-[A-Za-z0-9_-]{16,4096}|\bnvapi-[A-Za-z0-9_-]{16,4096}|\bgh[pousr]_[A-Za-z0-9]{20,}"
    r"|\bgithub_pat_[A-Za-z0-9_]{20,}|\bxox[abprs]-[A-Za-z0-9-]{10,4096}|\b(?:AKIA|ASIA)[A-Z0-9]{16}\b"
    r"|\bglpat-[A-Za-z0-9_-]{16,4096}|\bAIza[A-Za-z0-9_-]{30,4096}"
    r"|\beyJ[A-Za-z0-9_-]{8,4096}\.[A-Za-z0-9_-]{8,4096}\.[A-Za-z0-9_-]{0,4096}"
)
_BEARER = _Pattern(r"(\b(?:bearer|basic)\s+)(?!redacted:)([A-Za-z0-9._~+/=-]{8,})", re.IGNORECASE)
_URL_USER = _Pattern(r"(\b[A-Za-z][A-Za-z0-9+.-]{0,30}://)([^\s/@:'\"]*):([^\s/'\"]+)@")
# A user without a password is a token when it is as long as one: https://0123456789abcdef0123@host/repository.
_URL_TOKEN = _Pattern(r"(\b[A-Za-z][A-Za-z0-9+.-]{0,30}://)([^\s/@:'\"]{20,})@")
_URL_QUERY = _Pattern(
    r"([?&](?:[A-Za-z0-9_.-]{0,60}(?:token|signature|api[-_]?key|apikey|password|secret|credential)|sig|key|auth)=)([^\s&'\"#]+)",
    re.IGNORECASE,
)
_PEM = _Pattern(r"-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----.*?(?:-----END [A-Z ]{0,40}PRIVATE KEY-----|\Z)", re.DOTALL)
# What points to a secret and is none: a variable, a command that prints it, a template, a placeholder, a marker. Lower
# case behind a dollar may be a password; ${NAME:-default} may hold one as its default.
_REFERENCE = _Pattern(
    r"\s*(?:\$+[A-Z_][A-Z0-9_]*|\$+\{[A-Za-z_][A-Za-z0-9_]*[-:+?=]{0,2}\}|\$+\([^()]*\)|\{\{[^{}\"'`]*\}\}"
    r"|<[A-Za-z][A-Za-z _-]{0,40}>|redacted:[0-9a-f]{16}"
    r"|os\.environ/[A-Za-z_][A-Za-z0-9_]*)\s*\Z"  # LiteLLM's: https://docs.litellm.ai/docs/proxy/configs
)
_DEFAULT = _Pattern(r"(\s*\$+\{[A-Za-z_][A-Za-z0-9_]*:?[-=])([^{}]+)(\}\s*)\Z")
_NO_VALUE = frozenset(("None", "null", "nil", "True", "False", "true", "false"))
# One cheap look that decides whether a text can hold anything of the above; most strings of a manifest cannot.
_SUSPICIOUS = re.compile(
    r"token|secret|passw|passphrase|key|credential|auth|bearer|basic |cookie|://[^/\s]*@|hf_|sk-|nvapi-|gh[pousr]_"
    r"|github_pat_|xox|AKIA|ASIA|glpat-|AIza|eyJ|[?&](?:sig)=|SAS\b|PAT\b|_PASS|_PWD|BEGIN ",
    re.IGNORECASE,
)


class Redactor:
    """Replaces secrets by markers under one key. A new key makes markers that cannot be compared with others'."""

    def __init__(self, key: bytes | None = None) -> None:
        if key is None:
            import os

            key = os.urandom(32)
        self._key = key
        self._under = ""
        # Objects of a cluster say the same short words thousands of times. Only words without a secret are kept.
        self._clean: set[str] = set()

    def marker(self, secret: str) -> str:
        """The marker of one secret: equal for equal secrets under this key, and nothing else."""
        if not self._under:
            self._under = self.keyed("key", "")[:8]
        return f"redacted:{self._under}{self.keyed('secret', secret)[:8]}"

    def keyed(self, purpose: str, text: str) -> str:
        """A hash of a text under this key, in hexadecimal digits; of no use without the key."""
        import hmac

        data = f"{purpose}\0{text}".encode("utf-8", "surrogatepass")
        return hmac.new(self._key, data, "sha256").hexdigest()

    def text(self, text: str) -> str:
        """``text`` with every secret in it replaced: tokens of known issuers, credentials in URLs, values of secret
        flags and assignments, private keys. Idempotent."""
        if text in self._clean:
            return text
        if not _SUSPICIOUS.search(text):
            if len(text) <= _SHORT and len(self._clean) < _MOST_CLEAN:
                self._clean.add(text)
            return text
        out = _PEM.sub(lambda m: self.marker(m[0]), text) if "-----BEGIN" in text else text
        out = _TOKENS.sub(lambda m: self.marker(m[0]), out)
        if "://" in out:
            out = _URL_USER.sub(lambda m: f"{m[1]}{m[2]}:{self._once(m[3])}@", out)
            out = _URL_TOKEN.sub(lambda m: f"{m[1]}{self._once(m[2])}@", out)
        if "=" in out and ("?" in out or "&" in out):
            out = _URL_QUERY.sub(lambda m: m[1] + self._once(m[2]), out)
        if not out.isidentifier():  # a bare word, such as the name of a variable, has no room for what follows
            out = _BEARER.sub(lambda m: m[1] + self._once(m[2]), out)
        if "-" in out:
            out = _FLAG_VALUE.sub(lambda m: m[1] + self._quoted(m[2]), out)
        if "redacted:" in out:
            out = _MORE_KEYS.sub(lambda m: m[1] + re.sub(r"\S+", lambda word: self._once(word[0]), m[2]), out)
        if "[" in out:
            out = _LISTED.sub(lambda m: m[1] + self._items(m[2] or m[3] or m[4], m[5]), out)
        if "=" in out:
            out = _QUOTED_ASSIGNMENT.sub(self._quoted_assignment, out)
            out = _ASSIGNMENT.sub(lambda m: m[1] + self._assigned(m[2]) if is_secret_name(m[1][:-1]) else m[0], out)
        if '"' in out or "'" in out:
            out = _JSON_ENV.sub(lambda m: m[1] + self._once(m[3]) if is_secret_name(m[2]) else m[0], out)
            out = _JSON_KEY.sub(lambda m: m[1] + self._once(m[4]) if is_secret_name(m[2]) else m[0], out)
            if "value" in out:
                out = _PROTO_ENTRY.sub(lambda m: m[1] + self._once(m[4]) if is_secret_name(m[2]) else m[0], out)
        if "\n" in out and ":" in out:
            out = _BELOW.sub(self._below, out)
        if ": " in out:
            out = _HEADER.sub(lambda m: m[1] + self._header(m[3]) if is_secret_name(m[2]) else m[0], out)
        if "\n" in out or ": " in out or " = " in out:
            out = _YAML_KEY.sub(lambda m: m[1] + self._quoted(m[3]) if is_secret_name(m[2]) else m[0], out)
        return out

    def variable(self, name: str, value: str) -> str:
        """The value of a variable or field, replaced as a whole when its name says that it is a secret."""
        return self._once(value) if value and is_secret_name(name) else self.text(value)

    def assignment(self, word: str) -> str:
        """``NAME=value`` as one word, where everything behind the sign is the value."""
        name, equals, value = word.partition("=")
        return name + equals + self.variable(name, value) if equals else self.text(word)

    def words(self, words: list[str]) -> list[str]:
        """An argument vector with the values of secret flags replaced, also where flag and value are several words."""
        out: list[str] = []
        flag = ""
        for word in words:
            out.append(self._word(word, flag, out[-1] if out else ""))
            flag = _flag_of(word, flag)
        return out

    def _word(self, word: str, flag: str, before: str) -> str:
        """One word of a vector: ``flag`` is the secret flag it belongs to, if any; ``before`` the word before it."""
        if flag and not word.startswith("-") and (before == flag or "/" not in word):
            return self._once(word)
        if before in ("-e", "--env"):
            return self.assignment(word)
        match = _FLAG_EQUALS.match(word)
        return match[1] + self._once(match[2]) if match else self.text(word)

    def document(self, document: Document) -> None:
        """Redact a parsed document in place: Secrets, variables, arguments, annotations, URLs."""
        root = document.root
        kind = root.value.get("kind") if isinstance(root.value, dict) else None
        self._walk(document, root, secret=kind == "Secret")

    def _walk(self, document: Document, top: Node, secret: bool) -> None:
        stack: list[tuple[Node, bool]] = [(top, False)]
        seen: set[tuple[int, bool]] = set()  # an anchor's mapping stands in many places and is redacted once
        while stack:
            node, in_secret = stack.pop()
            value = node.value
            if not isinstance(value, (dict, list)):
                if isinstance(value, str):
                    self._replace(document, node, self.text(value))
                continue
            if (id(value), in_secret) in seen:
                continue
            seen.add((id(value), in_secret))
            if isinstance(value, dict):
                kind = value.get("kind")
                holds_secret = (kind == "Secret" and "apiVersion" in value) or (secret and node is top)
                name = value.get("name")
                for key, child in node.items():
                    part = child.value
                    if isinstance(part, (dict, list)):
                        inside = in_secret or (holds_secret and key in ("data", "stringData"))
                        # Trackers write each setting of a run as {desc: …, value: …}.
                        if isinstance(part, dict) and "value" in part and part.keys() <= {"value", "desc"}:
                            inside = inside or is_secret_name(key)
                        stack.append((child, inside))
                        if kind == "SecretList" and key == "items":
                            stack.extend(
                                (item[field], True) for item in child.each() for field in ("data", "stringData")
                            )
                    elif isinstance(part, str):
                        if in_secret:
                            self._replace(document, child, self._secret_data(part))
                        elif key == "value" and isinstance(name, str):
                            self._replace(document, child, self.variable(name, part))
                        else:
                            self._replace(document, child, self._field(key, part))
                    elif part is not None and not isinstance(part, bool):
                        named = name if key == "value" and isinstance(name, str) else key
                        if in_secret or (_is_variable(named) and is_secret_name(named)):
                            self._replace(document, child, self.marker(str(part)))
            else:
                self._list(document, node, in_secret, stack)

    def _list(self, document: Document, node: Node, in_secret: bool, stack: list[tuple[Node, bool]]) -> None:
        before = flag = ""
        environment = node.key in ("environment", "env", "Env")  # the last is Docker's
        for child in node.each():
            part = child.value
            if isinstance(part, (dict, list)):
                stack.append((child, in_secret))
                before = flag = ""
            elif isinstance(part, str):
                if in_secret:
                    redacted = self._secret_data(part)
                elif isinstance(node.key, str) and is_secret_name(node.key):  # api_keys: [a, b]
                    redacted = self._field(node.key, part)
                else:
                    redacted = self.assignment(part) if environment else self._word(part, flag, before)
                self._replace(document, child, redacted)
                before, flag = part, _flag_of(part, flag)
            elif part is not None and (in_secret or flag):
                self._replace(document, child, self.marker(str(part)))

    def _field(self, key: str, text: str) -> str:
        if key.endswith("last-applied-configuration"):
            if '"kind":"Secret"' in text or '"kind": "Secret"' in text:
                return self.marker(text)
            return self.text(text)
        # secretName, secretKeyRef.key, tokenizer …: a name that points to a secret is none itself.
        if key in ("token", "secret", "auth", "credentials"):
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
        if _REFERENCE.match(secret):
            return secret
        default = _DEFAULT.match(secret)
        if default is not None:
            return default[1] + self._once(default[2]) + default[3]
        return self.marker(secret)

    def _items(self, name: str, listed: str) -> str:
        """The values in brackets behind a name."""
        if not is_secret_name(name):
            return listed

        def item(match: re.Match[str]) -> str:
            if match[1]:
                return match[1] + self._field(name, match[2]) + match[3]
            return match[0] if match[5] in _NO_VALUE else self._field(name, match[5])

        return _ITEM.sub(item, listed)

    def _below(self, match: re.Match[str]) -> str:
        if not is_secret_name(match[3]):
            return match[0]
        head, end, lines = match[4].partition("\n")
        return match[1] + head + end + _LINE.sub(lambda m: m[1] + self._field(match[3], m[2]) + m[3], lines)

    def _quoted(self, value: str) -> str:
        """A value that may stand in quotes, which stay. A comma or bracket of the text around it stays too."""
        if len(value) > 1 and value[0] in "'\"" and value[-1] == value[0]:
            return value[0] + self._once(value[1:-1]) + value[0] if len(value) > 2 else value
        return self._once(value)

    def _assigned(self, value: str) -> str:
        """A value behind an equals sign; one that a program printed (``api_key=None, port=8000)``) may be none."""
        plain = value.strip(",()[]{}")
        return value if not plain or plain in _NO_VALUE else self._quoted(value)

    def _quoted_assignment(self, match: re.Match[str]) -> str:
        before = match.string[max(0, match.start() - 12) : match.start()]
        if not is_secret_name(match[2][:-1]) or _SHELL_BEFORE.search(before) or _COMMAND_INSIDE.search(match[3]):
            return match[0]
        return match[1] + match[2] + self._once(match[3]) + match[1]

    def _header(self, value: str) -> str:
        return value if value.lower() in ("bearer", "basic") else self._once(value)

    def _replace(self, document: Document, node: Node, redacted: str) -> None:
        if redacted != node.value:
            document.replace(node, redacted)


class Recalling(Redactor):
    """A redactor that knows, while it lives, what it replaced, so that a bundle can be searched for it: a secret whose
    name gave it away in one place may stand without a name in another."""

    def __init__(self, key: bytes | None = None) -> None:
        super().__init__(key)
        self._replaced: dict[str, str] = {}
        self._found: re.Pattern[str] | None = None

    def marker(self, secret: str) -> str:
        """As of every redactor; what could be nothing but a secret is remembered."""
        marker = super().marker(secret)
        # Of a file in a Secret only what looks like a key: its lines may be settings that others have, too.
        lines = [one for one in secret.splitlines() if _KEY_LINE.match(one)] if "\n" in secret else [secret]
        for line in lines:
            if line not in self._replaced and _is_unmistakable(line):
                self._replaced[line] = marker
                self._found = None
        return marker

    def without(self, text: str) -> str:
        """``text`` with what was replaced elsewhere masked, its length unchanged."""
        if not self._replaced or len(text) < _UNMISTAKABLE:
            return text
        if self._found is None:
            longest = sorted(self._replaced, key=len, reverse=True)[:_MOST_SOUGHT]
            self._found = re.compile(f"(?<![A-Za-z0-9])(?:{'|'.join(map(re.escape, longest))})")
        return self._found.sub(lambda m: "*" * len(m[0]), text)


_KEY_LINE = _Pattern(r"[A-Za-z0-9+/_.~-]+={0,2}\Z")
_MOST_SOUGHT = 2000
_UNMISTAKABLE = 12  # characters; shorter ones are often words that stand elsewhere by chance


def _is_unmistakable(secret: str) -> bool:
    return (
        len(secret) >= _UNMISTAKABLE
        and any(char.isdigit() for char in secret)
        and any(char.isalpha() for char in secret)
        and not any(char.isspace() for char in secret)
        and ("/" not in secret or len(secret) >= 40)  # a path or the name of a model may stand behind a secret's name
        and MARKER.search(secret) is None
    )


def _flag_of(word: str, flag: str) -> str:
    """The secret flag that the next word belongs to. Several keys may stand behind one flag."""
    if word.startswith("-"):
        return word if _FLAG_ALONE.match(word) else ""
    return flag if flag and "key" in flag.lower() else ""


def _is_variable(name: str) -> bool:
    """Whether a name is written as environment variables are."""
    return name.upper() == name or "password" in name.lower()


def is_secret_name(name: str) -> bool:
    """Whether a variable, field or flag of this name holds a secret (``HF_TOKEN``, ``apiKey``; not ``EOS_TOKEN``)."""
    return _is_secret_name(name[-_LONGEST_NAME:])


@functools.lru_cache(maxsize=4096)  # the names of fields are few, and asked for at every value
def _is_secret_name(name: str) -> bool:
    name = name.rpartition("/")[2]  # an annotation: example.com/password
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


def tell_of_each_other(a: object, b: object) -> bool:
    """Whether the markers in two values were all made under one key, so that they are equal where the secrets are."""
    return len(_keys(a) | _keys(b)) <= 1


def _keys(value: object) -> set[str]:
    if isinstance(value, str):
        return {marker[9:17] for marker in MARKER.findall(value)} if "redacted:" in value else set()
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return {key for part in parts for key in _keys(part)}


def shown(text: str) -> str:
    """``text`` as a report may show it: markers become ``<redacted>``."""
    return MARKER.sub("<redacted>", text) if "redacted:" in text else text
