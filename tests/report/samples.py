"""Reports built by hand: what each format has to be able to say."""

from __future__ import annotations

from askew.evidence.location import Location
from askew.facts.catalogue import FACTS
from askew.facts.types import Severity
from askew.findings.describe import describe
from askew.findings.finding import Finding, Remedy, Waiver, make
from askew.report.model import (
    Assumption,
    Coverage,
    InputError,
    Report,
    SourceStatus,
    UnknownFact,
    WorkloadReport,
)
from askew.resolve.workload import EngineIdentity, Hop, Member, Resolved, Shadowed, Snapshot, Workload

MARKER = "redacted:0123456789abcdef"
OTHER_MARKER = "redacted:fedcba9876543210"
GOOD, NOW = "last-good.yaml", "current.yaml"
WORKLOAD = "prod/Deployment/llm"


def at(
    source: str, line: int = 0, column: int = 0, path: str = "", object: str = "apps/v1 Deployment prod/llm"
) -> Location:
    return Location(source=source, path=path, line=line, column=column, object=object)


# Said here, so that a better word in the vocabulary does not change what these reports look like.
_ABOUT: dict[str, tuple[Severity, str]] = {
    "runtime.max_model_len": ("high", "Longer prompts are refused."),
    "runtime.dtype": ("high", "Numerics differ: float16 overflows where bfloat16 does not, and answers change."),
    "runtime.engine.version": ("medium", "Defaults and kernels change with the release."),
    "runtime.image.tag": ("low", "Another image runs."),
    "serving.request_timeout": ("medium", "Long generations end in 504 at the hop with the smallest limit."),
    "runtime.tensor_parallel_size": ("high", "Memory per GPU and the order of additions change."),
    "runtime.env": ("low", "Variables switch backends and features."),
    "model.source": ("high", "The same name in another place may hold other weights."),
    "model.chat_template.source": ("high", "Another template renders other prompts."),
    "runtime.max_num_seqs": ("low", "Fewer requests run at once."),
}


def difference(fact: str, reference: Resolved, target: Resolved, **more) -> Finding:
    about = FACTS[fact]
    severity, impact = _ABOUT[fact]
    given = {"severity": severity, "confidence": "certain", "impact": impact, "workload": WORKLOAD, **more}
    return make(
        Finding(
            kind="difference",
            rule=fact,
            facts=(fact,),
            category=about.category,
            summary=describe(about, given.get("key", ""), reference, target),
            reference=reference,
            target=target,
            **given,
        )
    )


def target(finding: Finding) -> Resolved:
    assert finding.target is not None
    return finding.target


def known(fact: str, value, where: Location, origin="explicit", **more) -> Resolved:
    return Resolved(fact=fact, state="known", value=value, origin=origin, locations=(where,), **more)


