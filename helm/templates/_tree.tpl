{{/*
Values to the whole run file, as `dama` itself reads them: a preset below what is written, then the defaults of
files/schema.json. Trees are handed back through boxes (dicts with a key v), for a template returns only text.
*/}}

{{/* dama.over: lay .above over .below; a part whose tag changes replaces the one below. */}}
{{- define "dama.over" -}}
{{- $merged := dict -}}
{{- range $key, $value := .below }}{{ $_ := set $merged $key $value }}{{ end -}}
{{- range $key, $value := .above -}}
  {{- $old := get $merged $key -}}
  {{- if and (kindIs "map" $old) (kindIs "map" $value) -}}
    {{- $changed := false -}}
    {{- range $tag := list "kind" "engine" "name" -}}
      {{- if and (hasKey $old $tag) (hasKey $value $tag) -}}
        {{- if ne (toString (get $old $tag)) (toString (get $value $tag)) }}{{ $changed = true }}{{ end -}}
      {{- end -}}
    {{- end -}}
    {{- if $changed -}}
      {{- $_ := set $merged $key $value -}}
    {{- else -}}
      {{- $box := dict -}}
      {{- include "dama.over" (dict "below" $old "above" $value "box" $box) -}}
      {{- $_ := set $merged $key $box.v -}}
    {{- end -}}
  {{- else -}}
    {{- $_ := set $merged $key $value -}}
  {{- end -}}
{{- end -}}
{{- $_ := set .box "v" $merged -}}
{{- end -}}

{{/* dama.fill: complete .value by the defaults of its schema .node; numbers that --set made texts become numbers. */}}
{{- define "dama.fill" -}}
{{- $defs := .defs -}}{{- $node := .node -}}{{- $value := .value -}}{{- $box := .box -}}
{{- if hasKey $node "anyOf" -}}
  {{- $kind := ternary "array" (ternary "object" "scalar" (kindIs "map" $value)) (kindIs "slice" $value) -}}
  {{- $options := $node.anyOf -}}
  {{- range $option := $options -}}
    {{- $type := get $option "type" | default "object" -}}
    {{- if or (eq $type $kind) (and (eq $kind "scalar") (has $type (list "number" "integer" "string"))) -}}
      {{- $node = $option -}}
    {{- end -}}
  {{- end -}}
{{- end -}}
{{- if hasKey $node "discriminator" -}}
  {{- $tag := $node.discriminator.propertyName -}}
  {{- if kindIs "map" $value -}}
    {{- $ref := get $node.discriminator.mapping (toString (get $value $tag)) -}}
    {{- if not $ref -}}
      {{- fail (printf "%s: no such %s: wanted %s" (get $node "title" | default "part" | lower) $tag (keys $node.discriminator.mapping | sortAlpha | join ", ")) -}}
    {{- end -}}
    {{- $node = dict "$ref" $ref -}}
  {{- end -}}
{{- end -}}
{{- if hasKey $node "$ref" }}{{ $node = get $defs (trimPrefix "#/$defs/" (get $node "$ref")) }}{{ end -}}
{{- $type := get $node "type" -}}
{{- if kindIs "invalid" $value -}}
  {{- $_ := set $box "v" nil -}}
{{- else if and (kindIs "map" $value) (hasKey $node "properties") -}}
  {{- $out := dict -}}
  {{- range $key, $part := $node.properties -}}
    {{- if hasKey $value $key -}}
      {{- $below := dict -}}
      {{- include "dama.fill" (dict "defs" $defs "node" $part "value" (get $value $key) "box" $below) -}}
      {{- $_ := set $out $key $below.v -}}
    {{- else if hasKey $part "default" -}}
      {{- $_ := set $out $key (get $part "default") -}}
    {{- end -}}
  {{- end -}}
  {{- $_ := set $box "v" $out -}}
{{- else if kindIs "slice" $value -}}
  {{- $items := list -}}
  {{- range $item := $value -}}
    {{- $below := dict -}}
    {{- include "dama.fill" (dict "defs" $defs "node" (get $node "items" | default dict) "value" $item "box" $below) -}}
    {{- $items = append $items $below.v -}}
  {{- end -}}
  {{- $_ := set $box "v" $items -}}
{{- else if and (kindIs "string" $value) (has $type (list "number" "integer")) -}}
  {{- $_ := set $box "v" (float64 $value) -}}
{{- else if and (kindIs "string" $value) (eq (get $node "format" | default "") "uri") (regexMatch "^https?://[^/]+$" $value) -}}
  {{- $_ := set $box "v" (printf "%s/" $value) -}}
{{- else -}}
  {{- $_ := set $box "v" $value -}}
{{- end -}}
{{- end -}}

{{/* dama.run: the values as a complete run file, in .box; .root is the chart's top. */}}
{{- define "dama.run" -}}
{{- $schema := .root.Files.Get "files/schema.json" | fromJson -}}
{{- $presets := .root.Files.Get "files/presets.json" | fromJson -}}
{{- $written := omit .root.Values "global" -}}
{{- $below := dict -}}
{{- if kindIs "string" $written.model -}}
  {{- if not (hasKey $presets.models $written.model) -}}
    {{- fail (printf "model: '%s'; wanted %s, or a model written out" $written.model (keys $presets.models | sortAlpha | join ", ")) -}}
  {{- end -}}
  {{- $below = get $presets.models $written.model -}}
  {{- $written = omit $written "model" -}}
{{- end -}}
{{- if kindIs "string" $written.method -}}
  {{- $written = merge (dict "method" (dict "name" $written.method)) (omit $written "method") -}}
{{- else if and (kindIs "map" $written.method) (not (hasKey $below "method")) (not (hasKey $written.method "name")) -}}
  {{- $written = merge (dict "method" (merge (dict "name" "dama") $written.method)) (omit $written "method") -}}
{{- end -}}
{{- if eq (toString $written.hardness) "none" -}}
  {{- $written = merge (dict "hardness" nil) (omit $written "hardness") -}}
{{- else if kindIs "map" $written.hardness -}}
  {{- if kindIs "map" $written.hardness.facts -}}
    {{- $facts := merge (dict) $written.hardness.facts -}}
    {{- if and $facts (not (hasKey $facts "engine")) }}{{ $_ := set $facts "engine" "rules" }}{{ end -}}
    {{- if and (eq (toString (get $facts "engine")) "vllm") (kindIs "string" (get $facts "model")) -}}
      {{- if not (hasKey $presets.splitters $facts.model) -}}
        {{- fail (printf "hardness.facts.model: '%s'; wanted %s, or a model written out" $facts.model (keys $presets.splitters | sortAlpha | join ", ")) -}}
      {{- end -}}
      {{- $_ := set $facts "model" (get $presets.splitters $facts.model) -}}
    {{- end -}}
    {{- $written = merge (dict "hardness" (merge (dict "facts" $facts) (omit $written.hardness "facts"))) (omit $written "hardness") -}}
  {{- end -}}
{{- end -}}
{{- $layered := dict -}}
{{- include "dama.over" (dict "below" $below "above" $written "box" $layered) -}}
{{- if not (hasKey $layered.v "name") }}{{ $_ := set $layered.v "name" .root.Release.Name }}{{ end -}}
{{- $full := dict -}}
{{- include "dama.fill" (dict "defs" (get $schema "$defs") "node" $schema "value" $layered.v "box" $full) -}}
{{- /* no address at all says below that the run brings its own store */ -}}
{{- if eq $full.v.storage.uri (get $presets "store") }}{{ $_ := set $full.v.storage "uri" "" }}{{ end -}}
{{- $_ := set .box "v" $full.v -}}
{{- end -}}
