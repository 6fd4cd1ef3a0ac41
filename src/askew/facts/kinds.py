"""The types that values of facts have: how each is read, compared and shown.

Every ``parse`` takes the spellings the field uses and its own canonical form, so it is idempotent, and takes None as
"known to be absent". Modules of ``facts.values`` are imported inside the functions that need them: most values
arrive as plain numbers or words, and a two-file comparison should not pay for parsers it does not use.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from askew.facts.types import Value, ValueType

# Regular expressions would cost more to compile at start than all of a comparison's values cost to read.
_DIGITS = frozenset("0123456789")
_NUMERIC = frozenset("0123456789+-.eE")
_HEX = frozenset("0123456789abcdef")
_ALGORITHM = frozenset("abcdefghijklmnopqrstuvwxyz0123456789+._-")

UNLIMITED = "unlimited"
_UNLIMITED = frozenset({"unlimited", "infinity", "infinite", "inf"})
_TRUE = frozenset({"true", "yes", "on", "1", "t", "y"})
_FALSE = frozenset({"false", "no", "off", "0", "f", "n"})
_SUFFIXES = frozenset("kKmMgGtT")
_LARGEST = 2**64  # no count, size or identifier of the field is larger; it bounds what hostile input can cost
_DEEPEST = 40  # levels of nested data; real values have four


# -- comparison ------------------------------------------------------------------------------------------------------


def same_data(a: Value, b: Value) -> bool:
    """Equality of canonical data: integers exactly, floats to nine digits, ``True`` never equal to ``1``."""
    if a is b:
        return True
    if isinstance(a, bool) or isinstance(b, bool):
        return False
    if isinstance(a, (int, float)) and isinstance(b, (int, float)):
        if isinstance(a, int) and isinstance(b, int):
            return a == b
        return a == b or abs(a - b) <= 1e-9 * max(abs(a), abs(b))
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(same_data(x, y) for x, y in zip(a, b, strict=True))
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(same_data(value, b[key]) for key, value in a.items())
    return a == b


# -- showing ---------------------------------------------------------------------------------------------------------


def show_data(value: Value) -> str:
    """Canonical data for people: lists with commas, maps as ``key=value``, None and nothing as ``none``."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return ", ".join(_inner(item) for item in value) or "none"
    if isinstance(value, dict):
        return ", ".join(f"{key}={_inner(item)}" for key, item in value.items()) or "none"
    if isinstance(value, str):
        return value or '""'
    return repr(value)


def _inner(value: Value) -> str:
    shown = show_data(value)
    if isinstance(value, dict):
        return f"{{{shown if value else ''}}}"
    return f"[{shown if value else ''}]" if isinstance(value, list) else shown


