-- In turns a head of 9 KB, a path of 5 KB and a declared body of 33 MB of which nothing is sent:
-- each over a limit of Function Compute. Ends wrk with status 1 at an answer that is no refusal.
local requests = {
  wrk.format("GET", "/", { ["X-Filler"] = string.rep("h", 9 * 1024) }),
  wrk.format("GET", "/" .. string.rep("p", 5 * 1024)),
  wrk.format("POST", "/", { ["Content-Length"] = tostring(33 * 1024 * 1024) }),
}
local count = 0

function request()
  count = count + 1
  return requests[count % 3 + 1]
end

function response(status, headers, body)
  if status < 400 or status >= 500 then
    io.stderr:write("not refused: " .. status .. "\n")
    os.exit(1)
  end
end
