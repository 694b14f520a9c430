-- POSTs as many bytes as the path says, /65536, to a handler that answers the length of the body;
-- ends wrk with status 1 at the first answer that says something else.
local bytes = tonumber(wrk.path:match("%d+"))

wrk.method = "POST"
wrk.body = string.rep("x", bytes)

function response(status, headers, body)
  if status ~= 200 or body ~= tostring(bytes) then
    io.stderr:write(string.format("a POST of %d bytes: %d %s\n", bytes, status, body:sub(1, 80)))
    os.exit(1)
  end
end
