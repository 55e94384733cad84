{{/* dama.runtime: the run's own TrainingRuntime, its steps in order; the context. */}}
{{- define "dama.runtime" -}}
apiVersion: trainer.kubeflow.org/v1alpha1
kind: TrainingRuntime
metadata:
  name: {{ .names.train }}
  namespace: {{ .namespace }}
  labels:
    {{- include "dama.labels" (dict "c" . "step" "train") | nindent 4 }}
    trainer.kubeflow.org/framework: torch
spec:
  mlPolicy:
    numNodes: {{ int .cluster.nodes }}
    torch: {}
  template:
    spec:
      replicatedJobs:
        - name: preprocess
          replicas: 1
          template:
            spec:
              completionMode: Indexed
              completions: {{ int .cluster.preprocess_pods }}
              parallelism: {{ int .cluster.preprocess_pods }}
              backoffLimit: {{ int .cluster.restarts }}
              template: {{- include "dama.pod" (dict "c" . "step" "preprocess" "container" "dama" "restart" "Never") | nindent 16 }}
        - name: node
          replicas: 1
          dependsOn: [{name: preprocess, status: Complete}]
          template:
            metadata:
              labels:
                trainer.kubeflow.org/trainjob-ancestor-step: trainer
            spec:
              backoffLimit: {{ int .cluster.restarts }}
              template: {{- include "dama.pod" (dict "c" . "step" "train" "container" "node" "restart" "OnFailure") | nindent 16 }}
        - name: evaluate
          replicas: 1
          dependsOn: [{name: node, status: Complete}]
          template:
            spec:
              backoffLimit: {{ int .cluster.restarts }}
              template: {{- include "dama.pod" (dict "c" . "step" "evaluate" "container" "dama" "restart" "Never") | nindent 16 }}
{{- end -}}

{{/* dama.trainjob: the TrainJob over it; the context. */}}
{{- define "dama.trainjob" -}}
apiVersion: trainer.kubeflow.org/v1alpha1
kind: TrainJob
metadata: {{- include "dama.queued" (dict "c" . "step" "train" "name" .names.train "gated" false) | nindent 2 }}
spec:
  runtimeRef:
    apiGroup: trainer.kubeflow.org
    kind: TrainingRuntime
    name: {{ .names.train }}
  trainer:
    numNodes: {{ int .cluster.nodes }}
    numProcPerNode: {{ int .each }}
{{- end -}}
