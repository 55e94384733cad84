{{/* dama.labels: labels of an object; .c the context, .step by choice. */}}
{{- define "dama.labels" -}}
app.kubernetes.io/name: dama
app.kubernetes.io/instance: {{ .c.name }}
{{- with .step }}
app.kubernetes.io/component: {{ . }}
{{- if has . (list "preprocess" "train" "evaluate" "release" "run") }}
dama/hash: {{ $.c.hash | quote }}
{{- end }}
{{- end }}
{{- end -}}

{{/* dama.around: what a pod has around its containers; .c, .account, .token. */}}
{{- define "dama.around" -}}
serviceAccountName: {{ .account }}
automountServiceAccountToken: {{ .token }}
enableServiceLinks: false
securityContext:
  runAsNonRoot: true
  runAsUser: 10001
  runAsGroup: 10001
  fsGroup: 10001
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile:
    type: RuntimeDefault
{{- with .c.cluster.pull_secrets }}
imagePullSecrets:
{{- range . }}
  - name: {{ . }}
{{- end }}
{{- end }}
{{- with .c.cluster.node_selector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .c.cluster.tolerations }}
tolerations:
{{- range . }}
  - {{- range $key, $value := . }}{{ if not (kindIs "invalid" $value) }}
    {{ $key }}: {{ $value | quote }}{{ end }}{{ end }}
{{- end }}
{{- end }}
{{- with .c.cluster.affinity }}
affinity: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .c.cluster.topology_spread }}
topologySpreadConstraints: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .c.cluster.priority_class }}
priorityClassName: {{ . }}
{{- end }}
{{- end -}}

{{- define "dama.tight" -}}
allowPrivilegeEscalation: false
capabilities:
  drop: [ALL]
readOnlyRootFilesystem: true
{{- end -}}

{{/* dama.env: variables of a container; .c, .keys: whether the own store's keys are among them, .metrics. */}}
{{- define "dama.env" -}}
{{- $plain := dict "PYTHONUNBUFFERED" "1" "HF_HOME" "/hub" "HOME" "/cache" "MPLCONFIGDIR" "/cache/matplotlib" "TORCHINDUCTOR_CACHE_DIR" "/cache/inductor" "TORCH_EXTENSIONS_DIR" "/cache/extensions" "TRITON_CACHE_DIR" "/cache/triton" "VLLM_CACHE_ROOT" "/cache/vllm" "XDG_CACHE_HOME" "/cache/xdg" -}}
{{- if .metrics }}{{ $_ := set $plain "DAMA_METRICS_PORT" "9464" }}{{ end -}}
{{- range $name, $value := .c.cluster.env }}{{ $_ := set $plain $name $value }}{{ end -}}
{{- range $name, $value := $plain }}
- name: {{ $name }}
  value: {{ $value | quote }}
{{- end }}
{{- if and .c.brings .keys }}
{{- range $name := list "S3_ACCESS_KEY" "S3_SECRET_KEY" }}
- name: {{ $name }}
  valueFrom: {secretKeyRef: {name: {{ $.c.names.store }}, key: {{ $name }}}}
{{- end }}
{{- end }}
{{- with .c.cluster.secret }}
{{- $secret := . }}
{{- range $name := keys $.c.variables | sortAlpha }}
- name: {{ $name }}
  valueFrom: {secretKeyRef: {name: {{ $secret }}, key: {{ $name }}}}
{{- end }}
{{- if not (hasKey $.c.variables "HF_TOKEN") }}
- name: HF_TOKEN
  valueFrom: {secretKeyRef: {name: {{ $secret }}, key: HF_TOKEN, optional: true}}
{{- end }}
{{- end }}
{{- end -}}

{{/* dama.container: a container of a step; .c, .name, .image, .args, .gpus, .memory, .resources, .metrics. */}}
{{- define "dama.container" -}}
name: {{ .name }}
image: {{ .image }}
imagePullPolicy: {{ .c.spec.images.pull }}
command: [dama]
args: [{{ join ", " .args }}, /etc/dama/run.yaml, --pin]
env: {{- include "dama.env" (dict "c" .c "keys" true "metrics" .metrics) | nindent 2 }}
{{- if .metrics }}
ports:
  - {name: metrics, containerPort: 9464}
{{- end }}
resources:
  requests:
    cpu: {{ printf "%dm" (int (round (mulf .resources.cpus 1000) 0)) }}
    memory: {{ .memory }}
    {{- if .gpus }}
    nvidia.com/gpu: {{ .gpus | quote }}
    {{- end }}
  limits:
    memory: {{ .memory }}
    {{- if .gpus }}
    nvidia.com/gpu: {{ .gpus | quote }}
    {{- end }}
securityContext: {{- include "dama.tight" . | nindent 2 }}
terminationMessagePolicy: FallbackToLogsOnError
volumeMounts:
  - {name: run, mountPath: /etc/dama, readOnly: true}
  - {name: scratch, mountPath: /scratch}
  - {name: scratch, mountPath: /tmp, subPath: tmp}
  - {name: scratch, mountPath: /cache, subPath: cache}
  {{- if .c.cluster.model_cache }}
  - {name: hub, mountPath: /hub}
  {{- else }}
  - {name: scratch, mountPath: /hub, subPath: hub}
  {{- end }}
  - {name: shm, mountPath: /dev/shm}
  {{- range $number, $volume := .c.cluster.volumes }}
  - {name: volume-{{ $number }}, mountPath: {{ $volume.path }}, readOnly: {{ $volume.read_only }}}
  {{- end }}
{{- end -}}

