"""Captures to observations: the devices of one or several machines, told once whatever showed them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import msgspec

from askew.evidence.location import Location
from askew.facts.types import Value
from askew.knowledge.gpus import gpu_of_device, gpu_of_prefix, info, instance_gpus, mig_profile
from askew.platforms.kubernetes.observe import observed
from askew.platforms.smi.capture import Capture, Device, Said, Slice, nothing
from askew.resolve.observation import PRECEDENCE, Confidence, Observation, Origin, Unknown

LIST = "nvidia-smi -L"
_STEP = 10  # between the ranks of two origins, in resolve.resolve
_REPORTED = _STEP * PRECEDENCE.index("reported")
_ASKED = _STEP * PRECEDENCE.index("lock") + 1  # below what a deployment asks for, above what somebody assumes
_WEAKEST = _STEP * len(PRECEDENCE)  # what was not all shown hides nothing that another source states
_UNITS = {"": 2**20, "b": 1, "mib": 2**20, "mb": 2**20, "gib": 2**30, "gb": 2**30, "kib": 2**10}
_SIZE = re.compile(r"(\d{1,18})(?:\.0+)?\s*([A-Za-z]{0,3})")
_NUMBER = re.compile(r"(\d{1,9}(?:\.\d{1,6})?)\s*(?:W|MHz|%)?")
_NO_REASONS = frozenset(("idle", "gpu_idle", "display_clock_setting", "display_clocks_setting", "none"))
# Links of one device; more between each two of many than it has go through a switch. Hopper and Blackwell have 18.
_MOST_LINKS = 18
_BY_BUS = ("SYS", "NODE", "PHB", "PXB", "PIX", "SOC", "PCIE")
# https://docs.habana.ai/en/latest/Management_and_Monitoring/Embedded_System_Tools_Guide/System_Management_Interface_Tool.html
_GAUDI = re.compile(r"HL-([23])\d\d[A-Z]{0,2}")


def observations(captures: Sequence[Capture], *, inside: bool = False) -> tuple[Observation, ...]:
    """What all captures of one source say together. Several runs on one machine are of the same devices; prompts that
    name several machines are of several.

    ``inside``: the tool ran in the engine's container, which sees its own devices and no others. Where that is not
    known, the number is likely at most, and what a deployment asks for stands over it: on a node all devices are shown.
    """
    if not captures:
        return ()
    hosts = _hosts(captures)
    machines = [_machine(group) for group in hosts]
    devices = [device for machine in machines for device in machine]
    out = [
        *_model(devices),
        *_vendor(devices, captures),
        *_mig(devices),
        *_memory(devices),
        *_numbers(devices),
        *_ecc(devices),
        *_reasons(devices),
    ]
    showing = [one for one in captures if one.devices]
    if showing and all(one.cut for one in showing):
        out = [_in_part(one, showing[0].cut) for one in out]
    return (*_count(hosts, machines, inside=inside), *out, *_versions(captures), *_links(captures))


def _in_part(one: Observation, cut: str) -> Observation:
    """An observation of devices of which some are not shown: the others may be other ones."""
    return msgspec.structs.replace(one, confidence="likely", because=(*one.because, cut))


def xid_events(errors: Sequence[Said]) -> tuple[Observation, ...]:
    """The error codes of the driver that a log shows."""
    if not errors:
        return ()
    places = dict.fromkeys(said.at for said in errors[:10])
    codes: list[Value] = [int(said.text) for said in errors]
    return (_seen("hardware.gpu.xid_events", codes, *places),)


def _seen(
    fact: str,
    value: Value | Unknown,
    *places: Location,
    confidence: Confidence = "certain",
    origin: Origin = "reported",
    because: tuple[str, ...] = (),
    key: str = "",
    raw: str = "",
    rank: int | None = None,
) -> Observation:
    made = observed(
        fact, value, *places, origin=origin, basis="seen", confidence=confidence, because=because, key=key, raw=raw
    )
    return msgspec.structs.replace(made, rank=rank) if rank is not None else made


# -- which devices there are -----------------------------------------------------------------------------------------


def _hosts(captures: Sequence[Capture]) -> list[list[Capture]]:
    """The captures by machine. One that no prompt stands before is of the machine before it."""
    named = {one.host for one in captures if one.host}
    if len(named) < 2:
        return [list(captures)]
    groups: dict[str, list[Capture]] = {}
    host = next(one.host for one in captures if one.host)
    for one in captures:
        host = one.host or host
        groups.setdefault(host, []).append(one)
    return list(groups.values())


def _machine(captures: Sequence[Capture]) -> list[Device]:
    """The devices that the captures of one machine show, those of several captures made one."""
    found: list[Device] = []
    for capture in captures:
        taken: set[int] = set()
        known = tuple(found)
        for position, device in enumerate(capture.devices):
            at = _same(known, device, taken, position)
            if at is None:
                found.append(device)
            else:
                taken.add(at)
                found[at] = _merged(found[at], device)
    return found


def _same(found: Sequence[Device], device: Device, taken: set[int], position: int) -> int | None:
    """Which of the devices that are known a device is; None for a new one."""
    for key in ("uuid", "bus", "index"):
        mine = _identity(device, key)
        if not mine:
            continue
        theirs = [_identity(one, key) for one in found]
        if mine in theirs:
            at = theirs.index(mine)
            return at if at not in taken else None
        if any(theirs) and key != "index":
            return None
    alike = (
        position < len(found)
        and position not in taken
        and not any(_identity(device, key) and _identity(found[position], key) for key in ("uuid", "bus", "index"))
    )
    return position if alike else None


def _identity(device: Device, key: str) -> str:
    said = device.said.get(key)
    if said is None:
        return ""
    text = said.text.lower()
    if key == "uuid":
        return "" if not text.strip("gpu-0") else text
    return text[-10:] if key == "bus" else text


def _merged(old: Device, new: Device) -> Device:
    """One device that two captures show: what changes from moment to moment as the later one has it."""
    said = {**new.said, **old.said, **{key: new.said[key] for key in ("used", "utilization") if key in new.said}}
    if "name" in new.said and _is_cut(said["name"].text):
        said["name"] = new.said["name"]
    reasons = new.reasons if new.reasons is not None else old.reasons
    return Device(at=old.at, said=said, slices=_slices(old.slices, new.slices), reasons=reasons)


def _slices(old: tuple[Slice, ...], new: tuple[Slice, ...]) -> tuple[Slice, ...]:
    if not old or not new or len(old) != len(new):
        return max(old, new, key=lambda parts: (sum(1 for one in parts if one.profile), len(parts)))
    return tuple(
        Slice(
            at=a.at if a.profile else b.at,
            profile=a.profile or b.profile,
            memory=b.memory or a.memory,
            used=b.used or a.used,
            uuid=a.uuid or b.uuid,
        )
        for a, b in zip(old, new, strict=True)
    )


def _is_cut(name: str) -> bool:
    return name.endswith(("...", "…"))


def _count(
    hosts: Sequence[Sequence[Capture]], machines: Sequence[Sequence[Device]], *, inside: bool
) -> Iterator[Observation]:
    fact = "hardware.gpu.count"
    total = 0
    places: list[Location] = []
    doubts: list[str] = []
    for captures, devices in zip(hosts, machines, strict=True):
        rows = [one for one in captures if one.devices or one.count or one.cut]
        counting = [one for one in rows if one.counted]
        stated = next((one.count for one in rows if one.count is not None and one.count.text.isdecimal()), None)
        whole = [one for one in counting if one.devices and not one.cut]
        if stated is None and not whole:
            if (first := next((one for one in rows if one.cut or one.devices), None)) is not None:
                reason = first.cut or "only some of the devices were asked about"
                yield _seen(fact, Unknown(reason, LIST), first.at, rank=_WEAKEST)
            return
        parts = [part for device in devices for part in device.slices]
        cut = [device for device in devices if _is_mig(device)]
        if cut and any(not device.slices for device in cut):
            reason = "the device is divided by MIG, and its slices are not shown"
            yield _seen(fact, Unknown(reason, LIST), cut[0].at, rank=_WEAKEST)
            return
        number = int(stated.text[:6]) if stated is not None else len(devices)
        if stated is not None and number < len(devices):
            number = len(devices)
        number += len(parts) - sum(1 for device in devices if device.slices)
        total += number
        places += [part.at for part in parts] or ([stated.at] if stated is not None else [one.at for one in devices])
        if stated is None and all(one.doubt for one in whole):
            doubts.append(whole[0].doubt)
        if stated is None and _repeated(whole):
            doubts.append("the same was asked more than once: taken as the same machine")
    if not inside:
        doubts.append("seen where the command ran: its own devices in a container, all of them on a node")
    if places:
        confidence: Confidence = "likely" if doubts else "certain"
        because = tuple(dict.fromkeys(doubts))
        rank = None if inside else _ASKED
        yield _seen(fact, total, *dict.fromkeys(places), confidence=confidence, because=because, rank=rank)


def _repeated(captures: Sequence[Capture]) -> bool:
    """Whether one form stands more than once, and nothing tells that it shows the same devices."""
    forms = [one.form for one in captures if not all(_identity(device, "uuid") for device in one.devices)]
    return len(forms) > len(set(forms))


def _is_mig(device: Device) -> bool:
    mode = device.said.get("mig")
    return bool(device.slices) or (mode is not None and mode.text == "Enabled")


# -- what they are ---------------------------------------------------------------------------------------------------


def _model(devices: Sequence[Device]) -> Iterator[Observation]:
    fact = "hardware.gpu.model"
    found: dict[str, None] = {}
    places: list[Location] = []
    because: list[str] = []
    derived = False
    for device in devices:
        name, instance = device.said.get("name"), device.said.get("instance")
        if name is None and instance is None:
            continue
        ids, why = _ids(device)
        said = name or instance
        assert said is not None
        if not ids:
            reason = f"{said.text} is not in the catalogue of accelerators"
            if _is_cut(said.text):
                reason = f"the name is cut off: {said.text}"
            yield _seen(fact, Unknown(reason, LIST, said.text), said.at, raw=said.text)
            return
        found.update(dict.fromkeys(sorted(ids)))
        places.append(said.at)
        if why:
            derived = True
            because.append(why)
    if not found:
        return
    names: list[Value] = [*sorted(found)]
    yield _seen(
        fact,
        names,
        *dict.fromkeys(places),
        origin="derived" if derived else "reported",
        confidence="likely" if because else "certain",
        because=tuple(dict.fromkeys(because)),
        raw=", ".join(dict.fromkeys(one.said["name"].text for one in devices if "name" in one.said)),
        rank=_REPORTED if derived else None,
    )


def _ids(device: Device) -> tuple[frozenset[str], str]:
    """The catalogue's ids of a device, and how they follow where its name does not tell alone."""
    said, instance = device.said.get("name"), device.said.get("instance")
    if said is None:
        known = instance_gpus(instance.text) if instance is not None else None
        return (known[0] if known else frozenset()), f"from the instance type {instance.text}" if instance else ""
    memory = None if _is_mig(device) else _bytes(device.said.get("memory"))
    name = said.text
    if _is_cut(name):
        ids = gpu_of_prefix(name.rstrip(".… "), memory)
        return ids, f"the name is cut off ({name}); the accelerators that begin so and have this memory"
    if (gaudi := _GAUDI.fullmatch(name)) is not None:
        return gpu_of_device(f"gaudi{gaudi[1]}") or frozenset((f"gaudi{gaudi[1]}",)), ""
    name = re.sub(r"(?i)\s+chip$", "", name)
    ids = gpu_of_device(name, memory)
    if not ids:
        ids = _whole_name(name)
    return ids, ""


