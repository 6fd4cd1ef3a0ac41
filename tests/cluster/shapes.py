"""Manifests as people write them, to apply: what is left out, defaulted, rounded, reordered or added when they are live
differs from one to the next. Applied and read back, none of them differs from itself."""

from __future__ import annotations

SHAPES: dict[str, str] = {}

# As short as it gets: everything is defaulted.
SHAPES["short"] = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: llm}
spec:
  selector: {matchLabels: {app: llm}}
  template:
    metadata: {labels: {app: llm}}
    spec:
      containers:
      - {name: vllm, image: vllm/vllm-openai, args: [--model, Qwen/Qwen2.5-7B-Instruct]}
"""

# What a chart writes, with the objects around it.
SHAPES["chart"] = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: llm-env}
data:
  VLLM_ATTENTION_BACKEND: FLASHINFER
  VLLM_LOGGING_LEVEL: INFO
---
apiVersion: v1
kind: Service
metadata:
  name: llm
  labels: {app.kubernetes.io/name: vllm}
spec:
  selector: {app.kubernetes.io/name: vllm}
  ports:
  - {name: http, port: 80, targetPort: http}
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: llm
  labels: {app.kubernetes.io/name: vllm}
spec:
  replicas: 2
  strategy: {type: RollingUpdate, rollingUpdate: {maxSurge: 1, maxUnavailable: 0}}
  selector: {matchLabels: {app.kubernetes.io/name: vllm}}
  template:
    metadata:
      labels: {app.kubernetes.io/name: vllm}
      annotations: {prometheus.io/scrape: "true", prometheus.io/port: "8000"}
    spec:
      terminationGracePeriodSeconds: 120
      nodeSelector: {nvidia.com/gpu.product: NVIDIA-H100-80GB-HBM3}
      tolerations:
      - {key: nvidia.com/gpu, operator: Exists, effect: NoSchedule}
      initContainers:
      - name: fetch
        image: busybox:1.37
        command: [sh, -c, "echo ready"]
      containers:
      - name: vllm
        image: vllm/vllm-openai:v0.8.5
        command: [vllm, serve, Qwen/Qwen2.5-32B-Instruct]
        args: [--tensor-parallel-size, "4", --max-model-len, "32768", --gpu-memory-utilization, "0.92"]
        envFrom:
        - configMapRef: {name: llm-env}
        env:
        - {name: HF_HOME, value: /models}
        - name: HF_TOKEN
          valueFrom: {secretKeyRef: {name: hf, key: token, optional: true}}
        ports:
        - {name: http, containerPort: 8000}
        resources:
          requests: {cpu: "8", memory: 64Gi, nvidia.com/gpu: 4}
          limits: {memory: 64Gi, nvidia.com/gpu: 4}
        startupProbe: {httpGet: {path: /health, port: http}, failureThreshold: 60, periodSeconds: 10}
        readinessProbe: {httpGet: {path: /health, port: http}, periodSeconds: 5}
        livenessProbe: {httpGet: {path: /health, port: http}, periodSeconds: 20, timeoutSeconds: 5}
        volumeMounts:
        - {name: shm, mountPath: /dev/shm}
        - {name: models, mountPath: /models}
      volumes:
      - name: shm
        emptyDir: {medium: Memory, sizeLimit: 16Gi}
      - name: models
        persistentVolumeClaim: {claimName: models}
"""

# Quantities, modes and ports in other words than the server's.
SHAPES["quantities"] = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: llm}
spec:
  replicas: 1
  selector: {matchLabels: {app: llm}}
  template:
    metadata: {labels: {app: llm}}
    spec:
      containers:
      - name: vllm
        image: docker.io/vllm/vllm-openai:v0.9.1
        args: ["--model=Qwen/Qwen3-8B", "--max-model-len=8192", "--dtype=half"]
        ports: [{containerPort: 8000}]
        resources:
          requests: {cpu: 0.5, memory: 1024Mi, ephemeral-storage: 1e9}
          limits: {cpu: 1500m, memory: 2048Mi, nvidia.com/gpu: "1"}
        livenessProbe: {tcpSocket: {port: 8000}}
        volumeMounts:
        - {name: config, mountPath: /etc/vllm, readOnly: true}
        - {name: shm, mountPath: /dev/shm}
      volumes:
      - name: config
        configMap: {name: vllm, defaultMode: 0444, optional: true}
      - name: shm
        emptyDir: {medium: Memory, sizeLimit: 0.5Gi}