MAX_LEN = difference(
    "runtime.max_model_len",
    known("runtime.max_model_len", 32768, at(GOOD, 31, 13, "spec.template.spec.containers[0].args[3]")),
    known(
        "runtime.max_model_len",
        8192,
        at(NOW, 29, 13, "spec.template.spec.containers[0].args[3]"),
        shadowed=(
            Shadowed(value=32768, origin="env", locations=(at(NOW, 40, 9),)),
            Shadowed(value=131072, origin="engine-default"),
        ),
    ),
    remedies=(
        Remedy(
            action="set --max-model-len 32768",
            text="--max-model-len 32768",
            location=at(NOW, 29, 13),
            verify="askew diff last-good.yaml current.yaml --only runtime.max_model_len",
            undo="--max-model-len 8192",
        ),
        Remedy(action="roll back to the previous revision", verify="askew diff", undo="roll forward", safe=False),
    ),
    playbook="runtime-config",
)
DTYPE = difference(
    "runtime.dtype",
    known("runtime.dtype", "bfloat16", at(GOOD, 30, 13), confidence="likely"),
    known("runtime.dtype", "float16", at(NOW, 20, 9), origin="engine-default", because=("auto: the model's own",)),
    confidence="likely",
)
VERSION = difference(
    "runtime.engine.version",
    known("runtime.engine.version", "0.7.3", at(GOOD, 22, 18), origin="derived"),
    known("runtime.engine.version", "0.8.0", at(NOW, 22, 18), origin="derived"),
)
TAG = difference(
    "runtime.image.tag",
    known("runtime.image.tag", "v0.7.3", at(GOOD, 22, 18)),
    known("runtime.image.tag", "v0.8.0", at(NOW, 22, 18)),
)
TIMEOUT = difference(
    "serving.request_timeout",
    known(
        "serving.request_timeout",
        600,
        at("ingress.yaml", 12, 5, object="networking.k8s.io/v1 Ingress prod/llm"),
        hops=(
            Hop(name="ingress", value=600, origin="explicit", locations=(at("ingress.yaml", 12, 5),)),
            Hop(name="engine", value="unlimited", origin="engine-default"),
        ),
        because=("smallest of 2 hops: ingress",),
    ),
    known(
        "serving.request_timeout",
        60,
        at("current-ingress.yaml", 3, 1),
        origin="platform-default",
        hops=(
            Hop(name="ingress", value=60, origin="platform-default", locations=(at("current-ingress.yaml", 3, 1),)),
            Hop(name="route", value=300, origin="explicit", locations=(at("route.yaml", 31, 7),)),
        ),
    ),
)
UNRESOLVED = difference(
    "runtime.tensor_parallel_size",
    known("runtime.tensor_parallel_size", 4, at(GOOD, 33, 13)),
    Resolved(
        fact="runtime.tensor_parallel_size",
        state="unknown",
        origin="explicit",
        locations=(at(NOW, 33, 13),),
        reason="expanded at run time from $(nvidia-smi -L | wc -l)",
        observe_with="kubectl -n $NS logs $POD | head -50",
        text="$(nvidia-smi -L | wc -l)",
    ),
    confidence="possible",
)
SECRET = difference(
    "runtime.env",
    Resolved(
        fact="runtime.env", key="HF_TOKEN", state="redacted", value=MARKER, origin="env", locations=(at(GOOD, 44, 11),)
    ),
    Resolved(
        fact="runtime.env",
        key="HF_TOKEN",
        state="redacted",
        value=OTHER_MARKER,
        origin="env",
        locations=(at(NOW, 44, 11),),
    ),
    key="HF_TOKEN",
)
LEAKY = difference(
    "model.source",
    known("model.source", f"https://user:{MARKER}@models.example/llm", at(GOOD, 30, 13)),
    known(
        "model.source",
        f"https://user:{OTHER_MARKER}@models.example/llm",
        at(NOW, 30, 13),
        shadowed=(Shadowed(value=f"s3://{MARKER}@bucket", origin="env", locations=(at(NOW, 41),)),),
        because=(f"from {MARKER}",),
    ),
    remedies=(
        Remedy(action=f"write https://user:{MARKER}@models.example/llm", verify=f"x {MARKER}", undo=f"y {MARKER}"),
    ),
)
CHECK = make(
    Finding(
        kind="check",
        rule="tensor-parallel-exceeds-gpus",
        facts=("runtime.tensor_parallel_size", "hardware.gpu.count"),
        category="runtime",
        severity="critical",
        confidence="certain",
        summary="tensor-parallel-size 8 needs 8 GPUs, the pod has 4",
        impact="The engine stops at start: it waits for devices that are not there.",
        workload=WORKLOAD,
        target=Resolved(
            fact="runtime.tensor_parallel_size",
            state="known",
            value=8,
            origin="explicit",
            locations=(at(NOW, 33, 13), at(NOW, 52, 15)),
        ),
        remedies=(
            Remedy(action="set --tensor-parallel-size 4", verify="askew check current.yaml", undo="set it to 8"),
        ),
    )
)
WAIVED = make(
    Finding(
        kind="check",
        rule="floating-image-tag",
        facts=("runtime.image.tag",),
        category="runtime",
        severity="medium",
        confidence="certain",
        summary="the image tag latest moves",
        workload=WORKLOAD,
        target=known("runtime.image.tag", "latest", at(NOW, 22, 18)),
        waiver=Waiver(
            reason="pinned by digest at admission", location=at("askew.toml", 4), owner="ana", expires="2026-12-31"
        ),
    )
)
UNREADABLE_PLACE = make(
    Finding(
        kind="check",
        rule="floating-image-tag",
        facts=("runtime.image.tag",),
        category="runtime",
        severity="low",
        confidence="likely",
        summary="the image tag latest moves",
        workload="default/Command/vllm",
        target=known(
            "runtime.image.tag", "latest", Location(source="k8s:prod/deployment/llm", path="spec.image", object="live")
        ),
    )
)
_EVIL = (
    "a\n::error::pwned\r\x1b[31mred\x1b[0m\x07 \u202egnp.exe <b>&\"' |`pipe`| "
    "%25 @team #1 ]( [x](http://evil) {0} ]]> é 模型 \ud800"
)
HOSTILE = difference(
    "runtime.env",
    Resolved(
        fact="runtime.env",
        key=f"K\n{_EVIL}",
        state="known",
        value=_EVIL,
        origin="env",
        locations=(Location(source="a b,c:d%\n.yaml", line=3, column=2, object=_EVIL),),
    ),
    Resolved(
        fact="runtime.env",
        key=f"K\n{_EVIL}",
        state="known",
        value=_EVIL + "\x00\x9b",
        origin="env",
        locations=(Location(source="dir/é #?&.yaml", line=7, column=2),),
    ),
    key=f"K\n{_EVIL}",
    workload=f"prod/Deployment/{_EVIL}",
    impact=_EVIL,
    remedies=(Remedy(action=_EVIL, verify=_EVIL, undo=_EVIL),),
)
_TEMPLATE = "{% for message in messages %}{{ '<|im_start|>' + message['role'] }}\n" * 12
LONG = difference(
    "model.chat_template.source",
    known("model.chat_template.source", _TEMPLATE + "{{ eos_token }}", at(GOOD, 70, 5)),
    known("model.chat_template.source", _TEMPLATE + "{{ bos_token }}", at(NOW, 71, 5)),
)
BATCH = difference(
    "runtime.max_num_seqs",
    known("runtime.max_num_seqs", 256, at(GOOD, 35, 13)),
    Resolved(fact="runtime.max_num_seqs", state="absent", locations=(at(NOW, 20, 9),)),
    baseline="existing",
)