def _whole_name(name: str) -> frozenset[str]:
    """The one id that a name spells out, for makers whose tools write the catalogue's own names (``TPU v5e``,
    ``AMD Instinct MI210``)."""
    if not re.match(r"(?i)TPU |Intel\(R\) Data Center|AMD Instinct ", name):
        return frozenset()
    from askew.knowledge.gpus import gpu

    try:
        ids = gpu(name)
    except ValueError:
        return frozenset()
    return ids if len(ids) == 1 else frozenset()


def _vendor(devices: Sequence[Device], captures: Sequence[Capture]) -> Iterator[Observation]:
    vendors = {vendor for device in devices for vendor in _vendors(device)}
    if vendors and len(vendors) == 1 and all(_vendors(device) for device in devices):
        places = dict.fromkeys(device.said["name"].at for device in devices if "name" in device.said)
        yield _seen("hardware.gpu.vendor", vendors.pop(), *(places or {devices[0].at: None}))
        return
    named = {one.vendor for one in captures if one.vendor and one.devices}
    if len(named) == 1:
        place = next(one.at for one in captures if one.vendor and one.devices)
        yield _seen("hardware.gpu.vendor", named.pop(), place)


def _vendors(device: Device) -> set[str]:
    return {info(gpu_id).vendor for gpu_id in _ids(device)[0]}