"""

# Only limits, and replaced as a whole.
SHAPES["limits"] = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: sglang}
spec:
  strategy: {type: Recreate}
  selector: {matchLabels: {app: sglang}}
  template:
    metadata: {labels: {app: sglang}}
    spec:
      hostIPC: true
      containers:
      - name: sglang
        image: lmsysorg/sglang:v0.4.6.post1-cu124
        command: [python3, -m, sglang.launch_server]
        args:
        - --model-path=meta-llama/Llama-3.1-8B-Instruct
        - --tp=2
        - --mem-fraction-static=0.85
        - --host=0.0.0.0
        resources: {limits: {cpu: "16", memory: 128Gi, nvidia.com/gpu: 2}}
"""

# A StatefulSet with storage of its own.
SHAPES["statefulset"] = """\
apiVersion: v1
kind: Service
metadata: {name: sglang}
spec:
  clusterIP: None
  selector: {app: sglang}
  ports: [{port: 30000}]
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: sglang}
spec:
  serviceName: sglang
  replicas: 2
  podManagementPolicy: Parallel
  selector: {matchLabels: {app: sglang}}
  template:
    metadata: {labels: {app: sglang}}
    spec:
      containers:
      - name: sglang
        image: lmsysorg/sglang:v0.4.6.post1-cu124
        command: [python3, -m, sglang.launch_server, --model-path, Qwen/Qwen2.5-72B-Instruct, --tp, "8"]
        resources: {limits: {nvidia.com/gpu: "8"}}
        volumeMounts: [{name: cache, mountPath: /root/.cache}]
  volumeClaimTemplates:
  - metadata: {name: cache}
    spec:
      accessModes: [ReadWriteOnce]
      resources: {requests: {storage: 1Ti}}
"""

# Scaled and protected.
SHAPES["scaled"] = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: tgi}
spec:
  selector: {matchLabels: {app: tgi}}
  template:
    metadata: {labels: {app: tgi}}
    spec:
      containers:
      - name: tgi
        image: ghcr.io/huggingface/text-generation-inference:3.2.3
        args: [--model-id, Qwen/Qwen2.5-7B-Instruct, --max-total-tokens, "8192"]
        resources: {limits: {nvidia.com/gpu: 1}}
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: tgi}
spec:
  maxReplicas: 6
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: tgi}
  metrics:
  - type: Pods
    pods: {metric: {name: tgi_queue_size}, target: {type: AverageValue, averageValue: 10}}
  behavior:
    scaleDown: {stabilizationWindowSeconds: 600}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: tgi}
spec:
  minAvailable: 1
  selector: {matchLabels: {app: tgi}}
"""

# The first version of the autoscaler's interface is stored as the second.
SHAPES["scaled-v1"] = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: tei}
spec:
  replicas: 1
  selector: {matchLabels: {app: tei}}
  template:
    metadata: {labels: {app: tei}}
    spec:
      containers:
      - name: tei
        image: ghcr.io/huggingface/text-embeddings-inference:1.7
        args: ["--model-id", "BAAI/bge-m3", "--port", "8080"]
        resources: {limits: {nvidia.com/gpu: 1}}
---
apiVersion: autoscaling/v1
kind: HorizontalPodAutoscaler
metadata: {name: tei}
spec:
  minReplicas: 1
  maxReplicas: 4
  targetCPUUtilizationPercentage: 70
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: tei}
"""

# Variables that refer to one another and to the pod; files from several places.
SHAPES["variables"] = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: vllm}
data:
  model: Qwen/Qwen2.5-14B-Instruct
  length: "16384"
  config.yaml: |
    dtype: bfloat16
    seed: 7
