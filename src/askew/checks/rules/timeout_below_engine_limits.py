"""A timeout on the path is shorter than the longest answer that the engine allows

## What it finds

A limit between client and engine (Ingress, route, gateway, load balancer, platform) that is over before the longest
answer of the engine can be complete. The longest answer follows from the engine's own limits: its cap on output
tokens, else its context length. The time it takes is counted with a speed that few single answers reach: 250 tokens
per second gives *likely*, 100 tokens per second gives *possible*. A limit on silence (read timeout, time to the first
byte) counts for answers that are not streamed: they send nothing until they are complete. A proxy's default that nobody
wrote gives *possible* at most, with low severity.

## Why it matters

Long answers end in a 504 or a cut stream, always at the same second, while short ones work: load tests with short
prompts never see it. The engine may go on generating for a client that has gone, and the client may retry.

## Example

```yaml
kind: HTTPRoute
spec:
  rules:
    - timeouts: {request: 30s}       # --max-model-len 32768 needs more than 130 s even at 250 tokens/s
```

## Remedy

Raise the limit of every hop to what the longest wanted answer needs (`nginx.ingress.kubernetes.io/proxy-read-timeout:
"3600"`, `timeouts.request: 3600s`), or lower what the engine allows (`--max-model-len`), or cap the tokens of an
answer, so that a request that cannot succeed is refused at once.

## When it is fine

When clients always send a small `max_tokens`, or always stream (for the limits on silence): say so in the contract with
`serving.streaming`, or waive the rule with that reason. Embedding, scoring and classification models are not reported.

## References

- ingress-nginx, 60 s by default: https://kubernetes.github.io/ingress-nginx/user-guide/nginx-configuration/annotations/#custom-timeouts
- Timeouts of HTTPRoute: https://gateway-api.sigs.k8s.io/guides/http-timeouts/
- Envoy's 15 s: https://www.envoyproxy.io/docs/envoy/latest/faq/configuration/timeouts
- Streams cut at 60 s by ingress-nginx: https://github.com/onyx-dot-app/onyx/pull/10247
- Answers cut at 15 s by Envoy: https://github.com/modelplaneai/modelplane/pull/174
"""

from __future__ import annotations

from collections.abc import Iterator

from askew.checks.interface import Case, Check, Needs, Outcome, Subject, found
from askew.checks.reading import generates, language, number, places, whole, written
from askew.facts.types import Severity
from askew.findings.finding import Remedy
from askew.resolve.observation import Confidence
from askew.resolve.workload import Resolved

# Tokens per second of one answer: few are decoded faster than the first, most slower than the second.
_RARE, _QUICK = 250, 100
# A limit that no answer of today's engines exceeds without a cap above a million tokens is never asked about.
_LONG = 600
_LIMITS = {
    "serving.request_timeout": "the whole exchange may take {limit} s",
    "serving.read_timeout": "no byte may be missing for longer than {limit} s",
    "serving.first_byte_timeout": "the first byte must come within {limit} s",
}


def run(subject: Subject) -> Iterator[Outcome]:
    """One finding per kind of limit that the longest answer exceeds."""
    if not language(subject) or not generates(subject):
        return
    limits = {fact: number(subject, fact) for fact in _LIMITS}
    if _streams(subject):
        limits = {"serving.request_timeout": limits["serving.request_timeout"]}
    tokens, cap = _longest_answer(subject)
    for fact, limit in limits.items():
        resolved = subject.known(fact)
        if limit is None or limit <= 0 or resolved is None:
            continue
        if tokens is None or cap is None:
            if limit < _LONG and written(resolved):
                yield Needs(fact="runtime.max_model_len", reason="it bounds how long an answer takes")
                return
            continue
        if tokens / _QUICK <= limit:
            continue
        yield _finding(subject, fact, resolved, limit, tokens, cap)


