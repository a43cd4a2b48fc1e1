-- Argo CD's view of a Domain.
local message = status.message or ""

if status.state == "Failed" or status.state == "Failing" then
  return { status = "Degraded", message = message }
end
if status.state == "Waiting" and status.reason == "AutomaticDisabled" then
  -- As declared. Suspended would hold up the waves behind it for ever.
  return { status = "Healthy", message = message }
end
if status.state == "Waiting" then
  return { status = "Suspended", message = message }
end
if status.state == "CertIssued" then
  if is("RenewalOverdue") then
    return { status = "Degraded", message = conditions.RenewalOverdue.message or message }
  end
  if is("Ready") then
    if message == "" then
      message = conditions.Ready.message or ""
    end
    return { status = "Healthy", message = message }
  end
  if conditions.Ready ~= nil and conditions.Ready.message ~= nil then
    message = conditions.Ready.message
  end
end
return { status = "Progressing", message = message }
