{{- /* The account that the operator runs as, and to which its roles are bound. */ -}}
{{- define "certward.serviceAccountName" -}}
{{- $account := .Values.serviceAccount }}
{{- if eq ($account.name | default "") "default" }}
{{- fail "serviceAccount.name: not default, which every pod of the namespace runs as that names no account" }}
{{- end }}
{{- if $account.create }}
{{- $account.name | default "certward" }}
{{- else }}
{{- required "serviceAccount.name: with create: false, say which account there is" $account.name }}
{{- end }}
{{- end }}
