{{/*
What all objects are made from, as JSON: the placed run file (as `dama.manifests.placed` makes it), its hash,
names, variables out of Secrets, ports. Every template starts with: $c := include "dama.context" . | fromJson
*/}}
{{- define "dama.context" -}}
{{- $box := dict -}}
{{- include "dama.run" (dict "root" . "box" $box) -}}
{{- $spec := $box.v -}}
{{- $cluster := $spec.cluster -}}
{{- $problems := include "dama.problems" (dict "spec" $spec "root" .) | fromJsonArray -}}
{{- $locked := .Files.Get "files/images.json" | fromJson -}}
{{- range $name := list "preprocess" "train" "control" "store" -}}
  {{- if not (get $spec.images $name) -}}
    {{- if get $locked $name -}}
      {{- $_ := set $spec.images $name (get $locked $name) -}}
    {{- else -}}
      {{- $problems = append $problems (printf "images.%s: has no digest yet; wanted an image that was pushed to a registry; run `make push REGISTRY=...`, or set images.%s" $name $name) -}}
    {{- end -}}
  {{- end -}}
{{- end -}}
{{- if $problems }}{{ fail (printf "\n%s" (join "\n" $problems)) }}{{ end -}}
{{- $brings := not $spec.storage.uri -}}
{{- $variables := include "dama.variables" $spec | fromJson -}}
{{- $ports := include "dama.ports" $spec | fromJsonArray -}}
{{- if $brings -}}
  {{- $_ := set $spec.storage "uri" "s3://dama" -}}
  {{- $_ := set $spec.storage "endpoint_url" (printf "http://%s-store:7070/" $spec.name) -}}
  {{- $_ := set $spec.storage "path_style" true -}}
  {{- $_ := set $spec.storage "keys" (dict "access_key" "S3_ACCESS_KEY" "secret_key" "S3_SECRET_KEY" "session_token" nil) -}}
{{- end -}}
{{- $_ := set $spec.storage "scratch" "/scratch" -}}
{{- $_ := set $cluster "namespace" .Release.Namespace -}}
{{- $text := printf "%s\n" (toPrettyJson $spec) -}}
{{- $hash := sha256sum $text | trunc 6 -}}
{{- $cuda := eq $spec.train.device "cuda" -}}
{{- $each := div (int $spec.train.ranks) (int $cluster.nodes) -}}
{{- $facts := ternary 1 0 (and $cuda (not (kindIs "invalid" $spec.hardness))) -}}
{{- if not (kindIs "invalid" $cluster.preprocess_gpus) }}{{ $facts = int $cluster.preprocess_gpus }}{{ end -}}
{{- $train := printf "%s-train-%s" $spec.name $hash -}}
{{- if eq $cluster.backend "trainjob" }}{{ $train = printf "%s-%s" $spec.name $hash }}{{ end -}}
{{- $vllm := and (eq $spec.evaluate.engine "vllm") (gt (len $spec.evaluate.benchmarks) 0) -}}
{{- $asked := ternary (ternary (int $spec.evaluate.tensor_parallel) 1 $vllm) 0 (and $cuda (gt (len $spec.evaluate.benchmarks) 0)) -}}
{{- $gpus := dict "preprocess" $facts "train" (ternary $each 0 $cuda) "evaluate" $asked -}}
{{- $names := dict "account" ($cluster.service_account | default $spec.name) "releaser" (printf "%s-release" $spec.name) "store" (printf "%s-store" $spec.name) "runfile" (printf "%s-run-%s" $spec.name $hash) "preprocess" (printf "%s-preprocess-%s" $spec.name $hash) "train" $train "evaluate" (printf "%s-evaluate-%s" $spec.name $hash) "release" (printf "%s-release-%s" $spec.name $hash) -}}
{{- dict "spec" $spec "cluster" $cluster "name" $spec.name "namespace" .Release.Namespace "text" $text "hash" $hash "brings" $brings "each" $each "vllm" $vllm "gpus" $gpus "names" $names "variables" $variables "ports" $ports | toJson -}}
{{- end -}}

{{/* dama.variables: what the run file names and a Secret holds: {name: path that names it}. */}}
{{- define "dama.variables" -}}
{{- $named := dict -}}
{{- if and .storage.keys .storage.uri -}}
  {{- range $key := list "access_key" "secret_key" "session_token" -}}
    {{- $name := get $.storage.keys $key -}}
    {{- if and $name (not (hasKey $named $name)) }}{{ $_ := set $named $name (printf "storage.keys.%s" $key) }}{{ end -}}
  {{- end -}}
{{- end -}}
{{- if .hardness -}}
  {{- $name := get .hardness.facts "key_env" -}}
  {{- if and $name (not (hasKey $named $name)) }}{{ $_ := set $named $name "hardness.facts.key_env" }}{{ end -}}
{{- end -}}
{{- range $number, $benchmark := .evaluate.benchmarks -}}
  {{- $judge := get $benchmark "judge" -}}
  {{- if $judge -}}
    {{- if and $judge.key_env (not (hasKey $named $judge.key_env)) }}{{ $_ := set $named $judge.key_env (printf "evaluate.benchmarks.%d.judge.key_env" $number) }}{{ end -}}
  {{- end -}}
{{- end -}}
{{- toJson $named -}}
{{- end -}}

{{/* dama.ports: TCP ports outside the run that its pods need, sorted; asked before the own store is filled in. */}}
{{- define "dama.ports" -}}
{{- $brings := not .storage.uri -}}
{{- $addresses := list -}}
{{- if $brings -}}
  {{- $addresses = append $addresses "http://store:7070/" -}}
{{- else if .storage.endpoint_url -}}
  {{- $addresses = append $addresses .storage.endpoint_url -}}
{{- end -}}
{{- $out := or (and (not $brings) (not .storage.endpoint_url)) (eq .model.kind "hub") (ne .data.kind "miniature") -}}
{{- if .hardness -}}
  {{- if get .hardness.facts "base_url" }}{{ $addresses = append $addresses .hardness.facts.base_url }}{{ end -}}
  {{- $out = or $out (ne .hardness.scorer.engine "miniature") (ne .hardness.facts.engine "rules") -}}
{{- end -}}
{{- range $benchmark := .evaluate.benchmarks -}}
  {{- $judge := get $benchmark "judge" -}}
  {{- if $judge -}}
    {{- if $judge.base_url }}{{ $addresses = append $addresses $judge.base_url }}{{ else }}{{ $out = true }}{{ end -}}
  {{- end -}}
  {{- if ne $benchmark.kind "miniature" }}{{ $out = true }}{{ end -}}
{{- end -}}
{{- $ports := list -}}
{{- if $out }}{{ $ports = append $ports "00443" }}{{ end -}}
{{- range $address := $addresses -}}
  {{- $parts := urlParse $address -}}
  {{- $port := ternary "443" "80" (eq $parts.scheme "https") -}}
  {{- if contains ":" $parts.host }}{{ $port = splitList ":" $parts.host | last }}{{ end -}}
  {{- $ports = append $ports (printf "%05d" (int $port)) -}}
{{- end -}}
{{- $numbers := list -}}
{{- range $port := $ports | uniq | sortAlpha }}{{ $numbers = append $numbers (trimPrefix "0" $port | trimPrefix "0" | trimPrefix "0" | int) }}{{ end -}}
{{- toJson $numbers -}}
{{- end -}}
