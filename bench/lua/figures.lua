-- Prints what wrk found as one line of JSON: exact, where its own report is rounded and has units.
-- wrk takes one script only, so the scenario's own is loaded from here.
local script = os.getenv("BENCH_WRK_SCRIPT")
if script then dofile(script) end

function done(summary, latency, requests)
  local points = {}
  local function point(quantile, microseconds)
    points[#points + 1] = string.format("[%.4f, %.3f]", quantile, microseconds / 1000)
  end
  for _, percent in ipairs({ 1, 5, 10, 20, 30, 40, 50, 60, 70, 75, 80, 85, 90, 92, 94, 95,
                             96, 97, 98, 99, 99.5, 99.9, 99.99 }) do
    point(percent / 100, latency:percentile(percent))
  end
  point(1, latency.max)
  local errors = summary.errors
  io.write(string.format(
    '{"requests": %d, "seconds": %.6f, "bytes": %d, "mean_ms": %.4f, "latency_ms": [%s], '
    .. '"errors": {"connect": %d, "read": %d, "write": %d, "status": %d, "timeout": %d}}\n',
    summary.requests, summary.duration / 1e6, summary.bytes, latency.mean / 1000,
    table.concat(points, ", "),
    errors.connect, errors.read, errors.write, errors.status, errors.timeout))
end