def _show_bytes(value: Value) -> str:
    if not isinstance(value, int) or isinstance(value, bool):
        return show_data(value)
    for unit, size in (("TiB", 2**40), ("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10)):
        if value >= size:
            return f"{value / size:.4g} {unit} ({value})"
    return f"{value} bytes"


def _show_seconds(value: Value) -> str:
    return f"{value} s" if isinstance(value, (int, float)) and not isinstance(value, bool) else show_data(value)


# -- parsing ---------------------------------------------------------------------------------------------------------


def _excerpt(raw: object) -> str:
    text = repr(raw) if not isinstance(raw, int) else "a number of that size"
    return text if len(text) <= 80 else text[:77] + "..."


def _refuse(raw: object, expected: str) -> ValueError:
    return ValueError(f"expected {expected}, got {_excerpt(raw)}")


def _tidy(number: float) -> int | float:
    """A whole number as an integer, so that 60 and 60.0 are one value."""
    return int(number) if number == int(number) and abs(number) < 2**53 else number


def _finite(raw: int | float, expected: str) -> int | float:
    if isinstance(raw, int):
        if not -_LARGEST <= raw <= _LARGEST:
            raise _refuse(raw, f"{expected} below 2^64")
        return raw
    if raw != raw or raw in (float("inf"), float("-inf")):
        raise _refuse(raw, expected)
    return _tidy(raw)


def _data(raw: object, depth: int = 0) -> Value:
    """JSON data in canonical form: keys are text and sorted, whole floats are integers."""
    if raw is None or isinstance(raw, (bool, str)):
        return raw
    if isinstance(raw, (int, float)):
        return _finite(raw, "a finite number")
    if depth >= _DEEPEST:
        raise ValueError(f"expected data of at most {_DEEPEST} levels")
    if isinstance(raw, (list, tuple)):
        return [_data(item, depth + 1) for item in raw]
    if isinstance(raw, Mapping):
        return (
            {key: _data(raw[key], depth + 1) for key in sorted(raw)} if _text_keys(raw) else _data(_textual(raw), depth)
        )
    raise _refuse(raw, "text, a number, true or false, a list or a map")


def _text_keys(raw: Mapping[object, object]) -> bool:
    return all(isinstance(key, str) for key in raw)


def _textual(raw: Mapping[object, object]) -> dict[str, object]:
    """YAML reads ``1:`` and ``true:`` as a number and a boolean; as keys they are text."""
    return {show_data(key) if isinstance(key, (bool, int, float)) or key is None else str(key): raw[key] for key in raw}


def _any_order(value: Value) -> Value:
    """The same data with every list sorted: for structures in which no order means anything."""
    if isinstance(value, list):
        return sorted((_any_order(item) for item in value), key=repr)
    if isinstance(value, dict):
        return {key: _any_order(item) for key, item in value.items()}
    return value


def _as_integer(word: str) -> int | None:
    """The integer that plain digits with an optional sign are, or None."""
    digits = word[1:] if word[:1] in ("+", "-") else word
    return int(word) if digits and len(digits) <= 20 and _DIGITS.issuperset(digits) else None


def _as_number(word: str) -> int | float | None:
    """The finite number a word in JSON's notation, or nearly so (``+1``, ``.5``, ``5.``), is, or None."""
    if not word or len(word) > 40 or not _NUMERIC.issuperset(word):
        return None
    whole = _as_integer(word)
    if whole is not None:
        return whole
    try:
        number = float(word)
    except ValueError:
        return None
    return None if number in (float("inf"), float("-inf")) else _tidy(number)


def _setting(raw: Value) -> Value:
    """A scalar as configuration files mean it: ``"0.7"`` is 0.7 and ``"true"`` is true."""
    if isinstance(raw, str):
        text = raw.strip()
        number = _as_number(text)
        if number is not None:
            return _finite(number, "a number")
        lowered = text.lower()
        if lowered in ("true", "false"):
            return lowered == "true"
        return None if lowered in ("", "null", "none") else text
    return _data(raw)


def _number(raw: Value) -> Value:
    if raw is None:
        return None
    if isinstance(raw, (int, float)) and not isinstance(raw, bool):
        return _finite(raw, "a finite number")
    number = _as_number(raw.strip()) if isinstance(raw, str) else None
    if number is None:
        raise _refuse(raw, "a number")
    return _finite(number, "a number")


def _text(raw: Value) -> Value:
    """One line or block of text without surrounding blanks; nothing is None."""
    if raw is None:
        return None
    if isinstance(raw, str):
        return raw.strip() or None
    if isinstance(raw, (bool, int, float)):
        return show_data(_data(raw))
    raise _refuse(raw, "text")


def _verbatim(raw: Value) -> Value:
    if raw is None or isinstance(raw, str):
        return raw
    if isinstance(raw, (bool, int, float)):
        return show_data(_data(raw))
    raise _refuse(raw, "text")


def _boolean(raw: Value) -> Value:
    if raw is None or isinstance(raw, bool):
        return raw
    word = str(raw).strip().lower() if isinstance(raw, str) or raw in (0, 1) else ""
    if word in _TRUE or word == "1.0":
        return True
    if word in _FALSE or word == "0.0":
        return False
    raise _refuse(raw, "true or false")


def _whole(raw: Value, expected: str, unlimited: bool, least: int | None) -> Value:
    """An integer, as engines read integers: ``8192``, ``"8192"``, ``"32k"``, ``"1e5"``."""
    if raw is None:
        return None
    number: Value = None
    if isinstance(raw, str):
        word = raw.strip()
        if unlimited and word.lower() in _UNLIMITED:
            return UNLIMITED
        number = _as_integer(word)
        if number is None:
            from askew.facts.values.integer import engine_integer, written_integer

            try:
                number = written_integer(word) if word[-1:] not in _SUFFIXES else engine_integer(word)
            except ValueError:
                raise _refuse(raw, expected) from None
    elif isinstance(raw, (int, float)) and not isinstance(raw, bool):
        number = _finite(raw, expected)
    if not isinstance(number, int) or isinstance(number, bool):
        raise _refuse(raw, expected)
    if least is not None and number < least:
        raise _refuse(raw, expected)
    return _finite(number, expected)


def _count(raw: Value) -> Value:
    return _whole(raw, "a whole number of zero or more", False, 0)


def _limit(raw: Value) -> Value:
    return _whole(raw, "a whole number of zero or more, or unlimited", True, 0)


def _integer(raw: Value) -> Value:
    return _whole(raw, "a whole number", False, None)


def _tokens(raw: Value) -> Value:
    return _whole(raw, "a number of tokens", False, 0)


def _token_limit(raw: Value) -> Value:
    return _whole(raw, "a number of tokens, or unlimited", True, 0)


def _byte_count(raw: Value, unlimited: bool) -> Value:
    if raw is None:
        return None
    expected = "a size such as 17179869184, 16Gi or 16 GB" + (", or unlimited" if unlimited else "")
    if isinstance(raw, str):
        word = raw.strip()
        if unlimited and word.lower() in _UNLIMITED:
            return UNLIMITED
        if _as_integer(word) is None:
            from askew.facts.values import quantity

            for read in (quantity.bytes_, quantity.byte_size):
                try:
                    return _byte_count(read(word), unlimited)
                except ValueError:
                    continue
            raise _refuse(raw, expected)
    return _whole(raw, expected, unlimited, 0)


def _bytes(raw: Value) -> Value:
    return _byte_count(raw, False)


def _bytes_limit(raw: Value) -> Value:
    return _byte_count(raw, True)


def _cores(raw: Value) -> Value:
    if raw is None:
        return None
    number: Value = None
    if isinstance(raw, str) and _as_number(raw.strip()) is None:
        from askew.facts.values.quantity import cores

        try:
            number = _number(float(cores(raw.strip())))
        except ValueError:
            raise _refuse(raw, "cores such as 4, 0.5 or 500m") from None
    elif not isinstance(raw, (bool, list, dict)):
        number = _number(raw)
    if not isinstance(number, (int, float)) or number < 0:
        raise _refuse(raw, "cores such as 4, 0.5 or 500m")
    return number


def _seconds(raw: Value) -> Value:
    if raw is None:
        return None
    number: Value = None
    expected = "seconds, a duration such as 90s or 1m30s, or unlimited"
    if isinstance(raw, str) and _as_number(raw.strip()) is None:
        if raw.strip().lower() in _UNLIMITED:
            return UNLIMITED
        from askew.facts.values.duration import go_duration

        try:
            number = _number(go_duration(raw.strip()))
        except ValueError:
            raise _refuse(raw, expected) from None
    elif not isinstance(raw, (bool, list, dict)):
        number = _number(raw)
    if not isinstance(number, (int, float)) or number < 0:
        raise _refuse(raw, expected)
    return number


def _ratio(raw: Value) -> Value:
    if raw is None:
        return None
    number: Value = None
    if isinstance(raw, str) and raw.strip().endswith("%"):
        percent = _number(raw.strip()[:-1])
        number = percent / 100 if isinstance(percent, (int, float)) else None
    elif not isinstance(raw, (bool, list, dict)):
        number = _number(raw)
    if not isinstance(number, (int, float)) or not 0 <= number <= 1:
        raise _refuse(raw, "a fraction from 0 to 1")
    return float(number)


def _dtype(raw: Value) -> Value:
    if raw is None:
        return None
    if isinstance(raw, str):
        from askew.facts.values.dtype import dtype

        return dtype(raw)
    raise _refuse(raw, "a dtype such as bfloat16, half or fp8_e4m3")


def _digest(raw: Value) -> Value:
    if raw is None:
        return None
    if isinstance(raw, str):
        word = raw.strip().rsplit("@", 1)[-1].lower()
        algorithm, colon, hexadecimal = word.rpartition(":")
        if hexadecimal and _HEX.issuperset(hexadecimal):
            if not colon and len(hexadecimal) == 64:
                return "sha256:" + word
            if algorithm and _ALGORITHM.issuperset(algorithm):
                return word
    raise _refuse(raw, "a digest such as sha256:0123…")


def _algorithm(digest: Value) -> str:
    return str(digest).rpartition(":")[0]


def _version(raw: Value) -> Value:
    if raw is None:
        return None
    if isinstance(raw, (int, float)) and not isinstance(raw, bool):
        raw = show_data(_data(raw))  # YAML reads 0.8 as a number
    if isinstance(raw, str) and raw.strip():
        from askew.facts.values.version import version

        return version(raw)
    raise _refuse(raw, "a version such as 0.8.5")


def _same_version(a: Value, b: Value) -> bool:
    if a == b or not isinstance(a, str) or not isinstance(b, str):
        return a == b
    from askew.facts.values.version import same

    return same(a, b)


def _same_signature(a: Value, b: Value) -> bool:
    from askew.facts.values.signature import same

    return same(a, b)


def _signatures_tell(a: Value, b: Value) -> bool:
    from askew.facts.values.signature import tells

    return tells(a, b)


def _signatures_differ(a: Value, b: Value) -> str:
    from askew.facts.values.signature import difference

    return difference(a, b)


def _strings(raw: Value, read: Callable[[str], str], expected: str) -> Value:
    if raw is None:
        return None
    if isinstance(raw, str):
        raw = [*raw.split(",")]
    if not isinstance(raw, (list, tuple)):
        raise _refuse(raw, expected)
    words: set[str] = set()
    for item in raw:
        word = _text(item)
        if isinstance(word, str) and (word := read(word)):
            words.add(word)
    return [*sorted(words)]


def _as_is(word: str) -> str:
    return word


def _gpu(word: str) -> str:
    # Node labels, NVML and people write one name as NVIDIA-H100-80GB-HBM3 and "NVIDIA H100 80GB HBM3".
    return "-".join(word.lower().replace("_", "-").split())


def _string_set(raw: Value) -> Value:
    return _strings(raw, _as_is, "a list of names")


def _gpu_set(raw: Value) -> Value:
    return _strings(raw, _gpu, "a list of GPU ids such as h100-80gb-sxm")


def _gpus_satisfy(declared: Value, target: Value) -> bool | None:
    """A subset of what was declared meets it; no common member fails it; an overlap leaves it open."""
    if not isinstance(declared, list) or not isinstance(target, list):
        return declared == target
    admitted, shown = {str(item) for item in declared}, {str(item) for item in target}
    if not shown or not admitted:
        return admitted == shown
    if shown <= admitted:
        return True
    return None if shown & admitted else False


def _sizes_satisfy(declared: Value, target: Value) -> bool | None:
    """As many bytes, or as many GB as were declared GiB."""
    if declared == target or not isinstance(declared, int) or not isinstance(target, int):
        return declared == target
    return round(declared / 2**30 * 10**9) == target


_PATHS = ("/", "./", "../", "file:", "pvc:")


def _sources_satisfy(declared: Value, target: Value) -> bool | None:
    """One place in two spellings is the same. A path does not tell where its files were copied from."""
    if not isinstance(declared, str) or not isinstance(target, str):
        return declared == target
    a, b = (text.removeprefix("hf://").rstrip("/") for text in (declared, target))
    if a == b:
        return True
    return None if a.startswith(_PATHS) != b.startswith(_PATHS) else False


def _all_in(declared: Value, target: Value) -> bool | None:
    """Every declared member is there; others may be."""
    if not isinstance(declared, list) or not isinstance(target, list):
        return declared == target
    return all(item in target for item in declared)


def _map_in(raw: Value, expected: str) -> Mapping[str, Value] | None:
    """A map, given as one or as JSON text."""
    if raw is None:
        return None
    if isinstance(raw, str):
        import msgspec

        try:
            raw = msgspec.json.decode(raw)
        except (msgspec.DecodeError, RecursionError, UnicodeEncodeError):
            raise _refuse(raw, expected) from None
    if not isinstance(raw, Mapping):
        raise _refuse(raw, expected)
    return raw if _text_keys(raw) else _textual(raw)  # type: ignore[return-value,arg-type]  # values are checked one by one


# The names whose steps are known: files that have the steps are read as these.
_PRE_TOKENIZERS = ("gpt-2", "llama-bpe", "qwen2")


def _known_steps(value: Value) -> bool:
    return value in _PRE_TOKENIZERS


def _only_a_name(value: Value) -> bool:
    return str(value).islower() and "{" not in str(value)


# -- the types -------------------------------------------------------------------------------------------------------


def _type(
    name: str, parse: Callable[[Value], Value], schema: dict[str, Value], show: Callable[[Value], str] = show_data
) -> ValueType:
    return ValueType(name=name, parse=parse, same=same_data, show=show, schema=schema)


def _or_unlimited(schema: dict[str, Value]) -> dict[str, Value]:
    return {"anyOf": [schema, {"const": UNLIMITED}]}


_WHOLE: dict[str, Value] = {"type": "integer", "minimum": 0}

text = _type("text", _text, {"type": "string"})
source = ValueType(
    name="text", parse=_text, same=same_data, show=show_data, schema={"type": "string"}, satisfies=_sources_satisfy
)
# The class that config.json names; a GGUF file has its own, lower-case names, one for several classes.
architecture = ValueType(
    name="text", parse=_text, same=same_data, show=show_data, schema={"type": "string"},
    comparable=lambda a, b: str(a).islower() == str(b).islower(),
)  # fmt: skip
# A pre-tokenizer by the name that GGUF files have for it, or by its steps. Of most names nobody says which steps.
pre_tokenizer = ValueType(
    name="text",
    parse=_text,
    same=same_data,
    show=show_data,
    schema={"type": "string"},
    comparable=lambda a, b: _known_steps(a) or _known_steps(b) or _only_a_name(a) == _only_a_name(b),
)
verbatim = _type("text", _verbatim, {"type": "string"})  # blanks and emptiness matter: environment variables
boolean = _type("bool", _boolean, {"type": "boolean"})
count = _type("count", _count, _WHOLE)
count_or_unlimited = _type("count", _limit, _or_unlimited(_WHOLE))
integer = _type("count", _integer, {"type": "integer"})
number = _type("number", _number, {"type": "number"})
tokens = _type("tokens", _tokens, _WHOLE)
tokens_or_unlimited = _type("tokens", _token_limit, _or_unlimited(_WHOLE))
bytes_ = _type("bytes", _bytes, _WHOLE, _show_bytes)
bytes_or_unlimited = _type("bytes", _bytes_limit, _or_unlimited(_WHOLE), _show_bytes)
# Of a contract that says 64 GB or 64 GiB, either is meant: people and cloud consoles mix the two.
bytes_either = ValueType(
    name="bytes",
    parse=_bytes,
    same=same_data,
    show=_show_bytes,
    schema=_WHOLE,
    satisfies=lambda declared, target: _sizes_satisfy(declared, target),
)
cores = _type("cores", _cores, {"type": "number", "minimum": 0})
seconds = _type("seconds", _seconds, _or_unlimited({"type": "number", "minimum": 0}), _show_seconds)
ratio = _type("ratio", _ratio, {"type": "number", "minimum": 0, "maximum": 1})
dtype = _type("dtype", _dtype, {"type": "string"})
digest = ValueType(
    name="digest",
    parse=_digest,
    same=same_data,
    show=show_data,
    schema={"type": "string", "pattern": "^[a-z0-9+._-]+:[0-9a-f]+$"},
    comparable=lambda a, b: _algorithm(a) == _algorithm(b),
)
version = ValueType(name="version", parse=_version, same=_same_version, show=show_data, schema={"type": "string"})
setting = _type("setting", _setting, {})  # a value of an open map: "0.7" is a number, "true" a boolean
data = _type("data", _data, {})  # JSON data as it is
signature = ValueType(
    name="map",
    parse=_data,
    same=_same_signature,
    show=show_data,
    schema={},
    comparable=_signatures_tell,
    difference=_signatures_differ,
)
_STRINGS: dict[str, Value] = {"type": "array", "items": {"type": "string"}, "uniqueItems": True}
string_set = ValueType(
    name="set<text>", parse=_string_set, same=same_data, show=show_data, schema=_STRINGS, satisfies=_all_in
)
gpu_set = ValueType(
    name="set<gpu>", parse=_gpu_set, same=same_data, show=show_data, schema=_STRINGS, satisfies=_gpus_satisfy
)


def about(kind: ValueType, relative: float, least: float = 0.0, better: int = 0) -> ValueType:
    """The same type for what is measured: two values are the same that are apart by no more than this part of the
    larger one, or by no more than ``least``. A declared value is met by every one that is no worse: by lower ones where
    ``better`` is below zero, by higher ones where it is above."""

    def same(a: Value, b: Value) -> bool:
        if isinstance(a, bool) or isinstance(b, bool) or not isinstance(a, (int, float)):
            return same_data(a, b)
        return isinstance(b, (int, float)) and abs(a - b) <= max(least, relative * max(abs(a), abs(b)))

    def satisfies(declared: Value, target: Value) -> bool | None:
        if better and isinstance(declared, (int, float)) and isinstance(target, (int, float)):
            return same(declared, target) or (target - declared) * better > 0
        return same(declared, target)

    return ValueType(
        name=kind.name, parse=kind.parse, same=same, show=kind.show, schema=kind.schema, satisfies=satisfies
    )


def enum(
    *choices: str,
    aliases: Mapping[str, str] | None = None,
    open_: bool = False,
    absent: str | None = None,
    lower: bool = True,
) -> ValueType:
    """One of several words, in any case. ``open_`` lets words through that are not listed (lower-cased unless ``lower``
    is false): engines grow new ones. ``absent`` is the word that means the same as None.
    """
    words = {choice.lower(): choice for choice in choices}
    if aliases:
        words.update(aliases)
    expected = "one of " + ", ".join(choices)

    def parse(raw: Value) -> Value:
        if raw is None:
            return absent
        if isinstance(raw, bool) or not isinstance(raw, (str, int, float)):
            raise _refuse(raw, expected)
        word = raw.strip() if isinstance(raw, str) else show_data(_data(raw))
        if not word:
            return absent
        known = words.get(word.lower())
        if known is not None:
            return known
        if not open_:
            raise _refuse(raw, expected)
        return word.lower() if lower else word

    same = same_data
    if absent is not None:

        def same(a: Value, b: Value) -> bool:
            return (absent if a is None else a) == (absent if b is None else b)

    schema: dict[str, Value] = {"type": "string", "examples": [*choices]} if open_ else {"enum": [*choices]}
    return ValueType(name="enum", parse=parse, same=same, show=show_data, schema=schema)


def mapping(
    of: ValueType = setting,
    fields: Mapping[str, ValueType] | None = None,
    *,
    keyed: bool = True,
    record: bool = False,
) -> ValueType:
    """A map from text to ``of``; keys named in ``fields`` have a type of their own.

    ``keyed`` maps are resolved and compared key by key: ``entry(key)`` is the type of one value. As a declared value a
    map speaks only of the keys it has. ``record`` says that the keys belong together.
    """
    known = fields or {}
    expected = "a map" + (" of " + of.name if of is not setting and of is not data else "")

    def entry(key: str) -> ValueType:
        return known.get(key, of)

    def parse(raw: Value) -> Value:
        given = _map_in(raw, expected)
        if given is None:
            return None
        parsed: dict[str, Value] = {}
        for key in sorted(given):
            try:
                parsed[key] = known.get(key, of).parse(given[key])
            except ValueError as error:
                raise ValueError(f"{key}: {error}") from None
        return parsed

    def same(a: Value, b: Value) -> bool:
        if not isinstance(a, dict) or not isinstance(b, dict):
            return of.same(a, b)  # two entries
        return a.keys() == b.keys() and all(entry(key).same(value, b[key]) for key, value in a.items())

    def show(value: Value) -> str:
        if not isinstance(value, dict):
            return of.show(value)
        parts = []
        for key, item in value.items():
            shown = entry(key).show(item)
            parts.append(f"{key}={{{shown}}}" if isinstance(item, dict) else f"{key}={shown}")
        return ", ".join(parts) or "none"

    def satisfies(declared: Value, target: Value) -> bool | None:
        if not isinstance(declared, dict) or not isinstance(target, dict):
            return _met(of, declared, target)
        answers = [_met(entry(key), wanted, target.get(key)) for key, wanted in declared.items()]
        if False in answers:
            return False
        return None if None in answers else True

    schema: dict[str, Value] = {"type": "object", "additionalProperties": _or_null(of.schema)}
    if known:
        schema["properties"] = {key: _or_null(kind.schema) for key, kind in known.items()}
    name = f"map<text,{of.name}>" if of is not setting and of is not data else "map"
    return ValueType(
        name=name,
        parse=parse,
        same=same,
        show=show,
        schema=schema,
        satisfies=satisfies,
        keyed=keyed,
        entry=entry,
        record=record,
    )


def _met(kind: ValueType, declared: Value, target: Value) -> bool | None:
    return kind.satisfies(declared, target) if kind.satisfies else kind.same(declared, target)


def _or_null(schema: dict[str, Value]) -> Value:
    return {"anyOf": [schema, {"type": "null"}]} if schema else {}


def _listed(entry: Value) -> tuple[int, float, str]:
    """The place of an entry in a list without an order of its own: numbers as numbers, everything else as text."""
    if isinstance(entry, (int, float)) and not isinstance(entry, bool):
        return (0, float(entry), "")
    return (1, 0.0, repr(entry))


def list_of(item: ValueType, *, ordered: bool = False) -> ValueType:
    """A list of ``item``; sorted, and without repetitions, unless ``ordered``."""
    expected = f"a list of {item.name}"

    def parse(raw: Value) -> Value:
        if raw is None:
            return None
        if isinstance(raw, (str, Mapping)):
            raw = [raw]  # a single one stands for a list of one
        if not isinstance(raw, (list, tuple)):
            raise _refuse(raw, expected)
        parsed = [item.parse(entry) for entry in raw]
        if ordered:
            return parsed
        unique = {repr(entry): entry for entry in parsed if entry is not None}
        return sorted(unique.values(), key=_listed)

    def same(a: Value, b: Value) -> bool:
        if not isinstance(a, list) or not isinstance(b, list):
            return a == b
        if not ordered:  # a default comes as its engine counts it
            a, b = sorted(a, key=_listed), sorted(b, key=_listed)
        return len(a) == len(b) and all(item.same(x, y) for x, y in zip(a, b, strict=True))

    def show(value: Value) -> str:
        if not isinstance(value, list):
            return show_data(value)
        shown = [item.show(entry) for entry in value]
        return ("; " if item.keyed or item.name.startswith("map") else ", ").join(shown) or "none"

    schema: dict[str, Value] = {"type": "array", "items": item.schema}
    return ValueType(name=f"list<{item.name}>", parse=parse, same=same, show=show, schema=schema)


def item_of(**fields: ValueType) -> ValueType:
    """A map with named fields that is compared as a whole: one item of a list. Other fields are kept as they are."""
    return mapping(setting, fields, keyed=False)


# -- Kubernetes structures in which no order means anything ----------------------------------------------------------


def _tolerations(raw: Value) -> Value:
    """Sorted ``{key, operator, value, effect, seconds}``, as Kubernetes writes them or already in that form."""
    if raw is None:
        return None
    if not isinstance(raw, (list, tuple)):
        raise _refuse(raw, "a list of tolerations")
    found: dict[str, Value] = {}
    for item in raw:
        entry = _data(item)
        if not isinstance(entry, dict):
            raise _refuse(item, "a toleration with key, operator, value and effect")
        seconds_ = entry.pop("tolerationSeconds", None)
        if seconds_ is not None:
            entry["seconds"] = seconds_
        entry.setdefault("operator", "Equal")
        if entry["operator"] in (None, ""):
            entry["operator"] = "Equal"
        kept = {key: entry[key] for key in sorted(entry) if entry[key] not in (None, "")}
        found[repr(kept)] = kept
    return [found[key] for key in sorted(found)]


_REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
_PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"
_AFFINITIES = (("nodeAffinity", "node"), ("podAffinity", "pod"), ("podAntiAffinity", "not-pod"))


def _affinity(raw: Value) -> Value:
    """Sorted ``{to: node|pod|not-pod, required: true, any_of|term: …}`` and ``{to, weight, term}``.

    Accepts a pod's ``affinity`` object or that list.
    """
    if raw is None:
        return None
    rules = _data(raw)
    if isinstance(rules, dict):
        rules = _affinity_rules(rules)
    if not isinstance(rules, list) or not all(isinstance(rule, dict) for rule in rules):
        raise _refuse(raw, "an affinity object")
    return _any_order(rules)


def _affinity_rules(affinity: dict[str, Value]) -> list[Value]:
    rules: list[Value] = []
    for field, to in _AFFINITIES:
        part = affinity.get(field)
        if not isinstance(part, dict):
            continue
        required = part.get(_REQUIRED)
        if isinstance(required, dict):
            required = required.get("nodeSelectorTerms")
            if isinstance(required, list) and required:
                rules.append({"any_of": required, "required": True, "to": to})
        elif isinstance(required, list):
            rules.extend({"required": True, "term": term, "to": to} for term in required)
        preferred = part.get(_PREFERRED)
        for choice in preferred if isinstance(preferred, list) else ():
            if isinstance(choice, dict):
                term = choice.get("preference", choice.get("podAffinityTerm"))
                rules.append({"term": term, "to": to, "weight": choice.get("weight")})
    return rules


_MAPS: dict[str, Value] = {"type": "array", "items": {"type": "object"}}
tolerations = _type("list<map>", _tolerations, _MAPS, lambda value: _show_maps(value))
affinity = _type("list<map>", _affinity, _MAPS, lambda value: _show_maps(value))


def _show_maps(value: Value) -> str:
    return "; ".join(show_data(item) for item in value) or "none" if isinstance(value, list) else show_data(value)