---
apiVersion: v1
kind: Secret
metadata: {name: vllm}
stringData: {api-key: sk-not-a-real-key-0123456789}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: vllm}
spec:
  selector: {matchLabels: {app: vllm}}
  template:
    metadata: {labels: {app: vllm}}
    spec:
      containers:
      - name: vllm
        image: vllm/vllm-openai:v0.9.1
        args: [--model=$(MODEL), --max-model-len=$(LENGTH), --config=/etc/vllm/config.yaml]
        env:
        - {name: MODEL, valueFrom: {configMapKeyRef: {name: vllm, key: model}}}
        - {name: LENGTH, valueFrom: {configMapKeyRef: {name: vllm, key: length}}}
        - {name: VLLM_API_KEY, valueFrom: {secretKeyRef: {name: vllm, key: api-key}}}
        - {name: VLLM_HOST_IP, valueFrom: {fieldRef: {fieldPath: status.podIP}}}
        - {name: CPUS, valueFrom: {resourceFieldRef: {resource: limits.cpu}}}
        resources: {limits: {cpu: 8, nvidia.com/gpu: 1}}
        volumeMounts: [{name: all, mountPath: /etc/vllm}]
      volumes:
      - name: all
        projected:
          sources:
          - configMap: {name: vllm, items: [{key: config.yaml, path: config.yaml}]}
          - downwardAPI: {items: [{path: labels, fieldRef: {fieldPath: metadata.labels}}]}
"""

# Placement, helpers beside the server, and an account of its own.
SHAPES["placed"] = """\
apiVersion: v1
kind: ServiceAccount
metadata: {name: server}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: llm, annotations: {team: search}}
spec:
  replicas: 2
  minReadySeconds: 0
  selector: {matchExpressions: [{key: app, operator: In, values: [llm]}]}
  template:
    metadata: {labels: {app: llm}}
    spec:
      serviceAccountName: server
      automountServiceAccountToken: false
      imagePullSecrets: [{name: registry}]
      securityContext: {runAsUser: 1000, fsGroup: 1000}
      affinity:
        nodeAffinity:
          requiredDuringSchedulingIgnoredDuringExecution:
            nodeSelectorTerms:
            - matchExpressions: [{key: nvidia.com/gpu.product, operator: In, values: [NVIDIA-H100-80GB-HBM3]}]
        podAntiAffinity:
          preferredDuringSchedulingIgnoredDuringExecution:
          - weight: 100
            podAffinityTerm: {topologyKey: kubernetes.io/hostname, labelSelector: {matchLabels: {app: llm}}}
      topologySpreadConstraints:
      - {maxSkew: 1, topologyKey: zone, whenUnsatisfiable: ScheduleAnyway, labelSelector: {matchLabels: {app: llm}}}
      initContainers:
      - name: proxy
        image: envoyproxy/envoy:v1.34.1
        restartPolicy: Always
      containers:
      - name: vllm
        image: vllm/vllm-openai:v0.8.5
        args: [--model, meta-llama/Llama-3.3-70B-Instruct, --tensor-parallel-size=4, --enable-chunked-prefill]
        resources: {limits: {nvidia.com/gpu: 4}}
        securityContext: {capabilities: {add: [SYS_NICE]}}
        lifecycle: {preStop: {exec: {command: [sleep, "15"]}}}
      - name: exporter
        image: nvcr.io/nvidia/k8s/dcgm-exporter:4.2.3-4.1.3-ubuntu22.04
"""

# A script starts it.
SHAPES["script"] = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: llama}
spec:
  replicas: 1
  selector: {matchLabels: {app: llama}}
  template:
    metadata: {labels: {app: llama}}
    spec:
      containers:
      - name: server
        image: ghcr.io/ggml-org/llama.cpp:server-cuda
        command: [/bin/sh, -c]
        args:
        - |
          exec /app/llama-server -m /models/model.gguf \\
            --ctx-size 8192 --n-gpu-layers 99 --parallel 4
        resources: {limits: {nvidia.com/gpu: 1}}
"""

