-- What all three begin with. Only what Argo CD's Lua has: no string library, no clock.
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
local function is(kind)
  return conditions[kind] ~= nil and conditions[kind].status == "True"
end