def _mig(devices: Sequence[Device]) -> Iterator[Observation]:
    fact = "hardware.gpu.mig_profile"
    modes = [device.said["mig"] for device in devices if "mig" in device.said]
    cut = [device for device in devices if _is_mig(device)]
    if not cut:
        if modes and len(modes) == len(devices) and all(mode.text == "Disabled" for mode in modes):
            yield _seen(fact, None, *(mode.at for mode in modes))
        return
    profiles = [part.profile for device in cut for part in device.slices if part.profile is not None]
    known = {mig_profile(one.text): one for one in profiles if _is_profile(one.text)}
    missing = any(part.profile is None for device in cut for part in device.slices) or any(
        not device.slices for device in cut
    )
    if len(known) == 1 and not missing and len(cut) == len(devices) and len(profiles) >= len(known):
        yield _seen(fact, next(iter(known)), *dict.fromkeys(one.at for one in profiles))
    elif missing or not known:
        yield _seen(fact, Unknown("MIG is on, and the profiles are not shown", LIST), cut[0].at, rank=_WEAKEST)
    else:
        whole = " and whole devices" if len(cut) < len(devices) else ""
        reason = f"several kinds are shown: {', '.join(sorted(known))}{whole}"
        yield _seen(fact, Unknown(reason, f"{LIST} in the container"), *(one.at for one in profiles), rank=_WEAKEST)


