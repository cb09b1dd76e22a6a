-- The load of wrk: every request is made anew, and one line of JSON is printed at the end.
-- Arguments: work (charge | coupon | mixed), seed, users, coupon code, pause between the requests
-- of a connection in ms (0: none). One thread (wrk -t1).
local work, users, code, pause_ms
local sent = 0
local orders = {}
statuses = {}

local function post(path, body)
  return "POST " .. path .. " HTTP/1.1\r\nHost: " .. wrk.host
    .. "\r\nContent-Type: application/json\r\nContent-Length: " .. #body .. "\r\n\r\n" .. body
end

local function get(path)
  return "GET " .. path .. " HTTP/1.1\r\nHost: " .. wrk.host .. "\r\n\r\n"
end

local makers
makers = {
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
  -- Of all that a shop does, orders that were answered paid before anything else.
  mixed = function()
    local order = table.remove(orders)
    if order then
      return post("/api/v1/orders/pay", order)
    end
    local user, drawn = math.random(users), math.random()
    if drawn < 0.5 then return makers.charge() end
    if drawn < 0.7 then return makers.coupon() end
    if drawn < 0.8 then return get("/api/v1/balance?userId=" .. user) end
    if drawn < 0.9 then return get("/api/v1/coupons?userId=" .. user) end
    return post("/api/v1/orders",
      '{"userId":' .. user .. ',"items":[{"productId":1,"quantity":1}]}')
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
  pause_ms = tonumber(arguments[5])
  if work == "mixed" then
    response = count_and_remember
  end
  if pause_ms > 0 then
    -- By chance, or all connections would go in step.
    delay = function() return math.random(0, 2 * pause_ms) end
  end
end

function request()
  return makers[work]()
end

function response(status)
  local name = tostring(status)
  statuses[name] = (statuses[name] or 0) + 1
end

local count = response

function count_and_remember(status, _, body)
  count(status)
  local order, user = body:match('"orderId":"([^"]+)","userId":(%d+).-"status":"PENDING"')
  if order then
    orders[#orders + 1] = '{"userId":' .. user .. ',"orderId":"' .. order .. '"}'
  end
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
