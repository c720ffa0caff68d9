-- Walks a prepared file of lines "host<TAB>target" from the beginning, over and over. The raw requests are made once.
local requests, count, at = {}, 0, 0

function init(args)
  for line in io.lines(args[1]) do
    local host, target = line:match("^(.-)\t(.*)$")
    count = count + 1
    requests[count] = "GET " .. target .. " HTTP/1.1\r\nHost: " .. host .. "\r\n\r\n"
  end
end

function request()
  at = at % count + 1
  return requests[at]
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    'RESULT {"requests":%d,"durationUs":%d,"refused":%d,"broken":%d,"p50Us":%d,"p99Us":%d}\n',
    summary.requests, summary.duration, errors.status,
    errors.connect + errors.read + errors.write + errors.timeout,
    latency:percentile(50), latency:percentile(99)))
end