def report(*workloads: WorkloadReport, **more) -> Report:
    given = {
        "command": "diff",
        "verdict": "skewed",
        "sources": (
            SourceStatus(role="reference", uri=GOOD, status="complete"),
            SourceStatus(role="target", uri=NOW, status="complete"),
        ),
        "generated_at": "2026-01-02T03:04:05Z",
        "tool_version": "0.1.0",
        **more,
    }
    return Report(workloads=workloads, **given)


def workload(*findings: Finding, **more) -> WorkloadReport:
    given = {
        "id": WORKLOAD,
        "reference_id": WORKLOAD,
        "verdict": "skewed" if findings else "aligned",
        "engine": EngineIdentity(name="vllm", version="0.8.0"),
        "reference_engine": EngineIdentity(name="vllm", version="0.7.3"),
        **more,
    }
    return WorkloadReport(findings=findings, **given)


UNSEEN = (
    UnknownFact(fact="hardware.driver.version", side="target", reason="no source shows it", observe_with="nvidia-smi"),
    UnknownFact(fact="hardware.cuda.version", side="target", reason="no source shows it", observe_with="nvidia-smi"),
    UnknownFact(
        fact="runtime.env",
        key="MODEL",
        side="reference",
        reason=f"value from Secret prod/{MARKER}",
        observe_with="kubectl get secret",
    ),
)

