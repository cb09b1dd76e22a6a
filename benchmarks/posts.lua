-- The load of wrk: every request is made anew, and one line of JSON is printed at the end.
-- Arguments: work (charge | coupon), seed, users, coupon code. One thread (wrk -t1).
local work, users, code
local sent = 0
statuses = {}

local function post(path, body)
  return "POST " .. path .. " HTTP/1.1\r\nHost: " .. wrk.host
    .. "\r\nContent-Type: application/json\r\nContent-Length: " .. #body .. "\r\n\r\n" .. body
end

local makers = {
  -- Charges fall on chance users, as customers come; the seed makes both sides' load the same.
  charge = function()
    local user = math.random(users)
    return post("/api/v1/balance/charge", '{"userId":' .. user .. ',"amount":7}')
  end,
  -- Every issue is another user's: a second one of the same user would be a refusal.
  coupon = function()
    sent = sent + 1
    return post("/api/v1/coupons/issue", '{"userId":' .. sent .. ',"couponCode":"' .. code .. '"}')
  end,
}

local only_thread

function setup(thread)
  only_thread = thread
end

function init(arguments)
  work, code = arguments[1], arguments[4]
  users = tonumber(arguments[3])
  math.randomseed(tonumber(arguments[2]))
end

function request()
  return makers[work]()
end

function response(status)
  local name = tostring(status)
  statuses[name] = (statuses[name] or 0) + 1
end

function done(summary, latency)
  local counts = {}
  for status, count in pairs(only_thread:get("statuses")) do
    counts[#counts + 1] = string.format('"%s":%d', status, count)
  end
  local errors = summary.errors
  print(string.format(
    '{"seconds":%.6f,"statuses":{%s},"broken":%d,"p50_ms":%.3f,"p99_ms":%.3f,"max_ms":%.3f}',
    summary.duration / 1e6, table.concat(counts, ","),
    errors.connect + errors.read + errors.write + errors.timeout,
    latency:percentile(50) / 1000, latency:percentile(99) / 1000, latency.max / 1000))
end
