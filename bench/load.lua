-- With a second argument each connection pauses before every request, so many milliseconds in the mean.
-- Walks a prepared file of lines "host<TAB>target", or "host<TAB>target<TAB>bytes" for a POST of that length, from the beginning, over and over. The raw requests are made once. A file NAME.http holds them as they are, with a zero byte between two.
local requests, count, at = {}, 0, 0

local function read_raw(path)
  for raw in io.open(path, "rb"):read("*a"):gmatch("[^%z]+") do
    count = count + 1
    requests[count] = raw
  end
end

function init(args)
  local pause = tonumber(args[2])
  -- wrk looks whether it is there, and asks it each time.
  if pause then delay = function() return math.random(0, 2 * pause) end end
  if args[1]:match("%.http$") then return read_raw(args[1]) end
  for line in io.lines(args[1]) do
    local host, target, bytes = line:match("^(.-)\t([^\t]*)\t?(%d*)$")
    local first = (bytes == "" and "GET " or "POST ") .. target .. " HTTP/1.1\r\nHost: " .. host .. "\r\n"
    count = count + 1
    if bytes == "" then requests[count] = first .. "\r\n"
    else requests[count] = first .. "Content-Length: " .. bytes .. "\r\n\r\n" .. ("x"):rep(tonumber(bytes)) end
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