INCIDENT = report(
    workload(
        MAX_LEN, DTYPE, VERSION, TAG, TIMEOUT, UNRESOLVED, CHECK, SECRET, WAIVED, BATCH,
        unknown=UNSEEN, coverage=Coverage(declared=14, verified=11, unknown=3),
    ),
    workload(id="prod/Deployment/embed", reference_id="", coverage=Coverage(declared=9, verified=9)),
    workload(
        id="prod/LeaderWorkerSet/big", reference_id="staging/LeaderWorkerSet/big", reference_engine=None,
        members=(Member("worker", "worker", pods=3),),
    ),
    assumed=(Assumption(fact="hardware.gpu.model", value="h100-80gb-sxm"),),
)  # fmt: skip
ALIGNED = report(
    workload(
        coverage=Coverage(declared=14, verified=14), reference_engine=EngineIdentity(name="vllm", version="0.8.0")
    ),
    verdict="aligned",
)
INCOMPLETE = report(
    workload(verdict="incomplete", unknown=UNSEEN, coverage=Coverage(declared=5, verified=3, unknown=2)),
    verdict="incomplete",
    sources=(
        SourceStatus(role="reference", uri="good/", status="complete"),
        SourceStatus(role="target", uri="now/", status="partial", reason="1 of 3 files could not be read"),
    ),
    errors=(
        InputError(source="now/bad.yaml", line=3, column=7, message="expected a value", hint="close the quote"),
        InputError(source="now/none.yaml", message="cannot be read", hint="check its permissions"),
    ),
    notes=("now/notes.txt: no Kubernetes object",),
)
CHECKED = report(
    workload(CHECK, WAIVED, reference_id="", reference_engine=None),
    workload(
        UNREADABLE_PLACE,
        id="default/Command/vllm",
        reference_id="",
        engine=None,
        reference_engine=None,
        verdict="aligned",
    ),
    command="check",
    sources=(SourceStatus(role="target", uri=NOW, status="complete"),),
)
NASTY = report(workload(HOSTILE, LONG, LEAKY, id=f"prod/Deployment/{_EVIL}"), sources=(
    SourceStatus(role="reference", uri=_EVIL, status="partial", reason=_EVIL),
    SourceStatus(role="target", uri=f"https://user:{MARKER}@host/", status="complete"),
))  # fmt: skip
EMPTY = report(verdict="aligned", command="check", sources=(), generated_at="", tool_version="")

ALL = {
    "incident": INCIDENT,
    "aligned": ALIGNED,
    "incomplete": INCOMPLETE,
    "checked": CHECKED,
    "nasty": NASTY,
    "empty": EMPTY,
}

_RAW = Workload(namespace="prod", kind="Deployment", name="llm", location=at(NOW, 1, 1))
SNAPSHOT = Snapshot(
    workload=_RAW,
    id=WORKLOAD,
    engine=EngineIdentity(name="vllm", version="0.8.0"),
    facts={
        "runtime.max_model_len": target(MAX_LEN),
        "runtime.tensor_parallel_size": target(UNRESOLVED),
        "runtime.quantization": Resolved(fact="runtime.quantization", state="absent", origin="engine-default"),
        "runtime.swap.bytes": Resolved(fact="runtime.swap.bytes", state="unsupported"),
        "runtime.dtype": Resolved(
            fact="runtime.dtype",
            state="known",
            value="bfloat16",
            origin="engine-default",
            confidence="likely",
            locations=(Location(source="https://docs.example/defaults"),),
            because=("auto: the model's own",),
        ),
        "runtime.env": Resolved(
            fact="runtime.env",
            state="known",
            value={"HF_TOKEN": MARKER, "VLLM_USE_V1": "1"},
            origin="env",
            locations=(at(NOW, 44, 11), at(NOW, 46, 11)),
            reason="more variables come from Secret prod/extra",
            entries={
                "HF_TOKEN": Resolved(
                    fact="runtime.env",
                    key="HF_TOKEN",
                    state="redacted",
                    value=MARKER,
                    origin="env",
                    locations=(at(NOW, 44, 11),),
                ),
                "MODEL": Resolved(
                    fact="runtime.env",
                    key="MODEL",
                    state="unknown",
                    origin="env",
                    locations=(at(NOW, 48, 11),),
                    reason="value from Secret prod/names",
                    observe_with="kubectl get secret",
                ),
                "VLLM_USE_V1": known("runtime.env", "1", at(NOW, 46, 11), origin="env", key="VLLM_USE_V1"),
            },
        ),
        "serving.request_timeout": target(TIMEOUT),
        "hardware.gpu.model": Resolved(
            fact="hardware.gpu.model", state="unknown", reason="no source shows it", observe_with="nvidia-smi -L"
        ),
        "hardware.gpu.vendor": Resolved(
            fact="hardware.gpu.vendor", state="unknown", reason="no source shows it", observe_with="nvidia-smi -L"
        ),
        "orchestration.resources.memory.bytes": known(
            "orchestration.resources.memory.bytes", {"limits": 68719476736}, at(NOW, 60, 15)
        ),
    },
)
