-- Argo CD's view of a TLSPolicy. Only what Argo CD's Lua has: no string library, no clock.
local status = obj.status or {}
local generation = obj.metadata.generation
if status.conditions == nil then
  return { status = "Progressing", message = "Certward has not looked at it yet." }
end
if status.observedGeneration ~= nil and generation ~= nil and status.observedGeneration ~= generation then
  return { status = "Progressing", message = "Certward has not looked at the change yet." }
end
local conditions = {}
for _, condition in ipairs(status.conditions) do
  conditions[condition.type] = condition
end
local accepted, enforced = conditions.Accepted or {}, conditions.Enforced or {}

if conditions.Stalled ~= nil and conditions.Stalled.status == "True" then
  return { status = "Degraded", message = conditions.Stalled.message or "" }
end
if accepted.reason == "TargetNotFound" then
  return { status = "Suspended", message = accepted.message or "" }
end
if conditions.Reconciling ~= nil and conditions.Reconciling.status == "True" then
  return { status = "Progressing", message = conditions.Reconciling.message or "" }
end
return { status = "Healthy", message = enforced.message or accepted.message or "" }
