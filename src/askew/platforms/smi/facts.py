"""Captures to observations: the devices of one or several machines, told once whatever showed them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import msgspec

from askew.evidence.location import Location
from askew.facts.types import Value
from askew.knowledge.gpus import info, mig_profile
from askew.platforms.kubernetes.observe import observed
from askew.platforms.smi.capture import Capture, Device, Said, nothing
from askew.platforms.smi.machines import by_machine, devices_of, identity, is_cut, is_mig
from askew.platforms.smi.names import bytes_of, ids_of
from askew.resolve.observation import PRECEDENCE, Confidence, Observation, Origin, Unknown

LIST = "nvidia-smi -L"
_STEP = 10  # between the ranks of two origins, in resolve.resolve
_REPORTED = _STEP * PRECEDENCE.index("reported")
_ASKED = _STEP * PRECEDENCE.index("lock") + 1  # below what a deployment asks for, above what somebody assumes
_WEAKEST = _STEP * len(PRECEDENCE)  # what was not all shown hides nothing that another source states
_NUMBER = re.compile(r"(\d{1,9}(?:\.\d{1,6})?)\s*(?:W|MHz|%)?")
_NO_REASONS = frozenset(("idle", "gpu_idle", "display_clock_setting", "display_clocks_setting", "none"))
# Links of one device; more between each two of many than it has go through a switch. Hopper and Blackwell have 18.
_MOST_LINKS = 18
_BY_BUS = ("SYS", "NODE", "PHB", "PXB", "PIX", "SOC", "PCIE")


def observations(captures: Sequence[Capture], *, inside: bool = False) -> tuple[Observation, ...]:
    """What all captures of one source say together. Several runs on one machine are of the same devices; prompts that
    name several machines are of several.

    ``inside``: the tool ran in the engine's container. Where that is not known, the number is likely at most: on a node
    all devices are shown. What a deployment asks for stands over it in any case, because a container may see more than
    it was given.
    """
    if not captures:
        return ()
    groups = by_machine(captures)
    machines = [devices_of(group) for group in groups]
    devices = [device for found in machines for device in found]
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
    return (*_count(groups, machines, inside=inside), *out, *_versions(captures), *_links(captures))


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


def _count(
    groups: Sequence[Sequence[Capture]], machines: Sequence[Sequence[Device]], *, inside: bool
) -> Iterator[Observation]:
    fact = "hardware.gpu.count"
    total = 0
    places: list[Location] = []
    doubts: list[str] = []
    for captures, devices in zip(groups, machines, strict=True):
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
        cut = [device for device in devices if is_mig(device)]
        if cut and any(not device.slices for device in cut):
            reason = "the device is divided by MIG, and its slices are not shown"
            yield _seen(fact, Unknown(reason, LIST), cut[0].at, rank=_WEAKEST)
            return
        number = int(stated.text[:6]) if stated is not None else len(devices)
        if parts and number > len(devices):
            reason = f"MIG divides devices, and {number - len(devices)} of {number} are not shown"
            yield _seen(fact, Unknown(reason, LIST), cut[0].at, rank=_WEAKEST)
            return
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
        yield _seen(fact, total, *dict.fromkeys(places), confidence=confidence, because=because, rank=_ASKED)


def _repeated(captures: Sequence[Capture]) -> bool:
    """Whether one form stands more than once, and nothing tells that it shows the same devices."""
    forms = [one.form for one in captures if not all(identity(device, "uuid") for device in one.devices)]
    return len(forms) > len(set(forms))


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
        ids, why = ids_of(device)
        said = name or instance
        assert said is not None
        if not ids:
            reason = f"{said.text} is not in the catalogue of accelerators"
            if is_cut(said.text):
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
    return {info(gpu_id).vendor for gpu_id in ids_of(device)[0]}


def _mig(devices: Sequence[Device]) -> Iterator[Observation]:
    fact = "hardware.gpu.mig_profile"
    modes = [device.said["mig"] for device in devices if "mig" in device.said]
    cut = [device for device in devices if is_mig(device)]
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
        if not parts and not is_mig(device):
            parts = [(device.said.get("memory"), device.said.get("used"))]
        for total, taken in parts:
            if total is not None and (size := bytes_of(total)):
                totals.append((size, total))
            if taken is not None and (size := bytes_of(taken)) is not None:
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
