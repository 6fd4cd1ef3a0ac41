"""Which devices there are: those of several outputs of one machine made one, and machines told apart."""

from __future__ import annotations

from collections.abc import Sequence

from askew.platforms.smi.capture import Capture, Device, Slice


def by_machine(captures: Sequence[Capture]) -> list[list[Capture]]:
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


def devices_of(captures: Sequence[Capture]) -> list[Device]:
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
        mine = identity(device, key)
        if not mine:
            continue
        theirs = [identity(one, key) for one in found]
        if mine in theirs:
            at = theirs.index(mine)
            return at if at not in taken else None
        if any(theirs) and key != "index":
            return None
    alike = (
        position < len(found)
        and position not in taken
        and not any(identity(device, key) and identity(found[position], key) for key in ("uuid", "bus", "index"))
    )
    return position if alike else None


def identity(device: Device, key: str) -> str:
    """What tells a device from others, by its UUID, its address or its number; empty where it does not."""
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
    if "name" in new.said and is_cut(said["name"].text):
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


def is_cut(name: str) -> bool:
    """Whether a table cut a name off."""
    return name.endswith(("...", "…"))


def is_mig(device: Device) -> bool:
    """Whether MIG divides a device."""
    mode = device.said.get("mig")
    return bool(device.slices) or (mode is not None and mode.text == "Enabled")
