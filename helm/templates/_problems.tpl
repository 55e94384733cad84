{{/*
dama.problems: what is wrong with a run file beyond its schema, as a JSON list: the rules of dama.spec that look
at several keys and decide on objects, and what means nothing in a cluster. The pods check all rules again.
*/}}
{{- define "dama.problems" -}}
{{- $spec := .spec -}}{{- $root := .root -}}{{- $train := $spec.train -}}{{- $cluster := $spec.cluster -}}
{{- $found := list -}}
{{- if gt (len $spec.name) 40 -}}
  {{- $found = append $found (printf "name: '%s' has %d characters; wanted at most 40, so that the names made from it fit; set name, or call the release otherwise" $spec.name (len $spec.name)) -}}
{{- else if not (regexMatch "^[a-z0-9]([a-z0-9-]*[a-z0-9])?$" $spec.name) -}}
  {{- $found = append $found (printf "name: '%s'; wanted small letters, digits and hyphens; set name, or call the release otherwise" $spec.name) -}}
{{- end -}}
{{- if and $cluster.namespace (ne $cluster.namespace $root.Release.Namespace) -}}
  {{- $found = append $found (printf "cluster.namespace: '%s', and the release is in '%s'; leave it out, helm's --namespace says it" $cluster.namespace $root.Release.Namespace) -}}
{{- end -}}
{{- if $cluster.create_namespace -}}
  {{- $found = append $found "cluster.create_namespace: helm makes it; use --create-namespace instead" -}}
{{- end -}}
{{- $product := mul (int $train.ranks) (int $train.per_device_batch) (int $train.accumulation) -}}
{{- if ne (int $product) (int $train.batch) -}}
  {{- $found = append $found (printf "train.batch: %d is not ranks %d × per_device_batch %d × accumulation %d = %d; set train.batch=%d or change one of the factors" (int $train.batch) (int $train.ranks) (int $train.per_device_batch) (int $train.accumulation) $product $product) -}}
{{- end -}}
{{- if mod (int $train.ranks) (int $cluster.nodes) -}}
  {{- $found = append $found (printf "cluster.nodes: %d ranks cannot be spread evenly over %d nodes; make train.ranks a multiple of cluster.nodes" (int $train.ranks) (int $cluster.nodes)) -}}
{{- else if not (kindIs "invalid" $cluster.gpus) -}}
  {{- $wanted := ternary (div (int $train.ranks) (int $cluster.nodes)) 0 (eq $train.device "cuda") -}}
  {{- if ne (int $cluster.gpus) (int $wanted) -}}
    {{- $found = append $found (printf "cluster.gpus: %d GPUs a node; wanted %d: %d ranks on %d node(s) with train.device '%s'; set cluster.gpus=%d, leave it out, or change train.ranks" (int $cluster.gpus) (int $wanted) (int $train.ranks) (int $cluster.nodes) $train.device (int $wanted)) -}}
  {{- end -}}
{{- end -}}
{{- if and (has $spec.method.name (list "mdpo" "dama")) (gt (int (get $spec.method "keep")) (int $train.batch)) -}}
  {{- $found = append $found (printf "method.keep: %d kept of a batch of %d; lower method.keep or raise train.batch" (int $spec.method.keep) (int $train.batch)) -}}
{{- end -}}
{{- if and (eq $cluster.backend "job") (gt (int $cluster.nodes) 1) -}}
  {{- $found = append $found (printf "cluster.backend: job, and training on %d nodes; set cluster.backend=pytorchjob, or cluster.nodes=1" (int $cluster.nodes)) -}}
{{- end -}}
{{- if and (eq $cluster.backend "trainjob") (gt (len $spec.name) 34) -}}
  {{- $found = append $found (printf "name: %d characters; wanted at most 34 with cluster.backend 'trainjob', which appends to it; shorten name" (len $spec.name)) -}}
{{- end -}}
{{- if and $cluster.scratch.storage_class (not $cluster.scratch.claim) -}}
  {{- $found = append $found "cluster.scratch.storage_class: a StorageClass, and no volume that has it; set cluster.scratch.claim=true" -}}
{{- end -}}
{{- range $name := list "preprocess" "train" "control" "store" -}}
  {{- $image := get $spec.images $name -}}
  {{- if and $image (not $spec.images.allow_mutable_tags) (not (contains "@sha256:" $image)) -}}
    {{- $found = append $found (printf "images.%s: '%s' has no digest; write the digest that pushing it printed, or set images.allow_mutable_tags=true" $name $image) -}}
  {{- end -}}
{{- end -}}
{{- if not $cluster.secret -}}
  {{- range $name, $path := include "dama.variables" $spec | fromJson -}}
    {{- $found = append $found (printf "cluster.secret: nothing, and %s names the variable %s; kubectl create secret generic NAME --from-literal=%s=..., then set cluster.secret=NAME" $path $name $name) -}}
  {{- end -}}
{{- end -}}
{{- if and $spec.storage.uri (not (hasPrefix "s3://" $spec.storage.uri)) -}}
  {{- $found = append $found (printf "storage.uri: '%s' is a folder of this machine; write s3://bucket/prefix, or leave it out: the run then brings a store of its own" $spec.storage.uri) -}}
{{- end -}}
{{- range $path, $text := dict "model.path" (get $spec.model "path") "data.uri" (get $spec.data "uri") "data.images" (get $spec.data "images") -}}
  {{- if and $text (or (not (contains "://" $text)) (hasPrefix "file://" $text)) -}}
    {{- $mounted := false -}}
    {{- range $volume := $cluster.volumes -}}
      {{- if hasPrefix (printf "%s/" (trimSuffix "/" $volume.path)) (printf "%s/" (trimPrefix "file://" $text | trimSuffix "/")) }}{{ $mounted = true }}{{ end -}}
    {{- end -}}
    {{- if not $mounted -}}
      {{- $found = append $found (printf "%s: '%s' is a folder of this machine; copy it to the bucket, or to a claim that cluster.volumes names" $path $text) -}}
    {{- end -}}
  {{- end -}}
{{- end -}}
{{- $api := get (dict "pytorchjob" "kubeflow.org/v1/PyTorchJob" "trainjob" "trainer.kubeflow.org/v1alpha1/TrainJob") $cluster.backend -}}
{{- if $api -}}
  {{- if not ($root.Capabilities.APIVersions.Has $api) -}}
    {{- $found = append $found (printf "cluster.backend: %s, and this cluster has no %s; install Kubeflow's operator, set cluster.backend=job, or without a cluster add --api-versions %s" $cluster.backend $api $api) -}}
  {{- end -}}
{{- end -}}
{{- if not (kindIs "invalid" $cluster.pod_monitor) -}}
  {{- if not ($root.Capabilities.APIVersions.Has "monitoring.coreos.com/v1/PodMonitor") -}}
    {{- $found = append $found "cluster.pod_monitor: this cluster has no monitoring.coreos.com/v1/PodMonitor; install the Prometheus Operator, or leave cluster.pod_monitor out" -}}
  {{- end -}}
{{- end -}}
{{- toJson $found -}}
{{- end -}}