def _is_profile(text: str) -> bool:
    try:
        mig_profile(text)
    except ValueError:
        return False
    return True


# -- numbers ---------------------------------------------------------------------------------------------------------


def _bytes(said: Said | None) -> int | None:
    """A size in bytes; tools that write none mean MiB, and those that write MB mean it too."""
    match = _SIZE.fullmatch(said.text) if said is not None else None
    unit = _UNITS.get(match[2].lower()) if match is not None else None
    return int(match[1]) * unit if match is not None and unit is not None else None


def _number(said: Said | None) -> float | None:
    match = _NUMBER.fullmatch(said.text) if said is not None else None
    return float(match[1]) if match is not None else None


def _lowest(
    fact: str, values: Sequence[tuple[float, Said]], *, key: str = "", highest: bool = False, what: str = ""
) -> Iterator[Observation]:
    """The value of the device that has the least; where others have more, that is said."""
    if not values:
        return
    chosen = (max if highest else min)(values, key=lambda pair: pair[0])
    number = int(chosen[0]) if chosen[0] == int(chosen[0]) else chosen[0]
    others = sorted({value for value, _ in values} - {chosen[0]})
    because: tuple[str, ...] = ()
    places = dict.fromkeys(said.at for value, said in values if value == chosen[0])
    if others:
        shown = ", ".join(f"{value:.12g}" for value in others[:4])
        because = (f"{'the most' if highest else 'the least'} of {len(values)} devices; others have {shown}",)
    yield _seen(fact, number, *places, key=key, because=because, raw=chosen[1].text)


def _memory(devices: Sequence[Device]) -> Iterator[Observation]:
    totals: list[tuple[float, Said]] = []
    used: list[tuple[float, Said]] = []
    for device in devices:
        parts = [(part.memory, part.used) for part in device.slices]
        if not parts and not _is_mig(device):
            parts = [(device.said.get("memory"), device.said.get("used"))]
        for total, taken in parts:
            if total is not None and (size := _bytes(total)):
                totals.append((size, total))
            if taken is not None and (size := _bytes(taken)) is not None:
                used.append((size, taken))
    yield from _lowest("hardware.gpu.memory.bytes", totals)
    yield from _lowest("performance.gpu_memory.bytes", used, highest=True)


def _numbers(devices: Sequence[Device]) -> Iterator[Observation]:
    def of(field: str) -> list[tuple[float, Said]]:
        found = [(_number(device.said.get(field)), device.said.get(field)) for device in devices]
        return [(number, said) for number, said in found if number is not None and said is not None]

    yield from _lowest("hardware.gpu.power_limit", of("power_limit"))
    for field in ("max_sm", "max_memory", "applications_sm", "applications_memory"):
        yield from _lowest("hardware.gpu.clocks", of(field), key=field)
    capabilities = of("compute_capability")
    if capabilities:
        number, said = min(capabilities, key=lambda pair: pair[0])
        yield _seen("hardware.gpu.compute_capability", f"{number:.1f}", said.at, raw=said.text)
    use = [(number, said) for number, said in of("utilization") if number <= 100]
    if use:
        mean = sum(number for number, _ in use) / len(use) / 100
        because = (f"the mean of {len(use)} devices",) if len({number for number, _ in use}) > 1 else ()
        places = dict.fromkeys(said.at for _, said in use)
        yield _seen("performance.gpu_utilization", round(mean, 4), *places, because=because)