# One on each node.
SHAPES["daemonset"] = """\
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: triton}
spec:
  selector: {matchLabels: {app: triton}}
  template:
    metadata: {labels: {app: triton}}
    spec:
      hostNetwork: true
      containers:
      - name: triton
        image: nvcr.io/nvidia/tritonserver:25.03-py3
        command: [tritonserver]
        args: [--model-repository=/models, --model-control-mode=poll, --strict-readiness=true]
        ports: [{containerPort: 8000}, {containerPort: 8001}, {containerPort: 8002}]
        readinessProbe: {httpGet: {path: /v2/health/ready, port: 8000}}
        resources: {limits: {nvidia.com/gpu: 1}}
"""

# A run that ends, and one that comes again.
SHAPES["job"] = """\
apiVersion: batch/v1
kind: Job
metadata: {name: batch}
spec:
  backoffLimit: 2
  template:
    spec:
      restartPolicy: Never
      containers:
      - name: vllm
        image: vllm/vllm-openai:v0.9.1
        command: [vllm, run-batch, -i, /data/in.jsonl, -o, /data/out.jsonl, --model, Qwen/Qwen3-8B]
        resources: {limits: {nvidia.com/gpu: 1}}
"""
SHAPES["cronjob"] = """\
apiVersion: batch/v1
kind: CronJob
metadata: {name: nightly}
spec:
  schedule: "0 3 * * *"
  jobTemplate:
    spec:
      template:
        spec:
          restartPolicy: OnFailure
          containers:
          - name: vllm
            image: vllm/vllm-openai:v0.9.1
            command: [vllm, serve, Qwen/Qwen3-8B]
            resources: {limits: {nvidia.com/gpu: 1}}
"""

# A bare pod, with a list of variables that says one name twice.
SHAPES["pod"] = """\
apiVersion: v1
kind: Pod
metadata: {name: try, labels: {app: try}}
spec:
  containers:
  - name: ollama
    image: ollama/ollama:0.6.8
    env:
    - {name: OLLAMA_CONTEXT_LENGTH, value: "4096"}
    - {name: OLLAMA_KEEP_ALIVE, value: 30m}
    - {name: OLLAMA_CONTEXT_LENGTH, value: "8192"}
    resources: {limits: {nvidia.com/gpu: 1}}
"""

# What a request passes on its way in.
SHAPES["ingress"] = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: llm}
spec:
  selector: {matchLabels: {app: llm}}
  template:
    metadata: {labels: {app: llm}}
    spec:
      containers:
      - name: vllm
        image: vllm/vllm-openai:v0.8.5
        args: [--model, Qwen/Qwen2.5-7B-Instruct]
        ports: [{containerPort: 8000, name: api}]
        resources: {limits: {nvidia.com/gpu: 1}}
---
apiVersion: v1
kind: Service
metadata: {name: llm}
spec:
  type: NodePort
  selector: {app: llm}
  ports: [{port: 8000}]
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: llm
  annotations:
    nginx.ingress.kubernetes.io/proxy-read-timeout: "600"
    nginx.ingress.kubernetes.io/proxy-body-size: 8m
spec:
  ingressClassName: nginx
  rules:
  - host: llm.example.com
    http:
      paths:
      - {path: /, pathType: Prefix, backend: {service: {name: llm, port: {number: 8000}}}}
"""

# Devices that are claimed, and not counted (resource.k8s.io is stable since Kubernetes 1.34).
SHAPES["claims"] = """\
apiVersion: resource.k8s.io/v1
kind: ResourceClaimTemplate
metadata: {name: gpus}
spec:
  spec:
    devices:
      requests:
      - name: gpu
        exactly: {deviceClassName: gpu.nvidia.com, count: 2}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: vllm}
spec:
  selector: {matchLabels: {app: vllm}}
  template:
    metadata: {labels: {app: vllm}}
    spec:
      resourceClaims: [{name: gpus, resourceClaimTemplateName: gpus}]
      containers:
      - name: vllm
        image: vllm/vllm-openai:v0.9.1
        args: [--model, Qwen/Qwen2.5-14B-Instruct, --tensor-parallel-size, "2"]
        resources: {claims: [{name: gpus}]}
"""