def _finding(
    subject: Subject, fact: str, resolved: Resolved, limit: int | float, tokens: int, cap: Resolved
) -> Outcome:
    sure = tokens / _RARE > limit
    # A proxy's default may be changed in its own configuration, which lies elsewhere.
    stated = resolved.origin != "platform-default" and resolved.confidence == "certain"
    confidence: Confidence = "likely" if sure and stated and fact == "serving.request_timeout" else "possible"
    severity: Severity = "medium" if sure and stated else "low"
    speed = _RARE if sure else _QUICK
    hop = next((hop.name for hop in resolved.hops if hop.value == resolved.value), "")
    shown = _LIMITS[fact].format(limit=f"{limit:g}")
    silent = "" if fact == "serving.request_timeout" else ", and an answer that is not streamed sends nothing before"
    needed = -(-tokens // _QUICK)
    spots = places(subject, resolved, cap)
    return found(
        CHECK,
        subject,
        fact=fact,
        at=spots,
        severity=severity,
        confidence=confidence,
        summary=f"{hop + ': ' if hop else ''}{shown}, but the engine allows answers of {tokens} tokens: "
        f"{tokens / speed:.0f} s even at {speed} tokens/s{silent}",
        impact="Long answers end in a 504 or a cut stream, always at the same second, while short ones work.",
        facts=(cap.fact,),
        remedies=(
            Remedy(
                action=f"raise the limit{' of ' + hop if hop else ''} to {needed} s or more",
                text=f"{needed}s",
                location=spots[0],
                verify=f"a request with max_tokens {tokens} and ignore_eos completes through the same path",
                undo=f"set {limit:g} s again",
            ),
            Remedy(
                action=f"lower what the engine allows to {max(1, int(limit * _QUICK))} tokens (--max-model-len), so "
                "that requests that cannot succeed are refused at once",
                verify="a longer request gets 400 with the limit in its message",
                undo=f"allow {tokens} tokens again",
                safe=False,
            ),
        ),
    )


def _longest_answer(subject: Subject) -> tuple[int | None, Resolved | None]:
    """The longest answer in tokens, and the fact that bounds it."""
    bounds = [
        (tokens, subject.snapshot.facts[fact])
        for fact in ("runtime.max_output_tokens", "runtime.max_model_len")
        if (tokens := whole(subject, fact)) is not None
    ]
    return min(bounds, key=lambda bound: bound[0], default=(None, None))


def _streams(subject: Subject) -> bool:
    for snapshot in (subject.snapshot, subject.contract):
        stated = snapshot.facts.get("serving.streaming") if snapshot is not None else None
        if stated is not None and stated.state == "known":
            return stated.value is True
    return False


_PATH = """\
apiVersion: apps/v1
kind: Deployment
metadata: {{name: llm}}
spec:
  selector: {{matchLabels: {{app: llm}}}}
  template:
    metadata: {{labels: {{app: llm}}}}
    spec:
      containers:
        - name: engine
          image: vllm/vllm-openai:v0.10.1
          args: ["--model=/models/llama", "--max-model-len={length}"{more}]
          ports: [{{containerPort: 8000}}]
---
apiVersion: v1
kind: Service
metadata: {{name: llm}}
spec: {{selector: {{app: llm}}, ports: [{{port: 80, targetPort: 8000}}]}}
---
"""
_NGINX = """\
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: llm
  annotations:
    nginx.ingress.kubernetes.io/proxy-read-timeout: "{seconds}"
spec:
  ingressClassName: nginx
  rules:
    - http: {{paths: [{{path: /, pathType: Prefix, backend: {{service: {{name: llm, port: {{number: 80}}}}}}}}]}}
"""
_ROUTE = """\
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {{name: llm}}
spec:
  parentRefs: [{{name: gateway}}]
  rules:
    - backendRefs: [{{name: llm, port: 80}}]
      timeouts:
        request: {seconds}s
"""


_CONTRACT = """\
apiVersion: piqc.ai/v1alpha1
kind: ModelSpec
metadata:
  name: llm
  annotations: {{askew.dev/serving.streaming: "{streaming}"}}
spec:
  identity: {{model: {{id: llama, family: llama, task: text-generation, framework: transformers}}}}
  runtime: {{accelerator: {{vendor: nvidia, type: l4, count: 1}}}}
"""


def _case(name: str, route: str, seconds: int, length: int, line: int = 0, *, more: str = "") -> Case:
    source = _PATH.format(length=length, more=more) + route.format(seconds=seconds)
    return Case(name=name, source=source, fires=bool(line), line=line)


CHECK = Check(
    id="timeout-below-engine-limits",
    title="A timeout on the path is shorter than the longest answer that the engine allows",
    category="serving",
    severity="medium",
    confidence="likely",
    facts=(
        "serving.request_timeout",
        "serving.read_timeout",
        "serving.first_byte_timeout",
        "runtime.max_model_len",
        "runtime.max_output_tokens",
        "serving.streaming",
    ),
    run=run,
    playbook="serving-path",
    cases=(
        _case("half a minute for 32k tokens", _ROUTE, 30, 32768, line=28),
        _case("nginx waits a minute for 32k tokens", _NGINX, 60, 32768, line=25),
        Case(
            name="a minute of silence, and the contract says that clients stream",
            source=_PATH.format(length=32768, more="") + _NGINX.format(seconds=60),
            contract=_CONTRACT.format(streaming="true"),
            fires=False,
        ),
        _case("an hour", _ROUTE, 3600, 32768),
        _case("a minute for short answers", _NGINX, 60, 2048),
        _case("no limit", _ROUTE, 0, 131072),
        _case("a pooling model", _ROUTE, 15, 32768, more=', "--task=embed"'),
    ),
)
