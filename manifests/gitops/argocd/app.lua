-- Argo CD's view of an App, which is that of its Domains. Only what Argo CD's Lua has: no string library, no clock.
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
local ready = conditions.Ready or {}
local message = ready.message or ""

if ready.status == "True" then
  return { status = "Healthy", message = message }
end
if conditions.Stalled ~= nil and conditions.Stalled.status == "True" then
  return { status = "Degraded", message = conditions.Stalled.message or message }
end
if ready.reason == "DomainsFailing" then
  return { status = "Degraded", message = message }
end
if ready.reason == "DomainsWaiting" or ready.reason == "ServiceNotFound" then
  return { status = "Suspended", message = message }
end
return { status = "Progressing", message = message }
