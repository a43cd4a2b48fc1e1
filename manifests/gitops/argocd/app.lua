-- Argo CD's view of an App, which is that of its Domains.
local ready = conditions.Ready or {}
local message = ready.message or ""

if is("Ready") then
  return { status = "Healthy", message = message }
end
if is("Stalled") then
  return { status = "Degraded", message = conditions.Stalled.message or message }
end
if ready.reason == "DomainsFailing" then
  return { status = "Degraded", message = message }
end
if ready.reason == nil or ready.reason == "DomainsPending" then
  return { status = "Progressing", message = message }
end
-- It waits for somebody: for what a Domain waits for, or for a Service or a Gateway that is not there.
return { status = "Suspended", message = message }
