-- Argo CD's view of a TLSPolicy.
local accepted, enforced = conditions.Accepted or {}, conditions.Enforced or {}

if is("Stalled") then
  return { status = "Degraded", message = conditions.Stalled.message or "" }
end
if accepted.reason == "TargetNotFound" then
  return { status = "Suspended", message = accepted.message or "" }
end
if is("Reconciling") then
  return { status = "Progressing", message = conditions.Reconciling.message or "" }
end
return { status = "Healthy", message = enforced.message or accepted.message or "" }