def _ecc(devices: Sequence[Device]) -> Iterator[Observation]:
    """On, off, or a number of uncorrected errors, which only a device that corrects counts."""
    states: list[tuple[bool, Said]] = []
    for device in devices:
        said = device.said.get("ecc")
        if said is None or nothing(said.text):
            continue
        if said.text in ("Enabled", "On") or said.text.isdecimal():
            states.append((True, said))
        elif said.text in ("Disabled", "Off"):
            states.append((False, said))
    if states:
        on = all(state for state, _ in states)
        yield _seen("hardware.gpu.ecc", on, *dict.fromkeys(said.at for state, said in states if state == on))


def _reasons(devices: Sequence[Device]) -> Iterator[Observation]:
    shown = [device for device in devices if device.reasons is not None]
    if not shown:
        return
    active = [said for device in shown for said in device.reasons or () if said.text not in _NO_REASONS]
    names: list[Value] = [*sorted({said.text for said in active})]
    places = dict.fromkeys(said.at for said in active) or dict.fromkeys(device.at for device in shown)
    yield _seen("hardware.gpu.throttle_reasons", names, *places)


def _versions(captures: Sequence[Capture]) -> Iterator[Observation]:
    for fact, found in (
        ("hardware.driver.version", [one.driver for one in captures if one.driver is not None]),
        ("hardware.cuda.version", [one.cuda for one in captures if one.cuda is not None]),
    ):
        said = [one for one in found if re.match(r"\d", one.text) and "x" not in one.text.lower()]
        texts = list(dict.fromkeys(one.text for one in said))
        places = dict.fromkeys(one.at for one in said)
        if len(texts) == 1:
            yield _seen(fact, texts[0], *places, raw=texts[0])
        elif texts:
            yield _seen(fact, Unknown(f"several are shown: {', '.join(texts[:5])}", text=texts[0]), *places)


# -- how they are connected ------------------------------------------------------------------------------------------


def _links(captures: Sequence[Capture]) -> Iterator[Observation]:
    fact = "hardware.interconnect"
    for capture in captures:
        if capture.form == "topology" and capture.cut:
            yield _seen(fact, Unknown(capture.cut, "nvidia-smi topo -m"), capture.at, rank=_WEAKEST)
        elif capture.links:
            yield _connection(capture)


def _connection(capture: Capture) -> Observation:
    fact = "hardware.interconnect"
    links = capture.links
    kinds = {said.text.upper() for said in links.values()}
    devices = len({number for pair in links for number in pair})
    places = tuple(dict.fromkeys(said.at for said in links.values()))[:4]
    nvlink = {int(kind[2:]) for kind in kinds if kind.startswith("NV") and kind[2:].isdecimal()}
    if nvlink and len(nvlink) == len(kinds):
        fewest = min(nvlink)
        if fewest * (devices - 1) > _MOST_LINKS:
            because = (
                f"{fewest} links to each of {devices - 1} others are more than a device has: they share a switch",
            )
            return _seen(fact, "nvswitch", *places, because=because)
        if fewest == _MOST_LINKS:
            because = ("all links of each device lead to the other one, as through a switch",)
            return _seen(fact, "nvswitch", *places, confidence="likely", because=because)
        return _seen(fact, "nvlink", *places)
    if kinds == {"XGMI"}:
        return _seen(fact, "xgmi", *places)
    if kinds and kinds <= set(_BY_BUS):
        return _seen(fact, "pcie", *places)
    mixed = ", ".join(
        f"{one} {sum(1 for said in links.values() if said.text.upper() == one) // 2}" for one in sorted(kinds)
    )
    reason = f"not all pairs are connected alike: {mixed}"
    return _seen(fact, Unknown(reason, "nvidia-smi topo -m in the container"), *places, rank=_WEAKEST)