{{/* dama.pod: the pod template of a step; .c, .step, .container, .restart ("" for none). */}}
{{- define "dama.pod" -}}
{{- $c := .c -}}{{- $cluster := $c.cluster -}}
{{- $resources := get $cluster .step -}}{{- $gpus := int (get $c.gpus .step) -}}
{{- $memory := printf "%dGi" (add (int $resources.memory_gib) (int $resources.shm_gib)) -}}
{{- $size := printf "%dGi" (int $cluster.scratch.size_gib) -}}
metadata:
  labels:
    {{- include "dama.labels" (dict "c" $c "step" .step) | nindent 4 }}
    {{- if $cluster.queue }}{{ if eq $cluster.queue.gate "pods" }}
    kueue.x-k8s.io/queue-name: {{ $cluster.queue.name }}
    {{- end }}{{ end }}
  annotations:
    sidecar.istio.io/inject: "false"
spec:
  {{- include "dama.around" (dict "c" $c "account" $c.names.account "token" false) | nindent 2 }}
  {{- with .restart }}
  restartPolicy: {{ . }}
  {{- end }}
  {{- if and $cluster.runtime_class $gpus }}
  runtimeClassName: {{ $cluster.runtime_class }}
  {{- end }}
  terminationGracePeriodSeconds: {{ ternary (int $cluster.grace_seconds) 30 (eq .step "train") }}
  {{- $image := ternary $c.spec.images.preprocess $c.spec.images.train (eq .step "preprocess") }}
  {{- $args := ternary (list "preprocess") (list "step" .step) (eq .step "preprocess") }}
  {{- $metrics := and (eq .step "train") (not (kindIs "invalid" $cluster.pod_monitor)) }}
  {{- $one := dict "c" $c "memory" $memory "resources" $resources "metrics" $metrics }}
  {{- if and $c.vllm (eq .step "evaluate") }}
  initContainers:
    - {{- include "dama.container" (merge (dict "name" "answers" "image" $c.spec.images.preprocess "args" (list "step" "answers") "gpus" $gpus) $one) | nindent 6 }}
  containers:
    - {{- include "dama.container" (merge (dict "name" .container "image" $image "args" $args "gpus" 0) $one) | nindent 6 }}
  {{- else }}
  containers:
    - {{- include "dama.container" (merge (dict "name" .container "image" $image "args" $args "gpus" $gpus) $one) | nindent 6 }}
  {{- end }}
  volumes:
    - name: run
      configMap: {name: {{ $c.names.runfile }}}
    - name: scratch
      {{- if $cluster.scratch.claim }}
      ephemeral:
        volumeClaimTemplate:
          spec:
            accessModes: [ReadWriteOnce]
            resources: {requests: {storage: {{ $size }}}}
            {{- with $cluster.scratch.storage_class }}
            storageClassName: {{ . }}
            {{- end }}
      {{- else }}
      emptyDir: {sizeLimit: {{ $size }}}
      {{- end }}
    {{- with $cluster.model_cache }}
    - name: hub
      persistentVolumeClaim: {claimName: {{ . }}}
    {{- end }}
    - name: shm
      emptyDir: {medium: Memory, sizeLimit: {{ printf "%dGi" (int $resources.shm_gib) }}}
    {{- range $number, $volume := $cluster.volumes }}
    - name: volume-{{ $number }}
      persistentVolumeClaim: {claimName: {{ $volume.claim }}, readOnly: {{ $volume.read_only }}}
    {{- end }}
{{- end -}}

{{/* dama.queued: metadata of a job that the queue admits; .c, .step, .name, .gated, .live by choice. */}}
{{- define "dama.queued" -}}
{{- $queue := .c.cluster.queue -}}
{{- $gate := "" }}{{ if $queue }}{{ $gate = $queue.gate }}{{ end -}}
{{- $shut := .gated -}}
{{- if .live }}{{ $shut = hasKey (.live.metadata.annotations | default dict) "kueue.x-k8s.io/admission-gated-by" }}{{ end -}}
name: {{ .name }}
namespace: {{ .c.namespace }}
labels:
  {{- include "dama.labels" (dict "c" .c "step" .step) | nindent 2 }}
  {{- if or (eq $gate "annotation") (and (eq $gate "label") (not .gated)) }}
  kueue.x-k8s.io/queue-name: {{ $queue.name }}
  {{- end }}
{{- if and (eq $gate "annotation") .gated $shut }}
annotations:
  kueue.x-k8s.io/admission-gated-by: dama/release
{{- end }}
{{- end -}}

{{/* dama.ends: how a Job of the run ends. */}}
{{- define "dama.ends" -}}
backoffLimit: {{ int .cluster.restarts }}
podFailurePolicy:
  rules:
    - action: FailJob
      onExitCodes: {containerName: dama, operator: In, values: [2]}
    - action: Ignore
      onExitCodes: {containerName: dama, operator: In, values: [75]}
    - action: Ignore
      onPodConditions: [{type: DisruptionTarget, status: "True"}]
podReplacementPolicy: Failed
{{- include "dama.kept" . }}
{{- end -}}

{{- define "dama.kept" -}}
{{- with .cluster.keep_hours }}
ttlSecondsAfterFinished: {{ mul (int .) 3600 }}
{{- end }}
{{- end -}}
