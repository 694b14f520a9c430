-- A head that was never seen before with each request, so that no cache of heads can help.
local count = 0

function request()
  count = count + 1
  return string.format(
    "GET /items/%d?page=%d HTTP/1.1\r\nHost: bench\r\nX-Request-Number: %d\r\n\r\n",
    count % 1000, count, count)
end
